"""One cluster for all tests that leave it whole."""

import pytest

from tests.studies.dask.cluster import Cluster

MISSING = "Dask is not installed: pip install -e '.[dask]'"


# Not for the session: idle workers would use processor time until its end.
@pytest.fixture(scope="package")
def cluster(tmp_path_factory):
    pytest.importorskip("distributed", reason=MISSING)
    made = Cluster(tmp_path_factory.mktemp("dask"), n_workers=2)
    yield made
    made.close()


@pytest.fixture
def executor(cluster, monkeypatch):
    from coarsefine.studies.running.dask import connection
    from coarsefine.studies.running.dask.address import scheduler_at
    from coarsefine.studies.running.dask.executor import DaskExecutor

    monkeypatch.setattr(connection, "CONNECT_SECONDS", 60.0)
    said = []
    with DaskExecutor(scheduler_at(cluster.address), said=said.append) as made:
        made.lines = said
        yield made
