"""The command line put together: commands, errors as one line, exit statuses."""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from coarsefine.search.console import (
    few_files,
    note,
    prepare_streams,
    reader_gone,
    say,
    without_secrets,
)
from coarsefine.search.errors import (
    DONE,
    FAILED,
    USAGE,
    Stopped,
    exit_status,
    program,
)
from coarsefine.search.hints import following, spelled
from coarsefine.search.interrupts import terminable
from coarsefine.search.options.completion import check_completion, completed_line
from coarsefine.search.options.parameters import Command, flattened
from coarsefine.search.overview import CHECKS, COMMANDS, SEARCHING
from coarsefine.search.paragraphs import paragraphs
from coarsefine.studies.spaces.search import SearchKind
from coarsefine.studies.spaces.searches.registry import SEARCHES

# Typer has this class of its own or from click, and exports only its child.
_TyperUsageError: Any = typer.BadParameter.__base__

_DATA: Final = "List, download and verify data sets."
_DATA_COMMANDS: Final = {"list": "list_data", "get": "get_data", "verify": "verify_data"}


def build(argv: Sequence[str] | None = None, *, completing: bool = False) -> typer.Typer:
    """Return the application.

    Args:
        argv: The command line: where it begins with a command, that one alone is put together, and
            else commands are listed with their summaries. ``None`` puts all of them together.
        completing: Whether a shell completes this line: all commands that begin as its first word
            are put together, if that is one.
    """
    known = {*SEARCHES, *COMMANDS, "data"}
    wanted = known if argv is None else known & set(argv[:1])
    if completing:
        wanted = {name for name in known if name.startswith(tuple(wanted))}
    listed = not wanted
    app = typer.Typer(
        no_args_is_help=True,
        # Its options stand before any command, and a shell asks without one.
        add_completion=completing or listed or argv is None,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=paragraphs(HELP))(_root)
    for name, kind in SEARCHES.items():
        if listed:
            _list(app, name, SEARCHING, kind.summary)
        elif name in wanted:
            _add_search(app, kind)
    for name, entry in COMMANDS.items():
        if listed:
            _list(app, name, entry.panel, entry.summary)
        elif name in wanted:
            found = _function(entry.module, entry.function)
            _add(app, name, flattened(found, announced=entry.announced), entry.panel)
    if listed:
        _list(app, "data", CHECKS, _DATA)
    elif "data" in wanted:
        data = typer.Typer(
            help=_DATA,
            no_args_is_help=True,
            rich_markup_mode="rich",
        )
        for name, function in _DATA_COMMANDS.items():
            _add(data, name, flattened(_function("datasets", function)))
        app.add_typer(data, name="data", rich_help_panel=CHECKS)
    return app


def _list(app: typer.Typer, name: str, panel: str, summary: str) -> None:
    """Add a command that is listed and not run."""
    app.command(name, help=summary, rich_help_panel=panel)(lambda: None)


def _function(module: str, name: str) -> Command:
    found: Command = getattr(importlib.import_module(f"coarsefine.search.commands.{module}"), name)
    return found


def _add_search(app: typer.Typer, kind: SearchKind) -> None:
    # As the modules of all commands: not for help, nor for a mistyped command.
    from coarsefine.search.commands import searches

    # What a search varies is no option of its command, but deserves a better answer than that.
    hidden = {{"lambda": "lambda_"}.get(p.name, p.name) for p in kind.parameters}
    command = flattened(searches.search_command(kind), hidden=hidden, announced=True)
    _add(app, kind.name, command, SEARCHING, searches.help_text(kind))


def _show_version(wanted: bool) -> None:
    if wanted:
        # It looks for installed packages: whoever asks for no version does without.
        from coarsefine.studies.environment import versions

        say(f"coarsefine {versions()['coarsefine']}")
        raise typer.Exit


def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Take the options that belong to no command."""


def _add(
    app: typer.Typer,
    name: str,
    command: Command,
    panel: str | None = None,
    help_text: str | None = None,
) -> None:
    text = paragraphs(help_text or command.__doc__ or "")
    app.command(name, help=text, rich_help_panel=panel)(command)


HELP = """Search hyperparameters of small NumPy networks, coarse to fine, with figures to defend.

Studies are kept in one SQLite file, search.db in this folder, or where --storage says.

Three commands, from nothing to the final test:
    python -m search lambda --coarse
    python -m search lambda --fine
    python -m search test

Exit status: 0 done, 1 failed as it may, 2 wrong usage, 130 interrupted.
"""


def run() -> int:
    """Carry out what the command line says, and return the exit status."""
    return main(sys.argv[1:])


def main(argv: Sequence[str]) -> int:
    """Carry out a command line, and return its exit status.

    Errors that are to be expected are one line on stderr; bugs keep their traceback.
    """
    prepare_streams()
    if (lack := few_files()) is not None:
        note(f"error: {lack}")
        return FAILED
    with following(argv):
        return _carried_out(argv)


def _carried_out(argv: Sequence[str]) -> int:  # noqa: PLR0911  # a way out for each kind of end
    try:
        check_completion(argv)
        line = completed_line()
        asked = argv if line is None else line
        with terminable():  # modules are loaded, which takes most of a short command
            command = get_command(build(asked, completing=line is not None))
        status = command(args=list(argv), prog_name=program(), standalone_mode=False)
        sys.stdout.flush()
    except Stopped as stopped:
        note(f"stopped{'; run the same command to carry on' if stopped.resumable else ''}")
        return stopped.status
    except _TyperUsageError as error:
        return _usage(error)
    except BrokenPipeError:
        reader_gone()
        return FAILED
    except SystemExit as error:  # Typer's, when the reader of a pipe is gone
        return error.code if isinstance(error.code, int) else FAILED
    except OSError as error:
        # A full disk, a device that is gone: nothing a traceback would help with.
        note(f"error: {error.filename or 'output'}: {error.strerror or error}")
        return FAILED
    except Exception as error:
        expected = exit_status(error)
        if expected is None:
            raise
        # It knows rankings: help and a mistyped command do without.
        from coarsefine.search.following import way_out

        note(f"error: {without_secrets(spelled(error))}{way_out(error, argv)}")
        return expected
    return status if isinstance(status, int) else DONE


def _usage(error: Any) -> int:
    """Print what is wrong with a command line as such."""
    parameter = getattr(error, "param", None)
    meant = getattr(error, "possibilities", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())  # noqa: T201
        return USAGE
    if type(error).__name__ == "BadParameter" and parameter is not None:
        line = f"{parameter.opts[0]} {error.message}"
    elif meant is not None:
        other = _by_other_names(error)
        meant = meant if other is None else other
        close = f"; did you mean {meant[0]}?" if meant else ""
        line = f"{error.message}{close}"
    else:
        line = error.format_message()
    note(f"error: {line}")
    context = getattr(error, "ctx", None)
    if context is not None:
        note(f"help: {context.command_path} --help")
    return USAGE


def _by_other_names(error: Any) -> list[str] | None:
    """Return the option, if there is one, that sets what other programs call so, as ``--lr``.

    ``None`` if no other program does.
    """
    # It knows recipes: only a mistyped option needs it.
    from coarsefine.studies.recipes.messages import OTHER_WORDS

    word = error.option_name.lstrip("-").replace("-", "_")
    context = error.ctx
    if word not in OTHER_WORDS or context is None:
        return None
    flag = OTHER_WORDS[word].flag
    known = {name for parameter in context.command.params for name in parameter.opts}
    return [flag] if flag in known else []
