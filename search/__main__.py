"""``python -m search`` in a clone; where it is installed, ``coarsefine/launcher`` calls this."""


def main() -> int:
    """Run the command line and return its exit status."""
    try:
        from coarsefine.search.cli import run

        return run()
    except KeyboardInterrupt:
        # Pressed before there was anything to stop.
        return 130


# Worker processes import this module under another name: they must not run commands.
if __name__ == "__main__":
    raise SystemExit(main())
