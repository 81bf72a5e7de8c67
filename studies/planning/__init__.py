"""Planning: from a request to the runs that answer it."""
