"""The plugins that ship with edgebench, one folder a hook, one file a plugin."""
