"""Labs: recipes of several parts, the queue and the service."""
