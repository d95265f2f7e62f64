"""One execution of a suite: prepare, score, measure in interleaved blocks, keep everything."""

from edgebench.run.conduct import Conductor, Settings
from edgebench.run.stamp import environment, stamp

__all__ = ["Conductor", "Settings", "environment", "stamp"]
