"""What is the same for stages of every format."""
