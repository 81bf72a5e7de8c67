"""Reports: what a study found, as blocks that any format can show."""
