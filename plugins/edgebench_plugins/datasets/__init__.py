"""The shipped datasets, one file a plugin."""
