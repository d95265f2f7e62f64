"""From samples to statements: intervals, losses of accuracy, decisions, and documents."""
