"""What similar studies of a file say of seeds and samples before a study has several seeds."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.records import StudyRecord
from coarsefine.hints import Message, option
from coarsefine.studies.recipes.recipe import Recipe, from_json
from coarsefine.studies.results.judging.statistics import Needed
from coarsefine.studies.results.known_seeds import alike, searched_keys
from coarsefine.studies.results.notes.planning import to_all_tied
from coarsefine.studies.results.ranking import Ranking
from coarsefine.studies.results.reading import read_ranking

# So many are looked at: each is ranked.
_MOST_STUDIES = 3


class Question(NamedTuple):
    """A study as it is, or is to be.

    Attributes:
        data_name: As studies name their data.
        fingerprint: Of its data.
        keys: That its trials differ in, or are to.
    """

    data_name: str
    fingerprint: str
    recipe: Recipe
    keys: frozenset[str]

    @classmethod
    def of(cls, database: Database, study: StudyRecord) -> "Question":
        """Return what a study asks."""
        recipe = from_json(study.recipe, f"the recipe of {study.name}")
        keys = searched_keys(database, study)
        return cls(study.data_name, study.data_fingerprint, recipe, keys)


class Known(NamedTuple):
    """What another study tells.

    Attributes:
        ranking: Of that study.
        second: Its best beside its second.
    """

    ranking: Ranking
    second: Needed


def known_from(database: Database, asked: Question, indifference: float) -> Known | None:
    """Return the latest similar study that tells seeds from samples; ``None`` if none does.

    Args:
        database: Where it may be.
        asked: The study that lacks it.
        indifference: The largest difference that does not matter.
    """
    for study, _ in zip(_alike(database, asked), range(_MOST_STUDIES), strict=False):
        ranking = read_ranking(database, study, indifference=indifference)
        if ranking.comparison is not None and ranking.comparison.to_second is not None:
            return Known(ranking, ranking.comparison.to_second)
    return None


def _alike(database: Database, asked: Question) -> Iterator[StudyRecord]:
    for study in repository.replicated_studies(database, asked.data_name):
        if study.data_fingerprint == asked.fingerprint and alike(
            database, asked.recipe, asked.keys, study
        ):
            yield study


def in_words(known: Known | None, indifference: float) -> Message:
    """Return what is known before a study has several seeds, or how it comes to be."""
    if known is None:
        return Message(
            "no study of these data with such a recipe has several seeds: how many would tell "
            "values apart is not known before that; ",
            option("replicates", "auto"),
            " finds out",
        )
    ranking, second = known
    amount, comparison = ranking.metric.amount, ranking.comparison
    one_seed = amount(second.seed_error * math.sqrt(second.n_seeds))
    line = (
        f"by {ranking.study.name}, on the same data with such a recipe: the standard error of a "
        f"difference is {one_seed} by one seed and {amount(second.sample_error)} by samples"
    )
    if comparison is not None and comparison.to_all_tied is not None:
        every = to_all_tied(ranking, comparison, comparison.to_all_tied, indifference)
        line += f"; there, {every}"
    return Message(line)
