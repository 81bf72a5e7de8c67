"""A whole lab as one report: its parts in order, its own figures beside ours, and every setting."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.hints import Spelling, command
from coarsefine.studies.labs.beside import beside, heading, tested_at
from coarsefine.studies.labs.files import Lab, Part, lab_figures
from coarsefine.studies.recipes.cost import cost_of, strengths
from coarsefine.studies.recipes.parts import flat
from coarsefine.studies.recipes.recipe import differences
from coarsefine.studies.reports.findings import (
    curve_table,
    final_tests,
    ranked,
    search_stages,
)
from coarsefine.studies.reports.lab_checks import Checked, check_blocks, outcome
from coarsefine.studies.reports.parts import (
    Block,
    Code,
    Column,
    Facts,
    Heading,
    Items,
    Kind,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
)
from coarsefine.studies.reports.reproduction import LAB_FILE, lab_command
from coarsefine.studies.reports.setup import (
    keys_searched,
    word,
)
from coarsefine.studies.reports.source import (
    Source,
    duration,
    made_with,
    moment,
    read_source,
    steps_of,
)
from coarsefine.studies.results.comparing.grids import compared
from coarsefine.studies.results.notes.curves import of_trial
from coarsefine.studies.results.reading import first_curve, read_ranking

# More settings than these are shown by the best of them; ranges always are.
_MOST_SETTINGS = 12
# What the arithmetic of a recipe's length does not hold for where trials differ in it.
_LENGTHS = {f"training.{key}" for key in ("epochs", "cycles", "updates", "ns", "batch_size")}


def read_lab_report(
    database: Database,
    lab: Lab,
    text: str,
    checks: Mapping[str, Checked],
    spelling: Spelling = str,
    figures: Sequence[str] = (),
) -> Report:
    """Return the report of a lab.

    Args:
        database: Where its studies are; those that are not there are named.
        lab: Which.
        text: The lab file, where no preset has it.
        checks: What came of the parts that are no searches, by name.
        spelling: Words hints, such as the command to type.
        figures: Kinds of figures that have a place beside a ranking.
    """
    sources = {
        part.name: read_source(database, read_ranking(database, study), spelling, figures)
        for part in lab.parts
        if part.does == "search"
        and (study := repository.find_study(database, lab.study_name(part))) is not None
    }
    taken = {"lab", "again"}
    sections = [Section("lab", "The lab", tuple(_overview(lab, sources, checks)))]
    for part in lab.parts:
        name = _section_name(part, taken)
        blocks = _part(lab, part, sources.get(part.name), checks.get(part.name), spelling)
        title = part.title or part.name or "Search"
        # A small letter of mathematics is another thing than a capital one.
        title = title[0].upper() + title[1:] if title[0].isascii() else title
        sections.append(Section(name, title, tuple(_placed(blocks, name))))
    sections.append(Section("again", "How to make it again", tuple(_again(lab, text, sources))))
    n_searches = sum(part.does == "search" for part in lab.parts)
    trials = [source.ranking.trials for source in sources.values()]
    return Report(
        study=f"{lab.name}-quick" if lab.is_quick else lab.name,
        title=lab.table.title or f"The lab {lab.name}",
        finished=len(sources) == n_searches
        and all(trials)
        and not any(source.n_left for source in sources.values()),
        n_openings=sum(len(source.openings) for source in sources.values()),
        sections=tuple(sections),
        typed=("the lab's own figures and explanations",),
    )


def _section_name(part: Part, taken: set[str]) -> str:
    """Return a name for a part that any format can refer to, given once."""
    plain = re.sub(r"[^a-z0-9]+", "-", part.name.lower()).strip("-") or "search"
    name = plain
    while name in taken:
        name += "-part"
    taken.add(name)
    return name


def _placed(blocks: Iterable[Block], place: str) -> Iterator[Block]:
    """Yield blocks whose pictures have a place in the section."""
    for block in blocks:
        if isinstance(block, Picture):
            within = "-".join(filter(None, (place, block.place)))
            yield replace(block, place=within)
        else:
            yield block


# --------------------------------------------------------------------------------- the whole lab


def _overview(
    lab: Lab, sources: Mapping[str, Source], checks: Mapping[str, Checked]
) -> Iterator[Block]:
    table = lab.table
    if lab.is_quick:
        yield Paragraph(
            "This is a quick look, with less data and shorter trainings: its figures are not "
            "those of the whole lab.",
            "warning",
        )
    missing = [p.name for p in lab.parts if p.does == "search" and p.name not in sources]
    if missing:
        yield Paragraph(f"These parts were not run yet: {', '.join(missing)}.", "warning")
    for text in (table.asks, *table.notes.strip().split("\n\n")):
        if text:
            yield Paragraph(" ".join(text.split()))
    stated = {name: flat(getattr(table, name)) for name in ("data", "network", "training", "final")}
    facts = [("source", table.source)] if table.source else []
    facts += [
        (name, ", ".join(f"{key.replace('_', ' ')} {word(v)}" for key, v in keys.items()))
        for name, keys in stated.items()
        if keys
    ]
    if facts:
        yield Facts(tuple(facts))
    yield Table(
        "Parts of the lab; accuracies in percent",
        (
            Column("part"),
            Column("asks"),
            Column("trials", "whole"),
            Column("best"),
            Column("validation accuracy", "measured"),
            Column("test accuracy", "percent"),
        ),
        tuple(
            (
                part.name or "search",
                part.title or "–",
                *_row(sources.get(part.name), checks.get(part.name)),
            )
            for part in lab.parts
        ),
    )


def _row(source: Source | None, check: Checked | None) -> tuple[object, ...]:
    """Return how many trials a part has, which is the best, and what it reached."""
    if source is None:
        return None, outcome(check), None, None
    ranking, best = source.ranking, source.ranking.best
    n = len(ranking.trials)
    if best is None:
        return n, "none is complete", None, None
    error = ranking.error(best) if ranking.by == "accuracy" else best.standard_error
    reached = None if best.validation_accuracy is None else (best.validation_accuracy, error)
    at = ranking.point(best.params)
    tested = [o for o in source.openings if o.runs]
    first = next((r for r in tested[0].runs if r.params == best.params), None) if tested else None
    return n, at, reached, None if first is None else first.test_accuracy


def _again(lab: Lab, text: str, sources: Mapping[str, Source]) -> Iterator[Block]:
    first = next(iter(sources.values()), None)
    if first is not None:
        runs = [run for source in sources.values() for run in source.runs]
        own = [run for run in runs if run.reused_from is None]
        study = first.study
        updated = max(source.study.updated_at for source in sources.values())
        trained = (
            f"{len(own):,} runs, {sum(run.updates for run in own):,} updates, "
            f"{duration(sum(run.seconds or 0.0 for run in own))} of training in all"
        )
        yield Facts(
            (
                ("seed", str(study.seed)),
                ("begun", moment(study.created_at)),
                ("last changed", moment(updated)),
                ("trained", trained),
                ("fingerprint of the data (SHA-256)", study.data_fingerprint),
                *made_with(study),
            )
        )
    if text:
        yield Code(LAB_FILE, text)
    yield Code("commands", lab_command(lab, text) + "\n")


# --------------------------------------------------------------------------------------- a part


def _part(
    lab: Lab, part: Part, source: Source | None, check: Checked | None, spelling: Spelling
) -> Iterator[Block]:
    if source is not None:
        yield from _searched(lab, part, source)
    elif part.does == "search":
        again = command("run", lab.named, **({"quick": True} if lab.is_quick else {}))
        yield Paragraph(f"This part was not run yet: {spelling(again)}", "warning")
    else:
        yield from check_blocks(part, check, spelling)
    if part.explains:
        yield Heading("Beside the lab's own figures")
        if lab.is_quick:
            yield Paragraph("What follows is of the whole lab, not of this quick look.", "note")
        yield Paragraph(" ".join(part.explains.split()))


def _searched(lab: Lab, part: Part, source: Source) -> Iterator[Block]:
    ranking = source.ranking
    changed = differences(source.recipe, lab.recipe(part))
    if changed:
        said = "; ".join(f"{d.key} {word(d.first)}, now {word(d.second)}" for d in changed)
        yield Paragraph(
            f"This study was begun with another recipe than the lab's: {said}.", "warning"
        )
    yield Facts(tuple(_facts(part, source)))
    if ranking.refines:
        yield from search_stages(source)
    yield from _of_study(ranked(source), source)
    yield from _settings(part, source)
    if source.openings or lab.search(part).test:
        yield Heading("Final test")
        yield from _of_study(final_tests(source), source)
    if ranking.notes:
        yield Items(tuple(note.spelled(source.spelling) for note in ranking.notes))
    figures = lab_figures(part)
    if figures:
        rows = compared(source.database, ranking)
        names, both = beside(figures, rows, tested_at(source.openings))
        columns = [Column("")]
        for name in names:
            kind: Kind = "percent" if "accuracy" in name else "value"
            columns += [
                Column(f"{heading(name)}, lab", kind),
                Column(f"{heading(name)}, here", kind),
            ]
        yield Table(
            "The lab's figures, and ours of a quick look, which are not to be compared"
            if lab.is_quick
            else "The lab's figures and ours",
            tuple(columns),
            tuple(
                (row.at, *(each for n in names for each in (row.lab.get(n), row.here[n])))
                for row in both
            ),
        )


def _of_study(blocks: Iterable[Block], source: Source) -> Iterator[Block]:
    for block in blocks:
        yield replace(block, study=source.study.name) if isinstance(block, Picture) else block


def _facts(part: Part, source: Source) -> Iterator[tuple[str, str]]:
    yield "study", source.study.name
    stated = flat(part.recipe)
    if stated:
        said = (
            f"{key.rpartition('.')[2].replace('_', ' ')} {word(v)}" for key, v in stated.items()
        )
        yield "in place of the lab's recipe", ", ".join(said)
    data, recipe = source.study.data, source.recipe
    sizes = [f"{data.get(f'n_{split}', 0):,} {split}" for split in ("train", "validation", "test")]
    yield "samples", ", ".join(sizes).replace("train,", "training,")
    dimensions = source.ranking.stages[0].dimensions if source.ranking.stages else ()
    if recipe.trainer is None:
        searched = strengths(recipe.training.l2_strength, dimensions)
        yield (
            "minimised",
            cost_of(recipe, searched).partition(" = ")[2],
        )
    lines, warnings = steps_of(recipe, source.study)
    if lines and not _LENGTHS & keys_searched(dimensions):
        yield "length", "; ".join([*lines, *warnings])


def _settings(part: Part, source: Source) -> Iterator[Block]:
    """Yield curves and weights: of every setting of a table, of the best of a range."""
    ranking, study = source.ranking, source.study.name
    weights = "weights" in part.figures or not source.recipe.network.hidden
    kinds = ("curves", "weights") if weights else ("curves",)
    others = [kind for kind in part.figures if kind not in {*kinds, *source.figures}]
    trials = [row.trial for row in compared(source.database, ranking)]
    if ranking.refines or len(trials) > _MOST_SETTINGS:
        yield Heading("Training of the best")
        yield Picture("curves", study=study)
        if weights and ranking.best is not None:
            yield Picture("weights", study=study)
    else:
        for number, trial in enumerate(trials, start=1):
            at = ranking.point(trial.params)
            yield Heading(f"Training of {at}")
            curve = first_curve(source.database, ranking, trial)
            if part.curves and curve:
                yield curve_table(source, at, curve)
            shown = of_trial(source.database, ranking, trial)
            if shown:
                yield Items(tuple(note.spelled(source.spelling) for note in shown))
            where = trial.stage, trial.trial
            yield from (Picture(kind, str(number), study, where, at) for kind in kinds)
    yield from (Picture(kind, study=study) for kind in others)
