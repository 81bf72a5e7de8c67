"""``python -m search`` in any folder."""

import sys

# Worker processes import this module under another name: they must not run commands.
if __name__ == "__main__":
    try:
        from coarsefine.search.__main__ import main
    except ModuleNotFoundError as error:
        if error.name != "coarsefine.search":
            raise
        # A file or folder called coarsefine in the current folder is imported instead.
        import coarsefine

        place = coarsefine.__file__ or next(iter(coarsefine.__path__))
        print(f"{place} hides the program of the same name; rename it", file=sys.stderr)
        raise SystemExit(1) from None
    raise SystemExit(main())
