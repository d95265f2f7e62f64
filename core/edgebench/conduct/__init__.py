"""A plan into a database: prepare, score and measure, case by case."""
