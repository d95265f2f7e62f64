"""What a part of each kind promises, one contract a file."""
