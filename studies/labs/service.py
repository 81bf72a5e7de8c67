"""A service: carries out what waits in the queue, entry by entry, and survives what it meets."""

import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from coarsefine.db import repository
from coarsefine.db.connections.engine import Database
from coarsefine.db.errors import BusyError, StorageError
from coarsefine.db.queue_records import QueueRecord, QueueState
from coarsefine.db.records import StudyRecord
from coarsefine.hints import HintedError, Message
from coarsefine.models.data import PreparedData
from coarsefine.models.data.confinement import confined
from coarsefine.models.errors import ModelError
from coarsefine.studies.errors import StudyError
from coarsefine.studies.labs.budgets import shared
from coarsefine.studies.labs.carrying_out import carried_out
from coarsefine.studies.labs.line import AGAIN, MOST_TRIES, UNFINISHED, fail_killer, taken
from coarsefine.studies.labs.queue import chosen, stored
from coarsefine.studies.labs.rules import Rules, ServedLab
from coarsefine.studies.planning.budget import Budget
from coarsefine.studies.planning.stages import Stage
from coarsefine.studies.recipes.recipe import Recipe, from_json
from coarsefine.studies.running.resources import Resources
from coarsefine.studies.running.training_enqueued import train_enqueued
from coarsefine.studies.running.watching import CohortProgress, Observer, StoppedByRequest

# How often an idle service looks for something to do, and a busy one whether it is to end.
POLL_SECONDS = 1.0
# How long an entry waits whose study somebody else drives, or whose database was not to be had.
BUSY_SECONDS = 20.0
# An entry that was taken so often without coming further is carried out in a process of its own.
TRIES_HERE = 2


class Display(Protocol):
    """What shows what a service does, and may ask it to end."""

    @property
    def observer(self) -> Observer:
        """Return who watches searches; to be asked to stop is to be asked to end."""

    def log(self, line: str) -> None:
        """Hear of what the service does, a line at a time."""

    def worded(self, error: HintedError) -> str:
        """Return an error in the words of whoever submits."""

    def wait(self, seconds: float) -> None:
        """Return after some time, or when the service is to end."""

    def ended(self, entry: QueueRecord) -> None:
        """Hear how an entry has ended."""

    def apart(self, entry: QueueRecord) -> int:
        """Carry out an entry in another process, which ends with this one; return its id."""


class _AtWork:
    """Watches an entry: tells the display, notes where it stands, hears whether it is to end."""

    def __init__(self, database: Database, entry: QueueRecord, watched: Observer) -> None:
        self._database = database
        self._entry = entry
        self._watched = watched
        self._looked = 0.0
        self.end: QueueState | None = None
        self.came_further = False
        self.part = ""
        self._training = ""

    @property
    def stop_requested(self) -> bool:
        """Return whether the service or this entry is to end."""
        if self._watched.stop_requested or self.end is not None:
            return True
        if self._due():
            self.end = repository.asked_to_end(self._database, self._entry)
        return self.end is not None

    def begins(self, study: StudyRecord, stage: Stage, recipe: Recipe, data: PreparedData) -> None:
        """Note what is about to be trained."""
        self._watched.begins(study, stage, recipe, data)
        self._training = f"{self.part}{study.name} {stage.name}"
        self.note(self._training)

    def progressed(self, progress: CohortProgress) -> None:
        """Note how far a cohort is, which is stored by now."""
        self._watched.progressed(progress)
        self.came_further = True
        if self._due():
            p = progress
            self.note(
                f"{self._training} {p.cohort}/{p.n_cohorts}, epoch {p.epoch} of {p.n_epochs}",
                further=True,
            )

    def said(self, line: str | Message) -> None:
        """Hand on."""
        self._watched.said(line)

    def note(self, progress: str, *, further: bool = False) -> None:
        """Note where the entry stands."""
        self._looked = time.monotonic()
        asked = repository.note_progress(self._database, self._entry, progress, further=further)
        self.end = self.end or asked

    def _due(self) -> bool:
        return time.monotonic() - self._looked >= POLL_SECONDS


@dataclass(slots=True)
class Service:
    """Takes queued entries in order, one at a time, until it is asked to end."""

    resources: Resources
    rules: Rules
    display: Display
    # When an entry may be tried again, by UUID; of the clock that never goes back.
    _later: dict[str, float] = field(default_factory=dict)
    # The one entry that this process is for, by UUID.
    only: str | None = None
    # How often an entry has ended its process, or the database has refused it, by UUID.
    _deaths: Counter[str] = field(default_factory=Counter)
    _refusals: Counter[str] = field(default_factory=Counter)
    _put_aside: set[str] = field(default_factory=set)
    _accepted: bool = False
    _said: set[str] = field(default_factory=set)

    def run(self, *, once: bool = False) -> bool:
        """Carry out what is queued.

        Args:
            once: End when nothing is left that can be done now.

        Returns:
            Whether no entry had to be put back that could not be carried out now.

        Raises:
            KeyboardInterrupt: If it was asked to end at once.
            StorageError: If the database is not to be had, and it is not to wait for it.
        """
        # Rows of the database name files, too: stages, plans and trials that are enqueued.
        with confined(self.rules.folders):
            return self._served(once=once)

    def _served(self, *, once: bool) -> bool:
        while not self.display.observer.stop_requested:
            try:
                busy = self.next()
            except StoppedByRequest:
                continue
            except StorageError as error:
                if once:
                    raise
                # The disk may be full, or the database restarting: nothing is lost by waiting.
                self.display.log(
                    f"error: {self.display.worded(error)}; trying again in {BUSY_SECONDS:.0f} s"
                )
                self.display.wait(BUSY_SECONDS)
                continue
            except Exception as error:  # rows that are none of this program's, say
                if once:
                    raise
                self._crashed()
                self.display.log(f"error: {_named(error)}; trying again in {BUSY_SECONDS:.0f} s")
                self.display.wait(BUSY_SECONDS)
                continue
            if not busy and once:
                break
            if not busy:
                self.display.wait(POLL_SECONDS)
        return not self._put_aside

    def next(self) -> bool:
        """Carry out what comes next, and return whether there was anything."""
        now = time.monotonic()
        self._later = {uuid: until for uuid, until in self._later.items() if until > now}
        # By turns: whoever goes on enqueuing trials must not keep all entries waiting.
        before, self._accepted = self._accepted, self.only is not None
        if not before and not self._accepted and self._train_enqueued():
            self._accepted = True
            return True
        found = taken(self.resources.database, tuple(self._later), self.only)
        if found is None:
            self._accepted = before and self.only is None and self._train_enqueued()
            return self._accepted
        entry, lock = found
        self._put_aside.discard(entry.uuid)
        apart = entry.tries > TRIES_HERE and self.only is None
        try:
            if not apart:
                self._carry_out(entry)
        finally:
            lock.release()
        if apart:
            self._carry_out_apart(entry)
        return True

    def _carry_out_apart(self, entry: QueueRecord) -> None:
        """Carry out an entry in a process of its own, and see whether it ends that.

        Services have ended while they were at it, which may be its doing or that of whoever killed
        them: only a process that is watched tells. An entry that ends it again and again fails.
        """
        database = self.resources.database
        self.display.log(
            f"entry {entry.id} ({entry.name}) was under way when the service ended before; it is "
            "carried out in a process of its own"
        )
        pid = self.display.apart(entry)
        if not self.display.observer.stop_requested:
            # Whoever kills all of a service's processes may come to this one last.
            self.display.wait(POLL_SECONDS)
        now = repository.find_entry(database, entry.id)
        if self.display.observer.stop_requested or now is None:
            return
        if (now.state, now.driver_pid) != ("running", pid):
            del self._deaths[entry.uuid]
            return
        # A try that came further is counted as the first one.
        self._deaths[entry.uuid] = 1 if now.tries == 1 else self._deaths[entry.uuid] + 1
        self.display.log(f"entry {entry.id} ended its process, time {self._deaths[entry.uuid]}")
        if self._deaths[entry.uuid] >= MOST_TRIES:
            fail_killer(database, now)
            self.display.log(f"entry {entry.id} has failed")
            self._tell(entry)

    def _train_enqueued(self) -> bool:
        """Train what was enqueued on Optuna's side, and return whether there was anything."""
        database = self.resources.database
        for study, stage in repository.stages_with_enqueued(database):
            if stage.uuid in self._later:
                continue
            # Whatever comes of it, others have their turn before it is looked at again.
            self._later[stage.uuid] = time.monotonic() + BUSY_SECONDS
            try:
                done = train_enqueued(self.resources, study, stage, self._recipe(study))
            except BusyError:
                continue
            except (StudyError, ModelError, StorageError) as error:
                self._say_once(
                    f"{stage.optuna_name}: enqueued trials wait: {self.display.worded(error)}"
                )
                continue
            except Exception as error:  # logged, and no other waits for it
                self._crashed()
                self._say_once(f"{stage.optuna_name}: enqueued trials wait: {_named(error)}")
                continue
            if not done:
                self._say_once(
                    f"{stage.optuna_name}: enqueued trials wait until its search is carried on"
                )
                continue
            if all(
                stage.uuid != left.uuid for _, left in repository.stages_with_enqueued(database)
            ):
                del self._later[stage.uuid]
            return True
        return False

    def _recipe(self, study: StudyRecord) -> Recipe:
        """Return the recipe of a study that somebody enqueued trials in.

        Raises:
            StudyError: If it names what it may not: whoever can enqueue can change recipes, too.
        """
        recipe = from_json(study.recipe, f"the recipe of study {study.name}")
        named = [recipe.trainer] if recipe.trainer else []
        return self.rules.applied(recipe, named, self.resources.data_dir)

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self.display.log(line)

    def _carry_out(self, entry: QueueRecord) -> None:
        watch = _AtWork(self.resources.database, entry, self.display.observer)
        resources = replace(self.resources, observer=watch)
        again = "" if entry.tries == 1 else f", try {entry.tries}"
        self.display.log(f"entry {entry.id} ({entry.name}, by {entry.submitted_by}) begins{again}")
        answers: list[Any] = []
        try:
            self._parts(entry, resources, watch, answers)
        except StoppedByRequest:
            self._end(entry, watch.end or "waiting", answers)
        except KeyboardInterrupt:
            self._end(entry, "waiting", answers)
            raise
        except BusyError as error:
            self._put_back(entry, self.display.worded(error))
        except StorageError as error:
            before = 0 if watch.came_further else self._refusals[entry.uuid]
            self._refusals[entry.uuid] = before + 1
            if self._refusals[entry.uuid] >= MOST_TRIES:
                self._end(entry, "failed", answers, self.display.worded(error))
            else:
                self._put_back(entry, self.display.worded(error))
        except (StudyError, ModelError) as error:
            self._end(entry, "failed", answers, self.display.worded(error))
        except Exception as error:  # logged, and the next entry's turn
            self._crashed()
            self._end(entry, "failed", answers, _named(error))
        else:
            failed = [a["part"] or entry.name for a in answers if a.get("passed") is False]
            error_line = f"{' and '.join(failed)} did not pass" if failed else None
            self._end(entry, "failed" if failed else "finished", answers, error_line)

    def _crashed(self) -> None:
        """Log a mistake of this program's, while the service goes on."""
        for line in traceback.format_exc().rstrip().splitlines():
            self.display.log(line)

    def _parts(
        self, entry: QueueRecord, resources: Resources, watch: _AtWork, answers: list[Any]
    ) -> None:
        asked = stored(entry)
        read = asked.lab(f"entry {entry.id}")
        lab = ServedLab(
            **{name: getattr(read, name) for name in type(read).model_fields},
            rules=self.rules,
            data_dir=resources.data_dir,
        )
        parts = chosen(lab, asked.parts)
        for part in parts:
            lab.recipe(part)  # all of them before the first is trained
        if asked.within is not None:
            # It begins anew with each turn that the entry has.
            resources = replace(resources, budget=Budget(asked.within))
        for number, (part, own) in enumerate(shared(resources, lab, parts), 1):
            watch.part = f"part {number} of {len(parts)}: " if len(parts) > 1 else ""
            watch.note(f"{watch.part}{part.name or lab.name}")
            if watch.stop_requested:
                raise StoppedByRequest
            answer = carried_out(own, lab, part, fresh=asked.fresh)
            answers.append({"part": part.name, "does": part.does, **answer.to_json()})

    def _put_back(self, entry: QueueRecord, why: str) -> None:
        self._later[entry.uuid] = time.monotonic() + BUSY_SECONDS
        self._put_aside.add(entry.uuid)
        self.display.log(f"entry {entry.id} waits for {BUSY_SECONDS:.0f} s: {why}")
        repository.note_progress(self.resources.database, entry, f"{AGAIN}{why}")
        repository.end_entry(self.resources.database, entry, "waiting")

    def _end(
        self,
        entry: QueueRecord,
        state: QueueState,
        answers: Sequence[Any],
        error: str | None = None,
    ) -> None:
        line = None if error is None else " ".join(error.split())
        what = _WORDS[state]
        self.display.log(f"entry {entry.id} {what}" + (f": {line}" if line else ""))
        database = self.resources.database
        repository.end_entry(database, entry, state, error=line, answers=answers)
        self._tell(entry)

    def _tell(self, entry: QueueRecord) -> None:
        """Tell whoever waits for an entry, once it has ended."""
        now = repository.find_entry(self.resources.database, entry.id)
        if now is not None and now.state not in UNFINISHED:
            self.display.ended(now)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


_WORDS: dict[str, str] = {
    "waiting": "is put back in the queue",
    "paused": "is paused",
    "finished": "has finished",
    "failed": "has failed",
    "cancelled": "has been cancelled",
}
