"""Load plugins, block them, collect what they offer, explain what is wrong."""

from edgebench.plugins.plugins import Plugins, PluginSource
from edgebench.plugins.records import Fault, Listed, Owner, PluginStatus

__all__ = ["Fault", "Listed", "Owner", "PluginSource", "PluginStatus", "Plugins"]
