"""Opening and compiling a stage with a backend, the same for preparing and for measuring."""
