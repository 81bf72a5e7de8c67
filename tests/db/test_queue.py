"""The queue: entries are taken in order, each by one only, and end as they are told to."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from coarsefine.db import repository
from coarsefine.db.connections.engine import open_database
from coarsefine.db.errors import StorageError


def add(db, name="lab", **changes):
    asked = {"content": "η = 1", "options": {"parts": ["a"]}, "submitted_by": "me@here"}
    return repository.add_entry(db, name=name, **(asked | changes))


def take(db, entry):
    return repository.take_entry(db, entry, host="here", pid=1)


def test_entries_come_back_whole_and_in_order(db):
    added = [add(db, name) for name in "abc"]

    assert repository.queue(db) == added
    assert repository.find_entry(db, added[1].id) == added[1]
    assert repository.find_entry(db, 99) is None
    first = added[0]
    assert (first.content, first.options, first.state) == ("η = 1", {"parts": ["a"]}, "waiting")


def test_of_many_that_take_an_entry_at_once_one_gets_it(path, db):
    entries = [add(db) for _ in range(10)]

    def take_all(_):
        with open_database(str(path)) as mine:
            return [take(mine, entry) is not None for entry in entries]

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(take_all, range(4)))

    assert [sum(each) for each in zip(*taken, strict=True)] == [1] * 10


def test_an_entry_that_is_not_as_it_was_cannot_be_taken(db):
    entry = add(db)
    repository.cancel_entry(db, entry)

    assert take(db, entry) is None
    assert repository.find_entry(db, entry.id).state == "cancelled"


def test_a_running_entry_is_taken_over_once_and_its_tries_are_counted(db):
    first = take(db, add(db))
    second = take(db, first)

    assert (first.tries, second.tries) == (1, 2)
    assert second.started_at == first.started_at
    assert take(db, first) is None


def test_whoever_came_further_may_be_tried_as_often_again(db):
    entry = take(db, take(db, add(db)))

    repository.note_progress(db, entry, "epoch 3", further=True)

    found = repository.find_entry(db, entry.id)
    assert (found.tries, found.progress) == (1, "epoch 3")


def test_an_entry_that_is_put_back_keeps_its_place(db):
    first, second = add(db), add(db)
    entry = take(db, first)

    repository.end_entry(db, entry, "waiting")

    found = repository.queue(db, ["waiting"])
    assert [e.id for e in found] == [first.id, second.id]
    assert (found[0].tries, found[0].driver_pid, found[0].ended_at) == (0, None, None)


def test_a_running_entry_hears_that_it_is_to_be_cancelled(db):
    entry = take(db, add(db))
    assert repository.asked_to_end(db, entry) is None

    assert repository.pause_entry(db, entry).state == "running"
    assert repository.asked_to_end(db, entry) == "paused"
    assert repository.note_progress(db, entry, "epoch 1") == "paused"
    assert repository.resume_entry(db, entry).state == "running"
    assert repository.asked_to_end(db, entry) is None
    assert repository.cancel_entry(db, entry).state == "running"
    # What is to end for good cannot be paused.
    repository.pause_entry(db, entry)

    assert repository.asked_to_end(db, entry) == "cancelled"
    assert repository.note_progress(db, entry, "epoch 1") == "cancelled"


def test_a_paused_entry_waits_until_it_is_resumed(db):
    entry = take(db, add(db))
    waiting = add(db, priority=7)

    repository.end_entry(db, entry, "paused")
    repository.pause_entry(db, waiting)

    assert [(e.state, e.tries) for e in repository.queue(db)] == [("paused", 0)] * 2
    assert take(db, entry) is None
    assert repository.resume_entry(db, waiting).state == "waiting"
    assert repository.set_priority(db, waiting, -2).priority == -2
    assert repository.cancel_entry(db, entry).state == "cancelled"
    assert repository.resume_entry(db, entry).state == "cancelled"
    assert repository.set_priority(db, entry, 3).priority == 0


def test_what_has_ended_stays_as_it_is(db):
    entry = take(db, add(db))
    repository.end_entry(db, entry, "failed", error="it was wrong", answers=[{"part": "a"}])
    ended = repository.find_entry(db, entry.id)

    repository.end_entry(db, entry, "finished")

    assert repository.cancel_entry(db, entry) == ended
    assert (ended.error, ended.answers, ended.driver_host) == (
        "it was wrong",
        [{"part": "a"}],
        None,
    )


def test_who_was_replaced_ends_nothing(db):
    first = take(db, add(db))
    second = repository.take_entry(db, first, host="elsewhere", pid=2)

    repository.end_entry(db, first, "failed")

    assert repository.find_entry(db, first.id) == second


def test_an_entry_that_was_deleted_is_not_gone_on_with(path, db):
    entry = take(db, add(db))
    with db.write() as session:
        session.connection().exec_driver_sql("DELETE FROM training_queue")

    assert repository.asked_to_end(db, entry) == "cancelled"
    with pytest.raises(StorageError, match="no longer in the queue"):
        repository.note_progress(db, entry, "epoch 1")
