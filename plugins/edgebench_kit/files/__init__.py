"""Files that somebody else wrote, read with care."""
