"""The commands as the overview lists them, without their modules being imported."""

from typing import Final, NamedTuple

SEARCHING, RESULTS, CHECKS = "Search", "Results", "Networks and data"
SERVICE = "Service"
TIDYING = "Housekeeping"


class Entry(NamedTuple):
    """A command as the overview lists it, without its module being imported.

    Attributes:
        panel: The part of the overview that it stands in.
        module: Its file in search/commands.
        function: Its function there.
        summary: The first paragraph of its help; a test holds the two together.
        announced: Whether its end is told to whom the user wants (``--on-end``, ``--bell``).
    """

    panel: str
    module: str
    function: str
    summary: str
    announced: bool = False


COMMANDS: Final = {
    "space": Entry(
        SEARCHING,
        "spaces",
        "space",
        "Search over any keys of the recipe at once: ranges on several scales, and choices.",
        announced=True,
    ),
    "run": Entry(
        SEARCHING,
        "labs",
        "run",
        "Run a whole lab: every search, check and final test of a file, with the lab's own"
        " figures.",
        announced=True,
    ),
    "presets": Entry(SEARCHING, "presets", "presets", "List the labs that come with the program."),
    "test": Entry(
        SEARCHING,
        "testing",
        "test",
        "Train the best trials once more and measure them on the test set.",
        announced=True,
    ),
    "save": Entry(
        RESULTS,
        "saving",
        "save",
        "Save a trained model, with all that it takes to predict: weights, encoding, labels.",
        announced=True,
    ),
    "predict": Entry(
        RESULTS,
        "predicting",
        "predict",
        "Predict the classes of samples with a saved model: a row each, in csv.",
    ),
    "rank": Entry(
        RESULTS,
        "ranking",
        "rank",
        "Rank a study's trials by their validation accuracy, or another metric.",
    ),
    "compare": Entry(
        RESULTS,
        "comparing",
        "compare",
        "Put studies side by side, and compare each two by a test.",
    ),
    "audit": Entry(
        RESULTS,
        "auditing",
        "audit",
        "Draw runs of a study at random, train them again, and compare every measure with the"
        " record.",
    ),
    "plan": Entry(
        RESULTS,
        "planning",
        "plan",
        "Say how many seeds or validation samples would tell a study's values apart.",
    ),
    "replay": Entry(
        RESULTS,
        "replaying",
        "replay",
        "Rank what is stored under sloppier protocols: what would have been concluded?",
    ),
    "diagnose": Entry(
        RESULTS,
        "diagnosing",
        "diagnose",
        "Say what the curves of a trial show, and what to do about it.",
    ),
    "list": Entry(RESULTS, "listing", "list_studies", "List the studies, the most recent first."),
    "show": Entry(RESULTS, "showing", "show", "Show all that is known of a study."),
    "export": Entry(
        RESULTS,
        "exporting",
        "export",
        "Write a study's ranking, curves, evaluations, classes, pairs or final test in a file.",
    ),
    "plot": Entry(
        RESULTS,
        "plotting",
        "plot",
        "Draw figures of a study: png, svg or pdf.",
    ),
    "report": Entry(
        RESULTS,
        "reporting",
        "report",
        "Write a report of a study or of a whole lab: html, md, tex or pdf.",
    ),
    "dashboard": Entry(
        RESULTS,
        "dashboarding",
        "dashboard",
        "Show the studies in a browser: Optuna's dashboard, with our notes and figures.",
    ),
    "check": Entry(
        RESULTS,
        "checking",
        "check",
        "Look through a database: is everything there, and as it should be?",
    ),
    "backup": Entry(
        RESULTS,
        "backing_up",
        "backup",
        "Copy all studies to a file, also while a search or a service writes.",
    ),
    "gradcheck": Entry(
        CHECKS,
        "networks",
        "gradcheck",
        "Compare the network's gradients with central differences, in float64.",
    ),
    "crosscheck": Entry(
        CHECKS,
        "crosschecking",
        "crosscheck",
        "Train the recipe here and in another framework, and compare the weights step by step.",
    ),
    "params": Entry(
        CHECKS,
        "networks",
        "params",
        "Count the network's parameters, layer by layer, with the arithmetic.",
    ),
    "serve": Entry(
        SERVICE,
        "serving",
        "serve",
        "Carry out what is submitted, entry by entry, until it is stopped; and show the dashboard.",
    ),
    "submit": Entry(SERVICE, "queueing", "submit", "Put a lab in the queue of a service."),
    "queue": Entry(
        SERVICE,
        "queueing",
        "queue",
        "List what is in the queue: what runs, what waits in which place, what has ended and how.",
    ),
    "cancel": Entry(SERVICE, "queueing", "cancel", "Take an entry out of the queue."),
    "pause": Entry(
        SERVICE, "queueing", "pause", "Have an entry of the queue wait until it is resumed."
    ),
    "resume": Entry(
        SERVICE, "queueing", "resume", "Put a paused entry back in the queue, where it was."
    ),
    "rm": Entry(
        TIDYING,
        "tidying",
        "remove",
        "Move studies to the trash.",
    ),
    "restore": Entry(
        TIDYING,
        "tidying",
        "restore",
        "Take studies out of the trash.",
    ),
    "purge": Entry(
        TIDYING,
        "tidying",
        "purge",
        "Delete what is in the trash for good.",
    ),
    "mv": Entry(
        TIDYING,
        "renaming",
        "rename",
        "Rename studies.",
    ),
    "cp": Entry(
        TIDYING,
        "renaming",
        "copy",
        "Copy studies: each copy carries on by itself.",
    ),
    "tag": Entry(
        TIDYING,
        "labelling",
        "tag",
        "Give studies tags, or take them away.",
    ),
    "note": Entry(
        TIDYING,
        "labelling",
        "annotate",
        "Write a note to studies, or print it.",
    ),
    "pack": Entry(
        TIDYING,
        "packing",
        "pack",
        "Pack studies into one file: rows, curves, checkpoints, outcomes, plans and final tests.",
    ),
    "unpack": Entry(
        TIDYING, "merging", "unpack", "Unpack a file of studies, after it was checked."
    ),
    "merge": Entry(
        TIDYING, "merging", "merge", "Merge the studies of another database into this one."
    ),
}
