"""Columns that several tables have: what a row is of."""

from operator import attrgetter
from typing import Final

from coarsefine.studies.results.columns.column import Column

TITLE: Final = "it is said once, above the table"
ASKED: Final = "only programs and those who name it need it"
BOTH_ENDS: Final = "people read both ends in one column"

STUDY: Final = Column(
    name="study",
    kind="text",
    meaning="the study's name",
    value=attrgetter("study.name"),
    of_table=True,
    absent=TITLE,
)
DATA: Final = Column(
    name="data",
    kind="text",
    meaning="the name of its data set",
    value=attrgetter("study.data_name"),
    of_table=True,
    absent=TITLE,
)
SEED: Final = Column(
    name="seed",
    kind="whole",
    meaning="the study's seed",
    value=attrgetter("study.seed"),
    of_table=True,
    absent=TITLE,
)
STAGE: Final = Column(name="stage", kind="text", meaning="the stage, as in `coarse`")
TRIAL: Final = Column(
    name="trial", kind="whole", meaning="Optuna's number of the trial in its stage, from 0"
)
PARAMS: Final = Column(
    name="params",
    kind="value",
    meaning="what was searched",
    not_in_tables="each parameter is a column, named as in recipes",
)
