"""What a run leaves: what each case gave, the database that keeps it, and the machine."""
