"""The parts of a lab that are no searches, carried out for its report, or why they are not."""

from collections.abc import Iterator

from coarsefine.hints import Message, Spelling
from coarsefine.models.errors import ModelError
from coarsefine.studies.checks.crosscheck_result import CrossCheck
from coarsefine.studies.checks.reference_lines import ReferenceLines
from coarsefine.studies.errors import StudyError
from coarsefine.studies.labs.carrying_out import (
    Answer,
    Compared,
    Counted,
    Gradients,
    Skipped,
    carried_out,
)
from coarsefine.studies.labs.files import Lab, Part
from coarsefine.studies.reports.gradients import not_here
from coarsefine.studies.reports.parts import Block, Column, Items, Paragraph, Picture, Table
from coarsefine.studies.reports.setup import (
    CheckedNetwork,
    GradientCheck,
    gradient_check,
    parameters_table,
)
from coarsefine.studies.reports.tables import spread
from coarsefine.studies.running.resources import Resources

Checked = Answer | Message
"""What came of a part that is no search, or why nothing did."""
# The figure of a cross-check, which is of no study.
OVERLAY = "overlay"
_EPOCHS_SHOWN = 8


def checked_parts(resources: Resources, lab: Lab) -> dict[str, Checked]:
    """Return what came of the parts of a lab that are no searches, by name.

    Data that are not on this machine are not downloaded: nobody who asks for a report expects it.
    """
    return {
        part.name: _checked(resources, lab, part) for part in lab.parts if part.does != "search"
    }


def unchecked_parts(lab: Lab, reason: str) -> dict[str, Checked]:
    """Return why the parts of a lab that are no searches were not carried out."""
    return {part.name: Message(reason) for part in lab.parts if part.does != "search"}


def _checked(resources: Resources, lab: Lab, part: Part) -> Checked:
    missing = not_here(lab.recipe(part).data.name, resources.data_dir)
    if missing is not None:
        return Message(missing)
    try:
        return carried_out(resources, lab, part)
    except (ModelError, StudyError) as error:
        return error.message


def outcome(check: Checked | None) -> str:
    """Return what came of a part in a few words."""
    match check:
        case Gradients():
            passed = all(each.passed for each in check.checks)
            return f"relative errors up to {max(c.worst for c in check.checks):.1e}" + (
                "" if passed else ": failed"
            )
        case Compared():
            return "agrees" if check.found.agrees else "differs"
        case Counted():
            n = len(check.networks)
            return f"{n} network{'' if n == 1 else 's'}"
        case ReferenceLines():
            return f"optimum: {100 * check.validation_accuracy:.2f} % on validation"
        case _:
            return "not run"


def check_blocks(part: Part, check: Checked | None, spelling: Spelling) -> Iterator[Block]:
    """Yield what came of a part that is no search."""
    match check:
        case Gradients():
            networks = [CheckedNetwork(c.label, c.l2_strength, c.parameters) for c in check.checks]
            yield from gradient_check(GradientCheck(check.on, networks))
        case Counted():
            for spec, layers in check.networks:
                widths = "-".join(map(str, spec.widths))
                yield parameters_table(f"Parameters of {widths}", layers)
        case Compared():
            yield from _cross_checked(part, check.found)
        case ReferenceLines():
            yield Items(check.lines())
        case Skipped():
            yield Paragraph(f"Not run: {check.reason}", "warning")
        case Message():
            yield Paragraph(f"Not run: {check.spelled(spelling)}", "warning")
        case _:
            yield Paragraph("Not run.", "warning")


def _cross_checked(part: Part, found: CrossCheck) -> Iterator[Block]:
    yield Paragraph(f"{found.network}, {found.precision}, beside {found.version}.")
    yield Table(
        "Both sides at the ends of epochs: the largest difference of a parameter, and what "
        "rounding allows; accuracies in percent",
        (
            Column("epoch", "whole"),
            Column("updates", "whole"),
            Column("difference", "error"),
            Column("allowed", "error"),
            Column("training loss, here", "loss"),
            Column("training loss, there", "loss"),
            Column("validation accuracy, here", "percent"),
            Column("validation accuracy, there", "percent"),
        ),
        tuple(
            (
                epoch.epoch,
                epoch.weights.update,
                epoch.weights.difference,
                epoch.weights.allowed,
                epoch.ours.train_loss,
                epoch.theirs.train_loss,
                epoch.ours.validation_accuracy,
                epoch.theirs.validation_accuracy,
            )
            for epoch in spread(found.epochs, _EPOCHS_SHOWN)
        ),
    )
    if found.notes:
        yield Items(tuple(found.notes))
    yield Paragraph(f"{found.verdict[:1].upper()}{found.verdict[1:]}.")
    yield Picture(OVERLAY, study=part.name, of=f"both sides, {found.version} over ours")
