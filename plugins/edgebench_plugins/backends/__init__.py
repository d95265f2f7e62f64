"""The shipped backends, one file a plugin."""
