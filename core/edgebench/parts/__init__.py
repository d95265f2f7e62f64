"""What a plugin author sees: the records that hooks yield, pipelines, errors, units."""
