"""Recipes: what a study trains, from files and options to specs."""
