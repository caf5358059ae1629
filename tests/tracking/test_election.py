"""Several studies that register a version of one model at the same time."""

import threading

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from rareflow.tracking import registry
from rareflow.tracking.election import OPEN
from rareflow.tracking.registry import SHA256, register

pytestmark = pytest.mark.fault


@pytest.fixture
def add(client, logged, monkeypatch):
    """Register a version with a score; its files, which are the same each time, are digested once."""
    recorded = client.get_logged_model(logged[1].model_id).tags[SHA256]
    monkeypatch.setattr(registry, "fetch", lambda _uri, folder: folder)
    monkeypatch.setattr(registry, "digest", lambda _: recorded)

    def add(name, score, *, digest="d"):
        return register(
            logged[1], name, val_macro_f1=score, data_digest=digest, protocol="p", card="# card", tags={}
        )

    return add


def champion(client, name):
    return client.get_model_version_by_alias(name, "champion")


def during(monkeypatch, method, act):
    """Have something happen once, just before MLflow does something for the first time from now on."""
    original = getattr(MlflowClient, method)
    pending = [act]

    def first_act(self, *args, **kwargs):
        if pending:
            pending.pop()()
        return original(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, method, first_act)


@pytest.mark.parametrize(
    "method", ["set_registered_model_alias", "update_model_version", "_create_model_version"]
)
@pytest.mark.parametrize(("first", "second"), [(0.5, 0.9), (0.9, 0.5), (0.7, 0.7)])
def test_of_two_registered_at_once_the_better_is_champion_whenever_they_meet(
    client, add, monkeypatch, method, first, second
):
    name = f"two-{method}-{first}-{second}"
    during(monkeypatch, method, lambda: add(name, second))
    add(name, first)
    holder = champion(client, name)
    assert float(holder.tags["val_macro_f1"]) == max(first, second)
    versions = client.search_model_versions(f"name = '{name}'")
    assert len(versions) == 2
    assert not [version for version in versions if OPEN in version.tags or not version.description]


def test_an_alias_that_another_process_sets_at_the_same_moment_is_set_again(client, add, monkeypatch):
    def refuse():
        raise MlflowException("UNIQUE constraint failed: registered_model_aliases")

    during(monkeypatch, "set_registered_model_alias", refuse)
    assert add("moment", 0.5).alias == "champion"
    assert champion(client, "moment").tags["val_macro_f1"] == "0.5"


def test_what_another_program_registers_meanwhile_is_no_candidate(client, add, monkeypatch):
    def another():
        made = client.create_model_version("shared", "file:///nowhere")
        client.update_model_version("shared", made.version, "not ours")

    during(monkeypatch, "update_model_version", another)
    assert add("shared", 0.5).alias == "champion"
    assert champion(client, "shared").tags["val_macro_f1"] == "0.5"
    assert len(client.search_model_versions("name = 'shared'")) == 2


def test_many_registered_at_once_leave_one_champion_which_is_the_best(client, add):
    scores = [0.3, 0.8, 0.5, 0.9, 0.1, 0.6]
    start, failed = threading.Barrier(len(scores)), []

    def study(score):
        start.wait()
        try:
            add("many", score)
        except Exception as err:
            failed.append(err)

    threads = [threading.Thread(target=study, args=(score,)) for score in scores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert champion(client, "many").tags["val_macro_f1"] == "0.9"
    assert len(client.search_model_versions("name = 'many'")) == len(scores)
    assert client.get_registered_model("many").aliases.keys() == {"champion", "challenger"}


def test_a_version_on_other_data_takes_nothing_from_one_registered_at_once(client, add, monkeypatch):
    add("mixed", 0.5)
    during(monkeypatch, "set_registered_model_alias", lambda: add("mixed", 0.99, digest="e"))
    assert add("mixed", 0.6).alias == "champion"
    assert champion(client, "mixed").tags["val_macro_f1"] == "0.6"


def test_whom_people_made_champion_again_is_the_one_to_beat(client, add):
    for score in (0.5, 0.9):
        add("people", score)
    client.set_registered_model_alias("people", "champion", "1")
    assert add("people", 0.6).reason == "better: val_macro_f1 0.6000 against 0.5000 of version 1"
    assert float(champion(client, "people").tags["val_macro_f1"]) == 0.6


def test_a_champion_that_an_interrupted_registration_displaced_comes_back(client, add, monkeypatch):
    add("back", 0.5)

    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "delete_model_version_tag", interrupted)
    with pytest.raises(KeyboardInterrupt):
        add("back", 0.9)
    assert [int(version.version) for version in client.search_model_versions("name = 'back'")] == [1]
    assert champion(client, "back").tags["val_macro_f1"] == "0.5"


def test_the_next_version_of_a_model_whose_champion_lost_its_alias_is_not_called_the_first(client, add):
    assert add("bereft", 0.9).reason == "the first version of this model"
    client.delete_registered_model_alias("bereft", "champion")
    made = add("bereft", 0.5)
    assert (made.version, made.alias, made.reason) == (
        "2",
        "champion",
        "no version of this model was champion",
    )
