"""``python -m search``."""

if __name__ == "__main__":
    # Worker processes import this module under another name: they must not run commands.
    try:
        from search.cli import run

        status = run()
    except KeyboardInterrupt:
        # Pressed before there was anything to stop.
        status = 130
    raise SystemExit(status)
