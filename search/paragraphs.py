"""Help texts, written in docstrings and shown at any width."""

import inspect


def paragraphs(text: str) -> str:
    r"""Return a text whose paragraphs are a line each; those with indented lines stay as they are.

    >>> paragraphs("One\ntwo.\n\nExamples:\n    code\n    more")
    'One two.\n\nExamples:\n    code\n    more'
    """
    blocks = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(block if "\n " in block else " ".join(block.split("\n")) for block in blocks)
