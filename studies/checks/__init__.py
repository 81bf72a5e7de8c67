"""Checks: of a recipe before it is trained, of gradients, and against other frameworks."""
