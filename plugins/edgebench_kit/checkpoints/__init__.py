"""What plugins need that read checkpoints of transformers, of whatever family."""
