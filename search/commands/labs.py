"""``run``: a whole lab from one file, part by part."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from coarsefine.db.connections.engine import open_database
from coarsefine.hints import Hint
from coarsefine.search.commands.asking import ask_before
from coarsefine.search.commands.crosschecking import draw_crosscheck, print_crosscheck
from coarsefine.search.commands.lab_forecasting import foreseen_lab
from coarsefine.search.commands.networks import print_gradcheck
from coarsefine.search.commands.ranking import print_comparison, print_ranking
from coarsefine.search.commands.testing import print_test
from coarsefine.search.console import note, print_table, say, say_json, stdout, tell
from coarsefine.search.ending import came_of
from coarsefine.search.errors import DONE, FAILED, FigureError, UsageError
from coarsefine.search.figures.kinds import KINDS
from coarsefine.search.figures.rendering import rendered
from coarsefine.search.figures.subject import Subject
from coarsefine.search.files import write
from coarsefine.search.hints import spelled
from coarsefine.search.hints import typed as by_hint
from coarsefine.search.interrupts import stoppable
from coarsefine.search.options import (
    SEARCH,
    DataDir,
    JobsOptions,
    OutputOptions,
    StorageOptions,
    option,
)
from coarsefine.search.options.budget import budget_of
from coarsefine.search.options.labs import Fresh, LabName, Parts, Quick, Within
from coarsefine.search.options.searching import DRY_RUN, YES
from coarsefine.search.progress import watching
from coarsefine.search.tables.curves import curve_table
from coarsefine.search.tables.final_test import final_test_json
from coarsefine.search.tables.lab import lab_table
from coarsefine.search.tables.networks import layers_table
from coarsefine.studies.checks.reference_lines import ReferenceLines
from coarsefine.studies.errors import did_you_mean
from coarsefine.studies.labs.beside import beside, tested_at
from coarsefine.studies.labs.budgets import shared
from coarsefine.studies.labs.carrying_out import (
    Answer,
    Compared,
    Counted,
    Gradients,
    Searched,
    Skipped,
    carried_out,
)
from coarsefine.studies.labs.files import Lab, Part, lab_figures, read_lab
from coarsefine.studies.results.comparing.grids import compared
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import first_curve
from coarsefine.studies.running.mirror import thinned
from coarsefine.studies.running.resources import Resources


@dataclass(frozen=True, slots=True)
class LabOptions:
    """Which lab, and how much of it."""

    lab: Annotated[
        str,
        typer.Argument(
            metavar="FILE|PRESET",
            help="A lab file (docs/recipes.md), or a preset as `presets` lists them.",
            show_default=False,
        ),
    ]
    quick: Quick = False
    part: Parts = None
    within: Within = None
    dry_run: DRY_RUN = False
    fresh: Fresh = False
    yes: YES = False
    study: LabName = None
    figures: Annotated[
        Path | None,
        option(
            SEARCH,
            "--figures",
            metavar="FOLDER",
            help="Draw the figures of each part into this folder (default: none).",
        ),
    ] = None
    data_dir: DataDir = None


def run(lab: LabOptions, storage: StorageOptions, jobs: JobsOptions, output: OutputOptions) -> int:
    """Run a whole lab: every search, check and final test of a file, with the lab's own figures.

    Stopped, the same command carries on; what was trained before is not trained again, and a test
    set that was opened stays opened once.

    Examples:
        python -m search run cifar-two-layer --quick
        python -m search run fashion-batch-size --figures figures
        python -m search run my-lab.toml --part eta
    """
    budget = budget_of(lab.within)
    found = read_lab(lab.lab, quick=lab.quick, name=lab.study)
    parts = _chosen(found, lab.part)
    jobs.check()
    ask_before(max(map(found.n_points, parts), default=0), yes=lab.yes)
    if lab.dry_run:
        foreseen_lab(found, parts, lab.data_dir, (storage, jobs, output), budget)
        return DONE
    if not output.json:
        _print_head(found)
    status, answers = DONE, []
    with (
        watching(quiet=output.quiet) as watch,
        stoppable(watch),
        jobs.opened(watch.said) as workers,
        open_database(storage.url, create=True) as database,
    ):
        workers |= {"data_dir": lab.data_dir, "budget": budget}
        resources = Resources(database, observer=watch, progress=watch, **workers)
        for part, own in shared(resources, found, parts):
            if not output.json:
                _print_title(part, quick=lab.quick)
            answer = carried_out(own, found, part, fresh=lab.fresh)
            if not output.json:
                _print_answer(resources, part, answer, quick=lab.quick)
            if lab.figures is not None:
                _draw(resources, part, answer, lab.figures / (part.name or found.name), output)
            said = _to_json(answer)
            answers.append({"part": part.name, "does": part.does, **said})
            came_of(lab=found.name, parts=[each["part"] for each in answers])
            if said.get("passed") is False:
                status = FAILED
    if output.json:
        say_json({"lab": found.name, "quick": lab.quick, "parts": answers})
    elif not lab.part:
        stated: list[tuple[str, object]] = [("quick", True)] if lab.quick else []
        stated += [("study", lab.study)] if lab.study else []
        say("")
        say(f"next: {by_hint(Hint('report', tuple(stated), lab.lab))}")
    return status


def _to_json(answer: Answer) -> dict[str, Any]:
    """Return what ``--json`` says of a part."""
    if not isinstance(answer, Searched):
        return answer.to_json()
    test = None if answer.final is None else final_test_json(answer.final)
    return {**answer.to_json(), "ranking": answer.ranking.to_json(by_hint), "test": test}


def _chosen(lab: Lab, names: list[str] | None) -> list[Part]:
    known = {part.name: part for part in lab.parts}
    for name in names or ():
        if name not in known:
            raise UsageError(
                f"--part must be one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}"
            )
    return [part for name, part in known.items() if not names or name in names]


def _print_head(lab: Lab) -> None:
    table = lab.table
    for line in (table.title, table.source and f"source: {table.source}", table.asks):
        if line:
            tell(line)
    for paragraph in filter(None, table.notes.strip().split("\n\n")):
        say("")
        tell(" ".join(paragraph.split()))
    if lab.is_quick:
        say("")
        tell("a quick look: the figures are not those of the whole lab")


def _print_title(part: Part, *, quick: bool) -> None:
    title = f"{part.name}: {part.title}" if part.title else part.name
    if title and quick:
        title = f"{title} (a quick look)"
    if title:
        say("")
        say(title)
        say("─" * min(len(title), 78))


def _print_answer(resources: Resources, part: Part, answer: Answer, *, quick: bool) -> None:
    """Print what came of a part, and why its figures differ from the lab's."""
    match answer:
        case Searched():
            _print_search(resources, part, answer, quick=quick)
        case Counted():
            _print_counted(answer)
        case Gradients():
            print_gradcheck(answer.checks, answer.on, every=False)
        case Compared():
            print_crosscheck(answer.found)
        case Skipped():
            tell(f"skipped: {answer.reason}")
            return
        case _:
            _print_optimum(answer)
    if part.explains:
        say("")
        whole = "of the whole lab, not of this quick look: " if quick else ""
        tell(whole + " ".join(part.explains.split()))


def _print_search(resources: Resources, part: Part, answer: Searched, *, quick: bool) -> None:
    console, ranking, final = stdout(), answer.ranking, answer.final
    rows = compared(resources.database, ranking)
    refined = any(stage.low is not None and stage.parent for stage in ranking.stages)
    if refined or (ranking.stages and ranking.stages[0].low is not None and len(rows) > 12):
        print_ranking(console, ranking, None)
    else:
        print_comparison(console, ranking, rows, None)
    if part.curves:
        _print_curves(resources, ranking)
    if final is not None:
        say("")
        print_test(final)
    figures = lab_figures(part)
    if figures:
        say("")
        title = "the lab's figures and ours"
        if quick:
            title = "the lab's figures, and ours of a quick look, which are not to be compared"
        tested = {} if final is None else tested_at([final.opening])
        print_table(console, lab_table(console, title, *beside(figures, rows, tested)))


def _print_curves(resources: Resources, ranking: Ranking) -> None:
    """Print a thinned curve of each of the best trials."""
    console = stdout()
    for trial in ranking.trials[:4]:
        curve = {row.epoch: row for row in first_curve(resources.database, ranking, trial)}
        shown = [curve[epoch] for epoch in thinned(list(curve), 10)]
        say("")
        title = f"curve of {ranking.point(trial.params)}"
        print_table(console, curve_table(console, ranking.study, title, shown))


def _print_counted(answer: Counted) -> None:
    console = stdout()
    for spec, layers in answer.networks:
        print_table(console, layers_table(console, "-".join(map(str, spec.widths)), layers))
        say("")


def _print_optimum(found: ReferenceLines) -> None:
    """Print the exact least-squares optimum, and how large η may be."""
    for line in found.lines():
        tell(line)


def _draw(
    resources: Resources, part: Part, answer: Answer, folder: Path, output: OutputOptions
) -> None:
    """Draw the figures of a part into a folder."""
    if isinstance(answer, Compared):
        folder.mkdir(parents=True, exist_ok=True)
        draw_crosscheck(answer.found, folder / "overlay.png", answer.data)
    elif isinstance(answer, Searched):
        _draw_search(resources, part, answer.ranking, folder, output)


def _draw_search(
    resources: Resources, part: Part, ranking: Ranking, folder: Path, output: OutputOptions
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subject = Subject(resources.database, ranking, n_best=4)
    for kind in part.figures or KINDS:
        try:
            contents = rendered(KINDS[kind].draw(subject), "png")
        except FigureError as error:
            if part.figures:
                note(f"left out: {spelled(error)}", quiet=output.quiet)
            continue
        write(folder / f"{kind}.png", contents)
        note(f"{folder / kind}.png", quiet=output.quiet)
