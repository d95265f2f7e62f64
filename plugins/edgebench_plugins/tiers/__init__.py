"""The shipped tiers, one file a plugin."""
