"""The shipped reporters, one file a plugin."""
