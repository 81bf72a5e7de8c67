"""The final test: what is tested, trained once more, and measured."""
