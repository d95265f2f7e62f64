"""Checking what parts promise, in processes that may crash or hang."""
