"""Commands of the command line, put together once a process.

A process of a user carries out one command. Tests carry out thousands, and to put the options of a
search together is a sixth of what a small search takes.
"""

from functools import cache

from coarsefine.search import cli
from coarsefine.search.overview import COMMANDS
from coarsefine.studies.spaces.searches.registry import SEARCHES

_build, _get_command = cli.build, cli.get_command
# By name: what describes the command in the registries (tests change them), and both its forms.
_kept = {}


@cache
def all_commands():
    """Return the commands of the command line by their names."""
    return _get_command(_build()).commands


def _built(argv=None, *, completing=False):
    name = argv[0] if argv and not completing else None
    described = SEARCHES.get(name) or COMMANDS.get(name)
    if described is None:
        return _build(argv, completing=completing)
    if name not in _kept or _kept[name][0] is not described:
        app = _build(argv)
        _kept[name] = described, app, _get_command(app)
    return _kept[name][1]


def _command(app):
    for _, kept, command in _kept.values():
        if kept is app:
            return command
    return _get_command(app)


def keep():
    """Have commands put together once from now on."""
    cli.build, cli.get_command = _built, _command
