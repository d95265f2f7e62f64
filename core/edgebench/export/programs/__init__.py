"""Programs that are copied into what is exported: numpy and the standard library alone."""
