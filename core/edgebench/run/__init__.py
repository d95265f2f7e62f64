"""One execution of a suite: prepare, score, measure in interleaved blocks, keep everything."""

from edgebench.run.conduct import Conductor, Settings

__all__ = ["Conductor", "Settings"]
