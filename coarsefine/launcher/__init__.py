"""``python -m search`` where the program is installed, which is ``coarsefine.search``."""
