"""Searches that are killed, what they end with when they are not, and how the two are compared."""

import random
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.db.older import put_older
from tests.faults.facts import differing_bytes, exported, facts, stated, trials_of
from tests.faults.hooks import BALLAST, Plan, repeated
from tests.faults.zygote import Blow, Ended

DATABASE = "search.db"
SMALL = "--hidden 6 --batch-size 100"
DIVERGING = (
    f"eta --coarse {SMALL} --epochs 8 --trials 5 --schedule constant --low 0.01 --high 1e30"
    " --patience 2 --score best"
)
# A value leaves after two seeds a fold, another after three.
RACING = "--eta 0.3 --epochs 3 --replicates 2..4 --indifference 2"
# As tests/db/older.py says.
HALF = "lambda --coarse --study half --hidden 6 --cycles 2 --seed 1 --trials 3 --replicates 2"


def _nothing(folder):
    """Begin in an empty folder."""


def _own_file(folder):
    """Begin with a file of samples whose decoding is part of what is killed."""
    rng = np.random.default_rng(0)
    np.savez(
        folder / "mine.npz",
        x_train=rng.normal(size=(300, 6)).astype(np.float32),
        y_train=np.arange(300) % 3,
        x_test=rng.normal(size=(60, 6)).astype(np.float32),
        y_test=np.arange(60) % 3,
    )


def own_trainer(folder):
    """Begin with a trainer that fails for strong λ, and tells of the start for weak ones."""
    (folder / "own.py").write_text(
        "def train(params, data, seed, report):\n"
        "    strength = params['lambda']\n"
        "    for epoch in range(int(strength > 1e-4), params['epochs'] + 1):\n"
        "        if strength > 0.05 and epoch > 1:\n"
        "            raise ArithmeticError('too strong')\n"
        "        reached = min(1.0, 0.5 + 0.1 * epoch - strength)\n"
        "        report(epoch, validation_accuracy=reached, validation_loss=strength + seed % 7)\n"
        "    return {'predict': lambda x: (x[:, 0] > 0).astype(int)}\n"
    )
    (folder / "own.toml").write_text(
        'trainer = "own:train"\n[training]\nschedule = "constant"\neta = 0.1\nepochs = 3\n'
    )


def _lab(folder):
    """Begin with a file of a lab: a search in two stages, and settings that meet the test set."""
    (folder / "lab.toml").write_text(
        "[network]\nhidden = [6]\n"
        '[training]\nschedule = "constant"\neta = 0.1\nepochs = 3\nbatch_size = 100\n'
        '[[part]]\nname = "eta"\n'
        "search = { vary.eta = { low = 0.01, high = 1 }, trials = 4, fine_trials = 3 }\n"
        '[[part]]\nname = "settings"\n'
        "[part.search]\ntest = true\nreplicates = 2\n"
        "[part.search.variants]\nsmall = { training.eta = 0.01 }\nlarge = { training.eta = 0.2 }\n"
    )


def _older(folder):
    """Begin with a database of an older version, with a search that was killed."""
    put_older(folder / DATABASE)


@dataclass(frozen=True)
class Scenario:
    """Command lines that follow each other.

    Attributes:
        begin: Puts into the folder what is there before.
        own_cache: Decode data anew in each try.
    """

    name: str
    study: str
    commands: tuple[str, ...]
    begin: object = _nothing
    own_cache: bool = False


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "coarse, fine, test",
            "digits/lambda",
            (
                f"lambda --coarse {SMALL} --epochs 5 --trials 5 --replicates 2",
                "lambda --fine --trials 4",
                "test --top 2",
            ),
        ),
        Scenario(
            "halving",
            "digits/lambda",
            (
                f"lambda --coarse {SMALL} --epochs 9 --trials 8 --high 100 --prune halving",
                "test --refit none --top 1",
            ),
        ),
        Scenario(
            "tpe, then more",
            "digits/lambda",
            (
                f"lambda --coarse {SMALL} --epochs 3 --sampler tpe --trials 5",
                f"lambda --coarse {SMALL} --epochs 3 --sampler tpe --trials 9",
            ),
        ),
        Scenario(
            "diverging, early stopping",
            "digits/eta",
            (
                DIVERGING,
                "test --top 1",
            ),
        ),
        Scenario(
            "sizes of the data set",
            "digits/dataset-size",
            (
                f"dataset-size {SMALL} --epochs 3 --values 200,500,1000 --replicates 2",
                f"dataset-size {SMALL} --epochs 3 --values 200,500,1000,1078 --replicates 2",
            ),
        ),
        Scenario(
            "two parameters at once",
            "digits/lambda-eta",
            (
                f"lambda-eta --coarse {SMALL} --epochs 3 --trials 6 --prune halving --replicates 2",
                "lambda-eta --fine --trials 4",
                "test --top 1",
            ),
        ),
        Scenario(
            "tricks, one after another",
            "digits/tricks",
            (
                f"tricks {SMALL} --epochs 3 --replicates 2",
                "test --refit none --top 1",
            ),
        ),
        Scenario(
            "a race over folds",
            "digits/lambda",
            (
                f"lambda --coarse {SMALL} {RACING} --values 1e-4,1e-2,0.3,3 --folds 3",
                "test --top 1",
            ),
        ),
        Scenario(
            "a lab",
            "lab/settings",
            ("run lab.toml", "test lab/eta --top 1"),
            begin=_lab,
        ),
        Scenario(
            "a file of one's own",
            "mine/lambda",
            (f"lambda --coarse --data mine.npz {SMALL} --epochs 4 --trials 3", "test"),
            begin=_own_file,
            own_cache=True,
        ),
        Scenario(
            "a trainer of one's own",
            "digits/lambda",
            (
                "lambda --coarse --recipe own.toml --trials 5 --replicates 2",
                "test --recipe own.toml --top 1",
            ),
            begin=own_trainer,
        ),
        Scenario(
            "an older database",
            "half",
            (
                HALF,
                "test half --top 1",
            ),
            begin=_older,
        ),
    )
}


@dataclass(frozen=True)
class Moment:
    """When something happens to which command of a scenario; and ``again``, when carrying on."""

    kind: str
    scenario: str
    command: int
    plan: Plan = field(default_factory=Plan)
    blows: tuple[Blow, ...] = ()
    again: Plan | None = None


@dataclass(frozen=True)
class Reference:
    """What a scenario comes to when nothing happens.

    Attributes:
        folders: The folder before the first command and after each.
        ended: How each command ended.
        seconds: How long each takes with worker processes.
        facts: What the database says after each.
        outputs: What a user gets to see in the end.
    """

    scenario: Scenario
    folders: tuple[Path, ...]
    ended: tuple[Ended, ...]
    seconds: tuple[float, ...]
    facts: tuple[dict[str, str], ...]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of one try.

    Attributes:
        met: Whether the process was still there to be harmed.
        lost: Trials that the uninterrupted search has and this one has not.
        duplicated: Trials of ours or Optuna's that are there twice, or more than there should be.
        differing: Bytes that differ in ranking, export, curves, weights and Optuna's tables.
        running: Trials that are left running in Optuna.
        repeated: Segments that a cohort was trained again, at the most.
        wrong: What else is not as it should be.
    """

    moment: Moment
    met: bool
    lost: int = 0
    duplicated: int = 0
    differing: int = 0
    running: int = 0
    repeated: int = 0
    wrong: tuple[str, ...] = ()

    @property
    def passed(self):
        return not (
            self.lost or self.duplicated or self.differing or self.running or self.wrong
        ) and self.repeated <= (1 if self.moment.again is None else 2)


def reference(line, scenario, folder, *, timed_with_workers=False):
    """Carry out a scenario undisturbed."""
    here = folder / "work"
    here.mkdir(parents=True)
    scenario.begin(here)
    folders, ended, seconds, found = [_kept(here, folder / "after-0")], [], [], []
    for i, command in enumerate(scenario.commands):
        cache = _cache(scenario, here)
        answer = line.run(here, command, "--jobs", "1", "--quiet", plan=Plan(), **cache)
        assert answer.status == 0, answer.err
        ended.append(answer)
        found.append(facts(here / DATABASE))
        seconds.append(answer.seconds)
        if timed_with_workers:
            aside = _kept(folders[i], folder / f"workers-{i}")
            again = line.run(
                aside, command, "--jobs", "2", "--quiet", plan=Plan(workers=True), **cache
            )
            # The same bits, whoever trains.
            assert differing_bytes(found[i], facts(aside / DATABASE)) == (0, [])
            seconds[i] = again.seconds
        folders.append(_kept(here, folder / f"after-{i + 1}"))
    outputs = _outputs(line, scenario, here)
    return Reference(scenario, tuple(folders), tuple(ended), tuple(seconds), tuple(found), outputs)


def attempt(line, known, moment, folder, *, to_the_end=True):
    """Begin where the reference was before the command, harm it, and carry on."""
    scenario, i = known.scenario, moment.command
    here = _kept(known.folders[i], folder / "work")
    cache = _cache(scenario, here)
    jobs = ("--jobs", "2" if moment.plan.workers else "1", "--quiet")
    command = scenario.commands[i]
    plan = Plan(workers=moment.plan.workers)
    first = line.run(here, command, *jobs, plan=moment.plan, blows=moment.blows, **cache)
    trained = [*first.trained]
    wrong = _complaints(moment, first)
    if moment.again is not None:
        trained += line.run(here, command, *jobs, plan=moment.again, **cache).trained
    (here / BALLAST).unlink(missing_ok=True)
    # Whoever was told that a test is over would not open the test set once more.
    if first.status != 0 and not (command.startswith("test") and _is_there(here, known.facts[i])):
        again = line.run(here, command, *jobs, plan=plan, **cache)
        trained += again.trained
        if again.status != 0:
            wrong.append(f"could not be carried on, status {again.status}: {again.err}")
    if to_the_end and not wrong:
        for later in scenario.commands[i + 1 :]:
            after = line.run(here, later, "--jobs", "1", "--quiet", plan=Plan(), **cache)
            if after.status != 0:
                wrong.append(f"{later} ended with {after.status} afterwards: {after.err}")
    checked = line.run(here, "check")
    if checked.status != 0:
        wrong.append(checked.out + checked.err)
    wanted = known.facts[-1] | known.outputs if to_the_end else known.facts[i]
    found = facts(here / DATABASE) if (here / DATABASE).exists() else {}
    if to_the_end and found:
        found |= _outputs(line, scenario, here)
    differing, where = differing_bytes(wanted, found)
    if where:
        wrong.append(f"differing: {', '.join(where)}")
    ours, theirs = trials_of(here / DATABASE)
    ours_wanted, theirs_wanted = trials_of(known.folders[-1 if to_the_end else i + 1] / DATABASE)
    return Outcome(
        moment,
        met=first.status != 0 or first.struck,
        lost=len(set(ours_wanted) - set(ours)) + len(set(theirs_wanted) - set(theirs)),
        duplicated=max(0, len(ours) - len(ours_wanted)) + max(0, len(theirs) - len(theirs_wanted)),
        differing=differing,
        running=sum(state == "RUNNING" for *_, state in theirs)
        - sum(state == "RUNNING" for *_, state in theirs_wanted),
        repeated=repeated(trained),
        wrong=tuple(wrong),
    )


def _complaints(moment, ended):
    """Return what is wrong with how a harmed command ended, before it is carried on."""
    if ended.killed or ended.status == 0:
        return []
    complaint = f"ended with {ended.status}: {ended.err}"
    if moment.kind in STOPPED:
        # Before Python hears signals, the system ends it: the shell makes the same number of that.
        wanted = {STOPPED[moment.kind], -moment.blows[0].signal}
        # There is nothing to carry on with where it was stopped before it had begun.
        said = ended.err in {"", "stopped\n"} or "run the same command to carry on" in ended.err
        return (
            [] if ended.status in wanted and said and "Traceback" not in ended.err else [complaint]
        )
    if moment.plan.full is None and moment.plan.no_writing is None:
        return [complaint]
    # What the world does is one line that says what to do.
    lines = [each for each in ended.err.splitlines() if not each.startswith("note: ")]
    fine = ended.status == 1 and len(lines) == 1 and lines[0].startswith("error: ")
    return [] if fine else [complaint]


def _is_there(here, wanted):
    return (here / DATABASE).exists() and differing_bytes(wanted, facts(here / DATABASE))[0] == 0


def _kept(source, target):
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("cache"), dirs_exist_ok=True)
    return target


def _cache(scenario, here):
    return {"SEARCH_CACHE_DIR": str(here / "cache")} if scenario.own_cache else {}


def _outputs(line, scenario, here):
    """Return what a user gets to see in the end."""
    ranked = line.run(here, "rank", scenario.study, "--json")
    csv = line.run(here, "export", scenario.study, "--format", "csv")
    if ranked.status or csv.status:
        return {"error": ranked.err + csv.err}
    return {"ranking": stated(ranked.out), "export": exported(csv.out)}


# ---------------------------------------------------------------------------------- what happens

STATEMENT = "driver killed before an SQL statement"
COMMIT = "driver killed in a commit"
TWICE = "driver killed, and killed when carrying on"
MIGRATION = "driver killed while an older file is migrated"
DRIVER = "driver killed at a moment"
WORKER = "worker killed at a moment"
BOTH = "driver and workers killed at a moment"
NO_WRITING = "writing fails from an SQL statement on"
FULL = "disk full from an SQL statement on"
INTERRUPT = "Ctrl-C at a moment"
INTERRUPT_TWICE = "Ctrl-C twice"
TERMINATE = "SIGTERM at a moment"
STOPPED = {INTERRUPT: 130, INTERRUPT_TWICE: 130, TERMINATE: 143}
KINDS = (
    *(STATEMENT, COMMIT, TWICE, MIGRATION, DRIVER, WORKER, BOTH, NO_WRITING, FULL),
    *STOPPED,
)

# How many statements an older file takes until its tables are up to date.
_MIGRATING = 60


def moments(known, kind, n, seed=0):
    """Return ``n`` moments, the same for the same seed."""
    rng = random.Random(f"{known.scenario.name} {kind} {seed}")
    return [_moment(known, kind, rng) for _ in range(n)]


def _moment(known, kind, rng):
    name = known.scenario.name
    command = rng.choices(range(len(known.ended)), [e.statements for e in known.ended])[0]
    ended, seconds = known.ended[command], known.seconds[command]
    statement = rng.randint(1, ended.statements)
    if kind == COMMIT:
        delay = rng.choice((0.0, rng.uniform(0, 1e-3)))
        plan = Plan(commit=rng.randint(1, ended.commits), delay=delay)
    elif kind == MIGRATION:
        command, plan = 0, Plan(statement=rng.randint(1, _MIGRATING))
    elif kind == NO_WRITING:
        plan = Plan(no_writing=statement)
    elif kind == FULL:
        plan = Plan(full=statement)
    elif kind == STATEMENT:
        plan = Plan(statement=statement)
    elif kind == TWICE:
        again = Plan(statement=rng.randint(1, ended.statements))
        return Moment(kind, name, command, Plan(statement=statement), again=again)
    elif kind in STOPPED:
        after = rng.uniform(0, ended.seconds)
        number = signal.SIGTERM if kind == TERMINATE else signal.SIGINT
        times = (0.0, rng.uniform(0, 0.2))[: 2 if kind == INTERRUPT_TWICE else 1]
        blows = tuple(Blow(after + later, signal=number) for later in times)
        return Moment(kind, name, command, blows=blows)
    elif kind == DRIVER:
        return Moment(kind, name, command, blows=(Blow(rng.uniform(0, ended.seconds)),))
    else:
        # Workers take most of a second to start.
        after = rng.uniform((0.4 if kind == WORKER else 0.1) * seconds, 0.95 * seconds)
        blow = Blow(after, "worker" if kind == WORKER else "both")
        return Moment(kind, name, command, Plan(workers=True), (blow,))
    return Moment(kind, name, command, plan)
