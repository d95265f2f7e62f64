"""What installed distributions offer, seen by processes that import each of them alone."""
