"""Contracts and fakes for tests of plugins."""
