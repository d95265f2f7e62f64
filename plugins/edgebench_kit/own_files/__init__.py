"""Models that are files: how requests become their inputs, as it lies beside them or is said."""
