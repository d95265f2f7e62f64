"""Servers of models, asked over a network."""
