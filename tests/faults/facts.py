"""All that a database says of its studies but names made by chance, times and timings."""

import csv
import hashlib
import io
import json
import re
import sqlite3
from contextlib import closing

# Made by chance, or by the clock, or by who happened to run it.
_LEFT_OUT = {
    "uuid",
    "created_at",
    "updated_at",
    "opened_at",
    "finished_at",
    "datetime_start",
    "datetime_complete",
    "driver_host",
    "driver_pid",
    "driver_since",
    "machine",
    "versions",
    "seconds",
    "evaluation_seconds",
    "measured_at",
}

_QUERIES = {
    "studies": "SELECT * FROM training_studies ORDER BY name",
    "stages": """
        SELECT st.name AS study, s.* FROM training_stages s
        JOIN training_studies st ON st.id = s.study_id ORDER BY study, s.position""",
    "trials": """
        SELECT st.name AS study, s.name AS stage, t.* FROM training_trials t
        JOIN training_stages s ON s.id = t.stage_id JOIN training_studies st ON st.id = s.study_id
        ORDER BY study, s.position, t.position""",
    "runs": """
        SELECT st.name AS study, s.name AS stage, t.position AS trial, c.position AS cohort, r.*,
            (SELECT st2.name || ' ' || s2.name || ' ' || t2.position || ' ' || r2.replicate
             FROM training_runs r2 JOIN training_trials t2 ON t2.id = r2.trial_id
             JOIN training_stages s2 ON s2.id = t2.stage_id
             JOIN training_studies st2 ON st2.id = s2.study_id WHERE r2.id = r.reused_from) AS taken
        FROM training_runs r
        JOIN training_trials t ON t.id = r.trial_id JOIN training_stages s ON s.id = t.stage_id
        JOIN training_studies st ON st.id = s.study_id
        LEFT JOIN training_cohorts c ON c.id = r.cohort_id
        ORDER BY study, s.position, t.position, r.replicate""",
    "curves": """
        SELECT st.name AS study, s.name AS stage, t.position AS trial, r.replicate, e.*
        FROM training_epochs e JOIN training_runs r ON r.id = e.run_id
        JOIN training_trials t ON t.id = r.trial_id JOIN training_stages s ON s.id = t.stage_id
        JOIN training_studies st ON st.id = s.study_id
        ORDER BY study, s.position, t.position, r.replicate, e.epoch""",
    "cohorts": """
        SELECT st.name AS study, s.name AS stage, c.*, k.epoch AS checkpoint, k.payload
        FROM training_cohorts c JOIN training_stages s ON s.id = c.stage_id
        JOIN training_studies st ON st.id = s.study_id
        LEFT JOIN training_checkpoints k ON k.cohort_id = c.id
        ORDER BY study, s.position, c.position""",
    "test runs": """
        SELECT st.name AS study, o.stage AS final, o.refit, o.n_test, f.*
        FROM training_test_runs f JOIN training_test_openings o ON o.id = f.opening_id
        JOIN training_studies st ON st.id = o.study_id ORDER BY study, o.id, f.rank""",
    "Optuna's studies": """
        SELECT s.study_name, d.direction FROM studies s
        JOIN study_directions d ON d.study_id = s.study_id ORDER BY s.study_name""",
    "Optuna's study attributes": """
        SELECT s.study_name, a.key, a.value_json FROM study_user_attributes a
        JOIN studies s ON s.study_id = a.study_id WHERE a.key != 'uuid'
        ORDER BY s.study_name, a.key""",
    "Optuna's trials": """
        SELECT s.study_name, t.number, t.state, v.value, v.value_type FROM trials t
        JOIN studies s ON s.study_id = t.study_id
        LEFT JOIN trial_values v ON v.trial_id = t.trial_id
        ORDER BY s.study_name, t.number""",
    "Optuna's parameters": """
        SELECT s.study_name, t.number, p.param_name, p.param_value, p.distribution_json
        FROM trial_params p JOIN trials t ON t.trial_id = p.trial_id
        JOIN studies s ON s.study_id = t.study_id ORDER BY s.study_name, t.number, p.param_name""",
    "Optuna's attributes": """
        SELECT s.study_name, t.number, a.key, a.value_json FROM trial_user_attributes a
        JOIN trials t ON t.trial_id = a.trial_id JOIN studies s ON s.study_id = t.study_id
        WHERE a.key NOT IN ('uuid', 'seconds') ORDER BY s.study_name, t.number, a.key""",
    "Optuna's curves": """
        SELECT s.study_name, t.number, i.step, i.intermediate_value
        FROM trial_intermediate_values i JOIN trials t ON t.trial_id = i.trial_id
        JOIN studies s ON s.study_id = t.study_id ORDER BY s.study_name, t.number, i.step""",
}


def facts(path):
    """Return what there is to compare, as texts by name, without the folders that files lie in."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        trials = {
            row["uuid"]: f"{row['stage']} {row['position']}"
            for row in connection.execute(_QUERIES["trials"])
        }
        there = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master")}
        return {
            name: "\n".join(_line(row, trials) for row in connection.execute(query)) + "\n"
            for name, query in _QUERIES.items()
            if not name.startswith("Optuna") or "trial_values" in there
        }


def _line(row, trials):
    shown = {}
    for name in row.keys():  # noqa: SIM118  # a row is no mapping
        value = row[name]
        if name in _LEFT_OUT or name == "id" or name.endswith("_id") or name == "reused_from":
            continue
        if isinstance(value, bytes):
            value = hashlib.sha256(value).hexdigest()
        if isinstance(value, str):
            for uuid, meaning in trials.items():
                value = value.replace(uuid, meaning)
            value = re.sub(r'[^"]*/(?=[^"/]+\.npz")', "", value)
        shown[name] = value
    return json.dumps(shown, ensure_ascii=False, sort_keys=True)


def stated(text):
    """Return a ranking as ``rank --json`` prints it, without timings."""
    ranking = json.loads(text)
    for trial in ranking["trials"]:
        trial.pop("seconds", None)
    return json.dumps(ranking, ensure_ascii=False, sort_keys=True, indent=1)


def exported(text):
    """Return a ranking as ``export`` writes it to csv, without timings."""
    rows = list(csv.reader(io.StringIO(text)))
    kept = [i for i, name in enumerate(rows[0]) if name != "seconds"]
    out = io.StringIO()
    csv.writer(out).writerows([row[i] for i in kept] for row in rows)
    return out.getvalue()


def differing_bytes(wanted, found):
    """Return in how many bytes two sets of texts differ, and in which of them."""
    total, where = 0, []
    for name in wanted.keys() | found.keys():
        a, b = wanted.get(name, "").encode(), found.get(name, "").encode()
        if a != b:
            total += sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))
            where.append(name)
    return total, sorted(where)


def trials_of(path):
    """Return the trials that both sides of a database know, and how often each side does."""
    ours = """
        SELECT st.name, s.name, t.params FROM training_trials t
        JOIN training_stages s ON s.id = t.stage_id JOIN training_studies st ON st.id = s.study_id
        WHERE s.optuna_name IS NOT NULL"""
    theirs = "SELECT s.study_name, t.number, t.state FROM trials t JOIN studies s USING (study_id)"
    with closing(sqlite3.connect(path)) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        return (
            connection.execute(ours).fetchall(),
            connection.execute(theirs).fetchall() if "trials" in there else [],
        )
