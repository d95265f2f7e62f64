"""What a run leaves: outcomes, the database that keeps them, the machine they were made on."""
