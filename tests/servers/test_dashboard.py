"""The dashboard of a database on a server."""

from tests.search.conftest import COARSE
from tests.search.dashboard.conftest import client_of


def test_it_shows_what_optuna_and_we_have_there(url, search):
    assert search(*COARSE, "--storage", url, "--quiet").status == 0
    ranked = {
        trial["trial"]: trial for trial in search("rank", "--storage", url, "--json").json["trials"]
    }

    with client_of(url) as client:
        page = client.detail("digits/lambda/coarse")
        assert client.ask("DELETE", "/api/studies/1").status == 403

    assert len(page["trials"]) == len(ranked) == 4
    for shown in page["trials"]:
        own = ranked[shown["number"]]
        assert shown["values"] == [own["validation_accuracy"]]
        assert shown["params"][0]["param_external_value"] == str(own["params"]["lambda"])
        assert len(shown["intermediate_values"]) == 3
        assert f"**Rank {own['rank']} of 4" in shown["note"]["body"]
    assert "## Result" in page["note"]["body"]
