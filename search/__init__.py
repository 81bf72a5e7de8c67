"""The face: the command line, its progress, tables and exports."""
