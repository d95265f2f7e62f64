"""The shipped formats, one file a plugin."""
