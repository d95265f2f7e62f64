"""From a suite, or the options of a command, to cases, and to skipped ones each with its reason."""

from edgebench.plan.plan import Plan, Request, Skipped, make_plan

__all__ = ["Plan", "Request", "Skipped", "make_plan"]
