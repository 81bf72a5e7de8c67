"""Reading and writing records: functions that take an open database, each one transaction."""

from db.repository.measurements import get_measurement, set_measurement
from db.repository.openings import add_test_runs, openings, record_opening
from db.repository.plans import (
    add_plan,
    add_stage,
    find_finished_run,
    load_plan,
    set_numbers,
    stages,
    trained_run,
)
from db.repository.results import (
    accuracies_at,
    epoch_rows,
    load_checkpoint,
    mark_told,
    mean_accuracies,
    run_rows,
    store_segment,
    trial_rows,
    untold_trials,
    update_trials,
)
from db.repository.studies import (
    add_study,
    clear_driver,
    delete_study,
    find_study,
    latest_study,
    list_studies,
    set_driver,
    update_study,
)

__all__ = [
    "accuracies_at",
    "add_plan",
    "add_stage",
    "add_study",
    "add_test_runs",
    "clear_driver",
    "delete_study",
    "epoch_rows",
    "find_finished_run",
    "find_study",
    "get_measurement",
    "latest_study",
    "list_studies",
    "load_checkpoint",
    "load_plan",
    "mark_told",
    "mean_accuracies",
    "openings",
    "record_opening",
    "run_rows",
    "set_driver",
    "set_measurement",
    "set_numbers",
    "stages",
    "store_segment",
    "trained_run",
    "trial_rows",
    "untold_trials",
    "update_study",
    "update_trials",
]
