"""How long segments are: short enough to lose little, long enough for the driver to keep up."""

from coarsefine.studies.planning.request import StageRequest
from coarsefine.studies.running.executors import InlineExecutor
from tests.studies.conftest import comparable


class Counting(InlineExecutor):
    """Trains here, in the name of any number of workers, and notes how long segments are."""

    def __init__(self, n_workers):
        super().__init__()
        self.n_workers = n_workers
        self.epochs = []

    def submit(self, segment):
        self.epochs.append(segment.n_epochs)
        super().submit(segment)


def test_segments_are_longer_where_workers_would_wait_for_the_driver(bench, monkeypatch):
    monkeypatch.setattr("coarsefine.studies.running.loop.SEGMENT_SECONDS", 1e-9)
    asked = StageRequest(values=(1e-4, 1e-2), replicates=2)
    few, crowd = Counting(1), Counting(10**15)

    one = bench.coarse(asked, name="one", means=bench.means(executor=few), training__epochs=9)
    two = bench.coarse(asked, name="two", means=bench.means(executor=crowd), training__epochs=9)

    assert set(few.epochs) == {1}
    # What was stored tells how long it takes; until then segments are as they always are.
    assert crowd.epochs[0] == 1
    assert max(crowd.epochs) > 4
    first, second = (comparable(bench.ranking(outcome.study)) for outcome in (one, two))
    assert first["trials"] == second["trials"]
