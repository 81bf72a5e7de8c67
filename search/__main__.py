"""``python -m search``."""

from search.cli import run

if __name__ == "__main__":
    # Worker processes import this module under another name: they must not run commands.
    raise SystemExit(run())
