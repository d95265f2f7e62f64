"""The shipped models, one file a plugin."""
