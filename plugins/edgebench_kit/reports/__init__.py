"""What reports of every form share: words and figures."""
