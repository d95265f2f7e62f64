"""The shipped trainers, one file a plugin."""
