"""A strategy as files that run without this package: programs, stages, tensors, figures."""
