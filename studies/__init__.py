"""The glue: recipes, spaces and refinement, cohort planning, the run loop and ranking."""
