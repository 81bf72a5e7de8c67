"""A report as a file: HTML, Markdown, LaTeX or PDF of the same contents."""

from coarsefine.search.report.files import FORMATS, Rendered, format_of, rendered

__all__ = ["FORMATS", "Rendered", "format_of", "rendered"]
