"""Figures of merit as counts that add up: they need numpy alone.

A sample gives a short vector of counts, and a figure is a function of the sum of all vectors. So
counts may be added in any order and grouping, and resampled for a bootstrap interval.
"""
