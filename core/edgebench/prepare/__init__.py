"""Preparing a case: load or train its model, apply its chain, convert to what its backends read.

`recipe` says what the steps are and gives each its key, without importing a framework; `make` does
them, in a process of its own (`worker`), which `preparer` starts and watches.
"""
