"""Results made up to order, for the tests of reporters and of what reads results."""
