"""The kinds of things that `list` and `show` know, in the plural."""

SHOWN = ("models", "variants", "datasets", "operators", "hybrids", "tiers", "links", "fabrics",
         "backends", "suites", "plugins")  # fmt: skip
"""The kinds that `list` shows unasked."""
LISTED = ("models", "datasets", "operators", "variants", "hybrids", "tiers", "links", "devices",
          "networks", "fabrics", "backends", "suites", "plugins", "formats", "converters",
          "trainers", "reporters", "importers")  # fmt: skip
"""All kinds that it knows, in the order in which its help names them."""
