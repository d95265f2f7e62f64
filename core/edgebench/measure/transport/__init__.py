"""What crosses from one host to the next: messages, their pace, and the ends they come out of."""
