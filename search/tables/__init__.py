"""Tables: which columns they have, and what stands in their cells."""
