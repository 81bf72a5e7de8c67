"""Results: rankings, statistics and notes, read from the database."""
