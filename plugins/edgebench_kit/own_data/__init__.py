"""Data as people have it: found, understood, split and read, with numpy and Pillow at most."""
