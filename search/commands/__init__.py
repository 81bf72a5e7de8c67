"""The commands, a file for each group; each returns its exit status, ``None`` for done."""
