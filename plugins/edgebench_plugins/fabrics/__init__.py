"""The shipped fabrics, one file a plugin."""
