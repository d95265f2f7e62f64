"""From a suite or the options of a command to cases, and to skipped ones with their reasons."""
