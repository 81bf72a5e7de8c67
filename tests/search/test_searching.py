"""Searches from the command line: coarse, fine, tested; stopped and carried on."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from coarsefine.db import repository
from coarsefine.db.connections import lock
from coarsefine.db.connections.engine import open_database
from coarsefine.db.connections.lock import StudyLock
from coarsefine.db.errors import BusyError
from coarsefine.search.library import Study
from coarsefine.search.progress import Log
from coarsefine.studies.planning import races
from coarsefine.studies.running import search as running_search
from coarsefine.studies.running.pace import Pace
from coarsefine.studies.running.watching import CohortProgress
from tests.search.conftest import COARSE, QUICK


def test_a_coarse_search_ends_with_a_ranking_and_the_command_for_the_fine_one(search, own_folder):
    answer = search(*COARSE, "--trials", "2")

    assert answer.status == 0
    assert answer.out.startswith("digits/lambda: digits, seed 0; measured after the last epoch\n")
    assert re.search(r"^ +1  coarse +\d  +\S+  \d\d\.\d\d ± \d\.\d\d ", answer.out, re.MULTILINE)
    assert "coarse: λ from 1e-05 to 0.1 (the default range)" in answer.out
    assert answer.out.splitlines()[-1] == "next: python -m search lambda --fine"
    assert (own_folder / "search.db").exists()


def test_what_is_trained_is_said_on_stderr_before_and_while_it_is(search):
    answer = search(*COARSE, "--epochs", "3")

    lines = answer.err.splitlines()
    assert lines[0] == (
        "digits/lambda coarse: 1,078 training and 360 validation samples, network 64-8-10 relu"
    )
    assert "54 updates an epoch; 3 epochs = 162 updates" in lines[1]
    assert lines[2].startswith("cost = mean cross-entropy + λ ΣW²")
    assert lines[3].startswith("initial training loss ")
    assert lines[4].startswith("note: the training ends after ")
    ends = [line for line in lines[5:] if re.search(r"\(2 trials\): 3 epochs, best val", line)]
    assert len(ends) == 2


def test_quiet_says_nothing_but_the_answer(search):
    answer = search(*COARSE, "--quiet")

    assert answer.err == ""
    assert "rank" in answer.out


def test_json_is_one_object_of_the_contract_and_nothing_else(search):
    ranking = search(*COARSE, "--json").json

    assert list(ranking) == [
        *("study", "data", "seed", "score", "by", "stages", "trials", "comparison", "notes")
    ]
    assert [list(stage) for stage in ranking["stages"]] == [
        ["name", "low", "high", "values", "parent", "reason", "dimensions", "race", "cut"]
    ]
    assert {tuple(trial) for trial in ranking["trials"]} == {
        (
            "rank",
            "stage",
            "trial",
            "state",
            "params",
            "replicates",
            "validation_accuracy",
            "validation_balanced_accuracy",
            "validation_macro_f1",
            "metrics",
            "validation_loss",
            "train_accuracy",
            "seconds",
            "test_accuracy",
            "standard_error",
            "standard_deviation",
            "interval",
            "difference",
            "margin",
            "seed_interval",
            "tied",
            "reused",
        )
    }
    assert [trial["rank"] for trial in ranking["trials"]] == [1, 2, 3, 4]
    assert {tuple(trial["params"]) for trial in ranking["trials"]} == {("lambda",)}


def test_the_same_command_again_trains_nothing_and_more_trials_top_up(search, coarse):
    before = search("rank", "--json").json["trials"]

    again = search(*COARSE, "--json").json["trials"]
    more = search(*COARSE[:-1], "6", "--json").json["trials"]

    assert again == before
    assert len(more) == 6
    # What a trial is among others may change with the others.
    among = ("rank", "difference", "margin", "tied")
    own = [{key: value for key, value in t.items() if key not in among} for t in more]
    assert all({k: v for k, v in trial.items() if k not in among} in own for trial in before)


def test_a_fine_search_takes_the_most_recent_study_and_says_which(search, coarse):
    answer = search("lambda", "--fine", "--trials", "2")

    assert answer.status == 0
    assert answer.err.startswith("the most recent lambda study: digits/lambda\n")
    assert answer.out.splitlines()[-1] == "next: python -m search test"
    assert "fine: λ" in answer.out


def test_a_fine_search_without_a_coarse_one_names_the_command(search, own_folder):
    answer = search("lambda", "--fine")

    assert (answer.status, answer.out) == (1, "")
    assert "python -m search lambda --coarse" in answer.err
    assert list(own_folder.iterdir()) == []


def test_a_fine_search_of_other_data_names_the_command(search, coarse):
    answer = search("lambda", "--fine", "--data", "mnist")

    assert answer.status == 1
    assert "has no study mnist/lambda" in answer.err
    assert "python -m search lambda --coarse --data mnist" in answer.err


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("eta --fine --data iris.csv --label kind --hidden 7 --bias-trick", "eta --coarse"),
        ("lambda --finer --data iris.csv --hidden 7 --study new", "lambda --coarse"),
        (
            "space --fine --data digits --vary hidden=2..8 --vary optimizer=sgd,adam",
            "space --coarse",
        ),
    ],
)
def test_the_coarse_search_that_is_proposed_has_the_recipe_that_was_stated(
    search, coarse, line, proposed
):
    answer = search(*line.split())

    assert answer.status == 1
    last = answer.err.splitlines()[-1].split(" search ")[1]
    assert last.startswith(proposed)
    assert sorted(last.split()[2:]) == sorted(line.split()[2:])


def test_a_fine_search_of_a_space_proposes_a_coarse_one_that_varies_something(search, coarse):
    answer = search("space", "--fine")

    assert answer.status == 1
    assert answer.err.endswith("python -m search space --coarse --vary eta=1e-4..1e-1\n")


def test_a_search_that_names_no_stage_is_answered_with_both_as_they_can_be_typed(
    search, own_folder
):
    answer = search("space", "--vary", "eta=1e-3..1", "--hidden", "7", "--storage", "a.db")
    bare = search("space")

    assert (answer.status, bare.status) == (2, 2)
    lines = answer.err.splitlines()
    assert lines[1].endswith(" space --coarse --vary eta=1e-3..1 --hidden 7 --storage a.db")
    assert lines[3].endswith(" space --fine --storage a.db")
    assert " space --coarse --vary eta=1e-4..1e-1\n" in bare.err


def test_flags_that_contradict_the_coarse_stage_show_the_difference(search, coarse):
    answer = search(
        "lambda", "--fine", "--hidden", "9,9", "--seed", "1", "--flips", "--shifts", "3"
    )

    assert answer.status == 1
    assert "network.hidden: [8] there, [9, 9] asked for" in answer.err
    assert "seed: 0 there, 1 asked for" in answer.err
    assert "training.flips: none there, yes asked for" in answer.err
    assert "training.shifts: none there, 3 asked for" in answer.err


def test_a_best_value_on_the_edge_is_said_and_the_range_widened(search):
    values = ("--values", "1e-3,1,3")

    coarse = search("lambda", "--coarse", *QUICK, *values)
    fine = search("lambda", "--fine", "--trials", "2", "--json").json

    note = "note: the best value 0.001 lies on the lower edge of 0.001 … 3"
    assert note in coarse.out
    assert fine["stages"][1]["low"] < 1e-3
    assert "lower edge" in fine["stages"][1]["reason"]


def test_studies_of_several_data_sets_go_into_one_file(search, samples, coarse):
    samples()

    answer = search(*COARSE, "--data", "mine.npz", "--batch-size", "10")

    assert "mine/lambda" in answer.out
    # Its labels are random: there is nothing to be learnt.
    last = answer.out.splitlines()[-1]
    assert last.startswith("next: python -m search eta --range-test --hidden 8 --batch-size 10 ")
    assert last.endswith("mine.npz")
    names = [study["study"] for study in search("list", "--json").json["studies"]]
    assert names == ["mine/lambda", "digits/lambda"]


def test_a_file_is_found_from_any_folder(search, samples, own_folder, monkeypatch):
    path = samples()
    search(*COARSE, "--data", "mine.npz", "--batch-size", "10", "--quiet")
    (own_folder / "elsewhere").mkdir()
    monkeypatch.chdir(own_folder / "elsewhere")

    answer = search("show", "--storage", own_folder / "search.db", "--json")

    assert answer.json["recipe"]["data"]["name"] == str(path)
    assert search("lambda", "--fine", "--storage", own_folder / "search.db").status == 0


def test_a_recipe_file_is_read_and_flags_overrule_it(search, own_folder):
    (own_folder / "r.toml").write_text("[network]\nhidden = [6]\n[training]\nepochs = 1\n")

    search("lambda", "--coarse", "--recipe", "r.toml", "--epochs", "2", "--trials", "2", "--quiet")

    recipe = search("show", "--json").json["recipe"]
    assert (recipe["network"]["hidden"], recipe["training"]["epochs"]) == ([6], 2)


def test_the_next_command_names_the_storage_that_was_given(search):
    answer = search(*COARSE, "--trials", "2", "--storage", "my runs.db", "--study", "a b")

    last = answer.out.splitlines()[-1]
    assert last == "next: python -m search lambda --fine --study 'a b' --storage 'my runs.db'"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_search_which_the_same_command_carries_on(
    search, monkeypatch, number, status
):
    whole = search(*COARSE, "--study", "whole", "--jobs", "1", "--json").json["trials"]
    shown = Log.show

    def interrupted(log, progress, best):
        shown(log, progress, best)
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(Log, "show", interrupted)
        # Else it would take over what the first study has trained.
        stopped = search(*COARSE, "--jobs", "1", "--fresh")
    rest = search(*COARSE, "--jobs", "1", "--fresh", "--json").json["trials"]

    assert (stopped.status, stopped.out) == (status, "")
    assert "stopping after the segments under way" in stopped.err
    assert stopped.err.endswith("stopped; run the same command to carry on\n")
    timeless = [[{**t, "seconds": 0} for t in trials] for trials in (whole, rest)]
    assert timeless[0] == timeless[1]


def test_a_second_signal_ends_a_search_at_once(search, monkeypatch):
    def interrupted(log, progress, best):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("still running")

    monkeypatch.setattr(Log, "show", interrupted)
    answer = search(*COARSE, "--jobs", "1")

    assert answer.status == 130


def test_an_interrupt_that_python_ignores_comes_again():
    """A signal may arrive within a finalizer or a callback, where nothing can be raised."""
    code = (
        "import os, signal, time\n"
        "from coarsefine.search import __main__, cli\n"
        "class Interrupted:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "def run():\n"
        "    Interrupted()\n"
        "    time.sleep(60)\n"
        "cli.run = run\n"
        "raise SystemExit(__main__.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (130, "")


def test_a_log_has_at_most_a_line_a_second_and_always_the_last(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("coarsefine.search.progress.time.monotonic", lambda: now[0])
    log = Log()
    for epoch in range(1, 41):
        now[0] += 0.1
        left = 4.0 - epoch / 10 if epoch < 40 else 0.0
        done = epoch == 40
        log.progressed(CohortProgress("coarse", 1, 2, 4, 0, epoch, 40, 0.5, left, done))

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) in {5, 6}
    assert lines[0] == (
        "coarse 1/2 (4 trials): epoch 1 of 40, best validation accuracy so far 50.00 %, "
        "3.9 s left in all"
    )
    assert lines[-1] == "coarse 1/2 (4 trials): 40 epochs, best validation accuracy so far 50.00 %"


def test_the_best_accuracy_in_a_log_is_that_of_the_whole_search(capsys):
    log = Log()
    for cohort, accuracy in ((1, 0.9), (2, 0.5), (3, None)):
        progress = CohortProgress(
            *("coarse", cohort, 3, 4, 0, 7, 7, accuracy, 0.0), done=True, empty=accuracy is None
        )
        log.progressed(progress)

    best = "best validation accuracy so far 90.00 %"
    assert capsys.readouterr().err.splitlines() == [
        f"coarse 1/3 (4 trials): 7 epochs, {best}",
        f"coarse 2/3 (4 trials): 7 epochs, {best}",
        f"coarse 3/3 (4 trials): 7 epochs, no trial is left, {best}",
    ]


def test_the_time_left_is_that_of_all_cohorts():
    pace = Pace({"a": (1.0, 10), "b": (1.0, 10), "c": (3.0, 10)})
    assert pace.seconds_left(2) is None
    pace.trained("a", 10, 0, 20.0)  # twice as slow as estimated
    assert pace.seconds_left(1) == 80.0
    assert pace.seconds_left(2) == 40.0
    pace.trained("b", 1, 0, 2.0)  # all of its trials diverged
    assert pace.seconds_left(2) == 60.0  # one cohort is left for two workers
    pace.trained("c", 10, 0, 60.0)
    assert pace.seconds_left(2) == 0.0


def test_fine_stages_keep_sampler_and_number_and_a_grid_says_when_it_has_fewer_points(search):
    quick = ("--epochs", "1", "--storage", "qmc.db")
    search("lambda-eta", "--coarse", "--sampler", "qmc", "--trials", "5", *quick)
    trials = search("lambda-eta", "--fine", "--json", *quick[2:]).json["trials"]
    fewer = search("lambda-eta", "--finer", "--sampler", "grid", *quick[2:])

    fine = [trial["params"]["eta"] for trial in trials if trial["stage"] == "fine"]
    assert len(fine) == len(set(fine)) == 5
    line = "a grid over λ and η has 2 x 2 = 4 points, 5 were asked for; --sampler qmc tries"
    assert line in fewer.err


@pytest.mark.parametrize("line", ["hidden --values", "lambda --coarse --values"])
def test_thousands_of_values_are_asked_about(search, line):
    values = ",".join(str(n) for n in range(1, 5001))

    answer = search(*line.split(), values)

    assert answer.status == 2
    assert "5,000 trials take long to plan" in answer.err


def test_an_option_that_changes_the_optimizer_says_so(search):
    answer = search(*COARSE[:2], "--trials", "2", "--epochs", "1", "--momentum", "0.9")

    assert "note: --momentum 0.9 changes the optimizer from sgd to momentum" in answer.err


def test_the_final_test_is_recorded_and_repeats_show(search, study):
    first = search("test", "--top", "1", "--refit", "none")
    second = search("test", "digits/lambda", "--json").json

    assert "the most recent study: digits/lambda" in first.err
    assert "warning: the test set had been opened 1 time before for this study" in first.out
    assert list(second) == [
        *("study", "data", "opened", "opened_by_others", "test_samples", "note", "trials"),
        *("comparison", "ensembles", "notes"),
    ]
    assert (second["study"], second["opened"]) == ("digits/lambda", 3)
    assert [trial["rank"] for trial in second["trials"]] == [1, 2, 3]
    assert {tuple(trial) for trial in second["trials"]} == {
        (
            "rank",
            "stage",
            "params",
            "validation_accuracy",
            "validation_corrected",
            "test_accuracy",
            "test_loss",
            "test_cost",
            "refit",
            "interval",
            "seeds_interval",
            "samples_interval",
            "standard_error",
            "standard_deviation",
            "difference",
            "tied",
            "test_corrected",
            "hand_picked",
            "seeds",
        )
    }
    assert {trial["refit"] for trial in second["trials"]} == {"train+validation"}
    for trial in second["trials"]:
        low, high = trial["interval"]
        assert low < trial["test_accuracy"] < high
        assert trial["hand_picked"] is False
    assert any("opened 2 times before" in line for line in second["notes"])


def test_repeating_test_shows_the_result_that_is_there(search, study):
    (before,) = search("show", "--json").json["openings"]

    for words in ((), ("--top", "2"), ("digits/lambda", "--top", "2", "--json")):
        repeated = search("test", *words)
    once_more = search("test", "--top", "2", "--again", "--json")

    assert repeated.status == 0
    assert repeated.json["opened"] == 2
    assert "the test set was not opened again (--again opens it once more)" in repeated.err
    assert [trial["test_accuracy"] for trial in repeated.json["trials"]] == [
        trial["test_accuracy"] for trial in before["trials"]
    ]
    assert once_more.json["opened"] == 3
    assert "not opened again" not in once_more.err


def test_a_trial_tested_by_hand_is_marked_wherever_it_shows(search, study):
    last = search("rank", "--json").json["trials"][-1]
    place = f"{last['stage']}:{last['trial']}"

    shown = search("test", "--trial", place, "--refit", "none")
    written = search("test", "--trial", f"{place},coarse:0", "--refit", "none", "--json").json

    assert "hand-picked, rank 7" in shown.out
    assert "warning: hand-picked, rank 7: " in shown.out
    assert {trial["hand_picked"] for trial in written["trials"]} == {True}
    assert written["note"].startswith("hand-picked: ")
    assert f"hand-picked: {place} (rank 7)" in search("show").out
    notes = [opening["note"] for opening in search("show", "--json").json["openings"]]
    assert [note[:11] for note in notes] == ["", "hand-picked", "hand-picked"]


def test_optuna_opened_from_outside_agrees_with_the_ranking(search, study):
    import optuna

    ranking = search("rank", "--json").json
    storage = optuna.storages.RDBStorage("sqlite:///search.db")
    try:
        inside = {
            (stage["name"], trial.number): (trial.params, trial.value, trial.state.name)
            for stage in ranking["stages"]
            for trial in optuna.load_study(
                study_name=f"digits/lambda/{stage['name']}", storage=storage
            ).trials
        }
    finally:
        storage.engine.dispose()
    outside = {
        (t["stage"], t["trial"]): (t["params"], t["validation_accuracy"], t["state"].upper())
        for t in ranking["trials"]
    }

    assert len(outside) == 7
    assert json.dumps(sorted(inside.items())) == json.dumps(sorted(outside.items()))


def test_many_trials_are_asked_about_and_yes_goes_on_at_once(search, own_folder, monkeypatch):
    many = ("lambda", "--coarse", "--trials", "5000")

    refused = search(*many)

    assert refused.status == 2
    assert "5,000 trials take long to plan, train and store; add --yes" in refused.err
    keyboard = io.StringIO("n\n")
    monkeypatch.setattr(keyboard, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", keyboard)
    declined = search(*many)
    assert declined.status == 130
    assert "Go on? [y/N]" in declined.err
    assert list(own_folder.iterdir()) == []
    # As far as the data, which are not there.
    assert "nowhere.csv" in search(*many, "--yes", "--data", "nowhere.csv").err


def test_the_values_of_a_grid_are_named_and_why_some_are_left_out(search, samples):
    samples()

    said = search("dataset-size", "--data", "mine.npz", *QUICK, "--replicates", "1").out

    usual = "the default values that 68 training samples allow"
    assert f"grid: training samples 68 ({usual})" in said


INT, TERM = (signal.SIGINT, 130), (signal.SIGTERM, 143)


@pytest.mark.parametrize(
    ("signalled", "command", "where"),
    [
        (INT, (*COARSE, "--dry-run"), "search.commands.searching._foretell"),
        (TERM, ("report",), "search.commands.reporting.write_report"),
        (TERM, ("rank",), "search.commands.ranking.print_study"),
    ],
)
def test_a_command_that_has_nothing_to_carry_on_with_just_stops(
    search, coarse, monkeypatch, signalled, command, where
):
    number, status = signalled

    def interrupted(*_, **__):
        os.kill(os.getpid(), number)
        raise AssertionError("it goes on")

    monkeypatch.setattr(f"coarsefine.{where}", interrupted)

    answer = search(*command)

    assert (answer.status, answer.out) == (status, "")
    assert answer.err.splitlines()[-1] == "stopped"


def test_a_second_signal_that_comes_late_does_not_take_the_advice_away(search, monkeypatch):
    def late(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("coarsefine.search.commands.searching.came_of_search", late)

    answer = search(*COARSE, "--jobs", "1")

    assert answer.status == 143
    assert answer.err.endswith("stopped; run the same command to carry on\n")


def test_ctrl_c_ends_a_search_at_once_while_it_is_planned(search, monkeypatch):
    def planned(*_):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("still planning")

    # Thousands of trials are stored, and started in Optuna, before the first one is trained.
    with monkeypatch.context() as during:
        during.setattr("coarsefine.studies.running.search.store", planned)
        answer = search(*COARSE, "--jobs", "1")

    assert answer.status == 130
    assert answer.err.endswith("stopped; run the same command to carry on\n")
    assert search(*COARSE, "--jobs", "1").status == 0


def test_of_drivers_that_begin_a_study_together_the_losers_are_told_who_drives(
    search, own_folder, monkeypatch
):
    add, held = running_search.add_study, []

    def beaten(database, *rest):
        """Have another driver be first, after this one has looked for the study."""
        study = add(database, *rest)
        held.append(StudyLock(database, study.uuid))
        held[0].acquire()
        return add(database, *rest)

    with monkeypatch.context() as during:
        during.setattr(running_search, "add_study", beaten)
        lost = search(*COARSE, "--jobs", "1", "--quiet")
    held[0].release()

    assert lost.status == 1
    assert f"study 'digits/lambda' is being driven by process {os.getpid()} on " in lost.err
    assert search(*COARSE, "--jobs", "1", "--quiet").status == 0


def test_a_driver_that_has_just_taken_the_lock_is_waited_for_to_say_who_it_is(
    coarse, own_folder, monkeypatch
):
    with open_database("search.db") as database:
        study = repository.find_study(database, "digits/lambda")
        first, second = StudyLock(database, study.uuid), StudyLock(database, study.uuid)
        first.acquire()
        repository.clear_driver(database, study.uuid)  # it has the lock and is not known yet
        now = datetime.now(UTC)
        later = threading.Timer(
            0.2,
            lambda: lock.set_driver(database, study.uuid, host="here", pid=7, since=now),
        )
        later.start()

        with pytest.raises(BusyError, match="'digits/lambda' is being driven by process 7 on here"):
            second.acquire()

        later.join()
        first.release()


def test_a_race_that_is_asked_for_is_not_the_default_one(search, own_folder, monkeypatch):
    monkeypatch.setattr(races, "QUICK_SECONDS", 60.0)
    quick = ("--coarse", "--values", "0.01,0.1,1", "--epochs", "1", "--hidden", "2")
    search("lambda", *quick, "--replicates", "2..3", "--indifference", "4", "--study", "typed")
    Study.search("lambda", data="digits", hidden=2, epochs=1, name="python").coarse(
        values=[0.01, 0.1, 1], replicates="2..3", indifference=4
    )

    for name in ("typed", "python"):
        (stage,) = search("rank", name, "--json").json["stages"]
        race = stage["race"]
        assert (race["least"], race["most"], race["indifference"]) == (2, 3, 0.04)


def test_a_search_over_batch_sizes_says_from_how_many_updates_to_how_many(search):
    answer = search("batch-size", "--epochs", "1", "--values", "20,100", "--hidden", "8")

    assert "from 11 updates (batch size 100) to 54 (batch size 20)\n" in answer.err
    assert "samples / batch" not in answer.err


def test_batch_normalisation_without_a_hidden_layer_is_noted(search):
    words = ("lambda", "--coarse", "--trials", "2", "--replicates", "1", "--epochs", "1")

    linear = search(*words, "--hidden", "none", "--batch-norm", "--study", "linear")
    deep = search(*words, "--hidden", "8", "--batch-norm", "--study", "deep")

    assert "batch normalisation is of hidden layers, of which this network has none" in linear.err
    assert "batch normalisation is of" not in deep.err
