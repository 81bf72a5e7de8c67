"""The command line of the benchmarks, and what they simulate."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.common import parser, to_options
from benchmarks.ours import Ours
from benchmarks.peers import PEERS
from benchmarks.scaling_out import DaskCost, DriverCost, simulated_cluster
from benchmarks.work import L2_STRENGTHS, w7


def test_peers_are_taken_by_name():
    def peers(*words):
        return to_options(parser("").parse_args(words)).peers

    assert peers() is None
    assert peers("--peers", "none") == ()
    assert peers("--peers", "torch-loop,sklearn") == ("torch-loop", "sklearn")


@pytest.mark.parametrize("named", ["torch_loop", "torch-loop,", "none,sklearn", "sklearn,nobody"])
def test_a_peer_that_is_none_is_refused_with_those_there_are(named, capsys):
    with pytest.raises(SystemExit) as ended:
        parser("").parse_args(["--peers", named])

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(peer.name in said for peer in PEERS)


@settings(max_examples=30)
@given(
    n_workers=st.integers(1, 60),
    seconds=st.floats(0.1, 100),
    storing=st.floats(1e-4, 1.0),
    n_segments=st.integers(1, 5),
)
def test_a_simulated_cluster_is_no_faster_than_its_workers_or_its_driver(
    n_workers, seconds, storing, n_segments
):
    driver = DriverCost(0.0, storing, 0.0, tell=0.0, segment_commits=1, trial_commits=1)
    dask = DaskCost(1e-4, 1e-4, 1e-4, there=1000, back=1000, round_trip=1e-3)

    busy, rate = simulated_cluster(n_workers, seconds, n_segments, driver, dask)

    assert 0 < busy <= 1
    assert rate <= n_workers * n_segments / (0.8 * seconds) * (1 + 1e-9)
    assert rate <= 1 / storing
    # Few workers with much to do hardly wait.
    if n_workers * (storing + 1e-3) < 0.05 * seconds / n_segments:
        assert busy > 0.85


def test_a_search_is_timed_from_its_start_to_its_end():
    with Ours(1) as ours:
        found = ours.search(w7(to_options(parser("").parse_args([])), n_epochs=1), compiled=False)

    assert set(found.accuracies) == set(L2_STRENGTHS)
    assert 0 < found.training_seconds <= found.busy_seconds <= found.worker_seconds
    assert found.waited < 1
