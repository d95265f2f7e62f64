"""TOML files read strictly: what is wrong with one is told with its line, table and key."""
