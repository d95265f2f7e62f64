"""The shipped converters, one file a plugin."""
