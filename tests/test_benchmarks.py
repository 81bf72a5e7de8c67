"""The command line of the benchmarks."""

import pytest

from benchmarks.common import parser, to_options
from benchmarks.peers import PEERS


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
