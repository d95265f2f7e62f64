"""What any plugin of torch modules needs: programs, weight files, losses."""
