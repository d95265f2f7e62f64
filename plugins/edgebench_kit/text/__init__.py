"""What plugins need that take text: wire form, tokenizers, encoders."""
