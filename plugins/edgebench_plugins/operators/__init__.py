"""The shipped operators, one file a plugin."""
