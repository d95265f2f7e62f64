"""The shipped importers, one file a plugin."""
