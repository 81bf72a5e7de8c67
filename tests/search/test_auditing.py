"""``audit``: what was trained is confirmed to the bit, and what was invented is found out."""

import json
import random
import re
import sqlite3
from math import comb
from types import SimpleNamespace

import pytest

from coarsefine.search.cli import main
from coarsefine.search.library import Study
from coarsefine.studies import environment
from coarsefine.studies.checks.audit import Audit, Checked, _unlike, missed
from coarsefine.studies.checks.audit_record import AuditRecord, RunClaim, from_text, record_of

ALL = ("--runs", "99")


def changed(file, *statements):
    with sqlite3.connect(file) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


@pytest.fixture(scope="module")
def report(finished, tmp_path_factory):
    """A report of the finished study, far from its database."""
    folder = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        where = ("--storage", str(finished), "--no-figures", "--no-gradcheck", "--quiet")
        assert main(["report", "hand-in.html", *where]) == 0
    return (folder / "hand-in.html").read_text(encoding="utf-8")


def test_all_that_was_trained_is_trained_again_to_the_same_bits(search, study):
    before = study.read_bytes()

    answer = search("audit", *ALL)
    found = search("audit", "digits/lambda", "--json", *ALL).json

    assert answer.status == 0
    assert study.read_bytes() == before
    assert {each["verdict"] for each in found["checked"]} == {"identical"}
    # The final training of two trials is audited, too.
    assert {each["stage"] for each in found["checked"]} == {"coarse", "fine", "final"}
    assert found["runs"] == len(found["checked"]) == 9
    assert found["bound"] == 0
    assert "9 of 9 runs drawn: 9 the same to the last bit" in answer.out
    assert "every run was trained again" in answer.out


def test_a_draw_is_made_anew_unless_its_seed_is_stated(search, study):
    first = search("audit", "--runs", "2", "--json").json
    again = search("audit", "--runs", "2", "--json", "--seed", first["seed"]).json
    others = [search("audit", "--runs", "1", "--json").json["seed"] for _ in range(3)]

    def drawn(found):
        return [(e["stage"], e["trial"]) for e in found["checked"] if e["drawn"]]

    assert drawn(first) == drawn(again)
    assert len(drawn(first)) == 2
    assert len({first["seed"], *others}) == 4
    assert 0 < first["bound"] <= first["runs"] - len(drawn(first))


@pytest.mark.parametrize(
    ("statements", "line"),
    [
        (
            [
                "UPDATE training_runs SET validation_accuracy = 0.98 WHERE id = 2",
                "UPDATE training_trials SET validation_accuracy = 0.98 WHERE id = 2",
            ],
            r"98\.00 % on record, and now",
        ),
        (
            ["UPDATE training_epochs SET validation_loss = 0.1 WHERE run_id = 2 AND epoch = 1"],
            "its accuracy is the same, its curve another one",
        ),
        (
            ["UPDATE training_trials SET params = '{\"lambda\":0.5}' WHERE id = 2"],
            "planned with other settings than its row and the recipe say",
        ),
        (
            ["UPDATE training_trials SET validation_accuracy = 0.98 WHERE id = 2"],
            "contradiction: trial coarse:1 has a validation accuracy of 98.00 %, its runs have",
        ),
        (
            [
                "UPDATE training_runs SET state = 'diverged' WHERE id = 2",
            ],
            "it is diverged on record, and now complete",
        ),
    ],
    ids=["accuracy", "curve", "params", "mean", "state"],
)
def test_what_was_invented_is_found_where_it_is_drawn(search, study, statements, line):
    changed(study, *statements)

    answer = search("audit", *ALL)

    assert answer.status == 1
    assert re.search(line, " ".join(answer.out.split()))
    assert "invented rows" not in answer.out


def test_a_row_that_was_added_is_none_that_can_be_trained(search, study):
    columns = (
        "cohort_id, slot, replicate, seed, state, epochs, updates, best_epoch, validation_accuracy"
    )
    changed(
        study,
        "INSERT INTO training_trials SELECT 77, 'x', stage_id, 55, 55, '{\"lambda\":0.02}', state,"
        " 0.99, validation_loss, train_accuracy, replicates, seconds, told, finished_at"
        " FROM training_trials WHERE id = 2",
        f"INSERT INTO training_runs (id, trial_id, recipe_key, reused_from, {columns}) SELECT 77,"
        " 77, recipe_key, 2, NULL, NULL, replicate, seed, state, epochs, updates, best_epoch, 0.99"
        " FROM training_runs WHERE id = 2",
    )

    answer = search("audit", *ALL)

    assert answer.status == 1
    assert "coarse:55" in answer.out


def test_another_processor_rounds_differently_and_no_more(search, study):
    changed(
        study,
        'UPDATE training_studies SET machine = \'{"processor":"Other","cores":2}\'',
        # One of 360 validation samples.
        "UPDATE training_runs SET validation_accuracy = validation_accuracy + 1.0 / 360"
        " WHERE id = 2",
        "UPDATE training_trials SET validation_accuracy = validation_accuracy + 1.0 / 360"
        " WHERE id = 2",
    )
    near = search("audit", *ALL, "--json")
    changed(study, "UPDATE training_runs SET validation_accuracy = 0.99 WHERE id = 2")
    far = search("audit", *ALL, "--json")

    verdicts = [each["verdict"] for each in near.json["checked"]]
    assert near.status == 0
    assert verdicts.count("rounding") == 1
    assert near.json["unlike"][0].startswith("processor Other there, ")
    assert far.status == 1
    assert [each["verdict"] for each in far.json["checked"]].count("differs") == 1


def test_processors_of_one_name_may_multiply_by_other_kernels():
    def unlike(**blas):
        machine = {k: v for k, v in environment.machine().items() if k != "blas"} | blas
        return _unlike(SimpleNamespace(versions=environment.versions(), machine=machine))

    here = environment.machine()["blas"]
    assert unlike(blas=here) == []
    assert unlike(blas="openblas Zen9") == [f"blas openblas Zen9 there, {here} here"]
    assert unlike() == [f"blas not on record there, {here} here"]


def test_trials_that_were_stopped_early_are_stopped_again(search, own_folder):
    line = "eta --coarse --trials 9 --epochs 9 --hidden 4 --prune halving --replicates 2"
    assert search(*line.split(), "--schedule", "constant", "--low", "1e-4").status == 0

    found = search("audit", *ALL, "--json").json

    states = {each["state"] for each in found["checked"]}
    assert "pruned" in states
    assert {each["verdict"] for each in found["checked"]} == {"identical"}


def test_a_report_is_audited_without_its_database(search, report, own_folder):
    (own_folder / "hand-in.html").write_text(report, encoding="utf-8")

    answer = search("audit", "hand-in.html", "--runs", "3")

    assert answer.status == 0
    assert not (own_folder / "search.db").exists()
    assert "the same to the last bit" in answer.out
    assert "texts, figures and test accuracies were not" in answer.err


def test_a_ranking_that_was_edited_contradicts_its_record(search, report, own_folder):
    ranking = report.index('<section id="ranking">')
    place = report.index('<data value="0.', report.index("<tbody>", ranking))
    end = report.index("</data>", place)
    better = report[:place] + '<data value="0.9999">99.99 ± 0.10' + report[end:]
    (own_folder / "better.html").write_text(better, encoding="utf-8")

    answer = search("audit", "better.html", "--runs", "1")

    assert answer.status == 1
    assert re.search(r"contradiction: trial \w+:\d has validation ± SE 0.9999 in the", answer.out)


def test_what_is_no_report_with_a_record_is_one_line(search, report, own_folder, study):
    record = re.search(r'id="record" hidden value="([^"]+)"', report)[1]
    for name, text in (
        ("none.html", "<p>hello"),
        ("cut.html", report.replace(record, record[:200])),
        ("other.html", report.replace(record, "AAAA")),
    ):
        (own_folder / name).write_text(text, encoding="utf-8")
        answer = search("audit", name)
        assert (answer.status, answer.out) == (1, ""), name
        assert answer.err.startswith(f"error: {name}: "), answer.err
        assert answer.err.count("\n") == 1
    assert search("audit", "gone.html").status == 1
    assert search("audit", "--runs", "0").status == 1


def test_a_record_is_read_as_it_was_written(study):
    with Study()._kept.reading() as (database, found):
        record = record_of(database, found)

    text = record.to_text()

    assert from_text(text, "it").to_text() == text
    assert json.loads(json.dumps(record.recipe)) == record.recipe


def test_a_custom_trainer_is_called_only_where_the_user_names_it(search, own_folder):
    (own_folder / "mine.py").write_text(
        "def train(params, data, seed, report):\n"
        "    report(1, validation_accuracy=(seed % 97) / 100, validation_loss=params['lambda'])\n"
    )
    (own_folder / "own.toml").write_text('trainer = "mine:train"\n[data]\nname = "digits"\n')
    line = ("lambda", "--coarse", "--trials", "3", "--recipe", "own.toml", "--jobs", "1")
    assert search(*line).status == 0

    refused = search("audit")
    answer = search("audit", "--recipe", "own.toml", *ALL)

    assert refused.status == 1
    assert "imported only if you name it yourself" in refused.err
    assert answer.status == 0
    assert "3 of 3 runs drawn: 3 the same to the last bit" in answer.out


def test_python_says_the_same(search, study):
    found = Study().audit(runs=2, seed=5)
    told = search("audit", "--runs", "2", "--seed", "5", "--json").json

    assert found.passed
    assert {**found.to_dict(), "seconds": 0} == {**told, "seconds": 0}
    assert found.bound == told["bound"]
    assert "same bits" in repr(found)


def audit_of(n_runs, n_drawn):
    runs = tuple(
        RunClaim("coarse", i, 0, "a", i, "k", "complete", 1, 0.5, "c") for i in range(n_runs)
    )
    record = AuditRecord("s", {}, "", {}, {}, {}, {}, (), runs)
    drawn = tuple(Checked(run, drawn=True, verdict="identical") for run in runs[:n_drawn])
    return Audit(record, n_runs, 0, drawn, 0.0)


def test_the_share_that_escapes_is_that_of_random_draws():
    rng = random.Random(0)
    n_runs, n_drawn, n_invented, n_times = 40, 5, 8, 20_000
    n_missed = sum(min(rng.sample(range(n_runs), n_drawn)) >= n_invented for _ in range(n_times))

    expected = missed(n_runs, n_drawn, n_invented)
    error = (expected * (1 - expected) / n_times) ** 0.5
    assert abs(n_missed / n_times - expected) < 4 * error
    found = audit_of(n_runs, n_drawn)
    # One more would have been met by more than 95 of 100 draws.
    assert missed(n_runs, n_drawn, found.bound) > 0.05 >= missed(n_runs, n_drawn, found.bound + 1)
    assert audit_of(7, 7).bound == 0
    assert [each.runs for each in found.escapes] == [1, 2, 4, 8, 20]
    assert found.escapes[-1].probability == comb(20, 5) / comb(40, 5)
