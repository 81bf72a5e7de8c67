"""``replay``: what would have been concluded under sloppier protocols."""

from coarsefine.db.connections.engine import open_database
from coarsefine.search.choosing import chosen
from coarsefine.search.console import print_table, say, say_json, stdout, tell
from coarsefine.search.options import OutputOptions, StorageOptions, StudyArgument
from coarsefine.search.tables.replay import replay_table, to_json
from coarsefine.studies.results.notes.replaying import concluded, honest, left_out, legend
from coarsefine.studies.results.reading import read_ranking
from coarsefine.studies.results.replay.reading import read_replay


def replay(study: StudyArgument, storage: StorageOptions, output: OutputOptions) -> None:
    """Rank what is stored under sloppier protocols: what would have been concluded?

    With one seed, another seed, the best epoch in place of the last, half of the validation
    samples, a linear grid of values, a choice by test accuracy, or training stopped earlier: how
    often each names another value, and by how much its headline accuracy is too high. Trains
    nothing and changes nothing; `plot replay` draws it.

    Examples:
        python -m search replay
        python -m search replay mnist/lambda --json
    """
    with open_database(storage.url, read_only=True) as database:
        ranking = read_ranking(database, chosen(database, study, quiet=output.quiet))
        found = read_replay(database, ranking)
    if output.json:
        say_json(to_json(found))
        return
    console = stdout()
    if found.protocols:
        print_table(console, replay_table(console, found))
        say("")
    tell(honest(found))
    for paragraph in (
        [concluded(found)],
        legend(found) if found.protocols else [],
        left_out(found),
    ):
        if paragraph:
            say("")
        for line in paragraph:
            tell(line)
