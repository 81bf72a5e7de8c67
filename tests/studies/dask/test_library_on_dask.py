"""A search that Python gives to a cluster."""

from coarsefine import Study


def test_a_search_from_python_is_the_same_on_a_cluster(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {"epochs": 2, "hidden": 8}

    here = Study.search("lambda", name="here", **asked).coarse(trials=4, fresh=True)
    there = Study.search("lambda", name="there", scheduler=cluster.address, **asked).coarse(
        trials=4, fresh=True
    )

    varied = ["study", "seconds"]
    ours, theirs = (ranking.to_pandas().drop(columns=varied) for ranking in (here, there))
    assert ours.equals(theirs)
    assert len(there) == 4
