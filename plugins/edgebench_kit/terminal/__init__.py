"""What the terminal reporter lays out: tables, and what stands beside them."""
