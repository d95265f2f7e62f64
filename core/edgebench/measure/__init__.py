"""Measuring: a driver and hosts in fresh processes, the wire between them, and what they found."""
