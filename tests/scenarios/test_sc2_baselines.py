"""`scheme=sc2` on the commands: three baselines, each by its own knob, under its own tables."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from profiles import schemes
from scenarios.__main__ import run

SC2 = ("scheme=sc2", "model.batches=[1]")


@pytest.fixture
def words(quick):
    """The quick overrides, but for the network that they name."""
    return [word for word in quick if word != "model=digits"]


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_width_is_what_a_request_uploads(words, capfd):
    given = ["scheme.method=cr_bq", "sweep=['scheme.width=1,6']", "fleet.n_devices=64"]
    assert run(["simulate", *words, *SC2, *given, "name=widths"]) == 0
    assert "Scheme sc2: trained here on scenes" in " ".join(capfd.readouterr().out.split())
    one, six = rows("widths")
    sent = [float(row["uplink_bytes_per_request"]) for row in (one, six)]
    assert sent[1] - sent[0] == 80.0
    assert (one["model"], one["cut"], one["codec"]) == ("scenes16", "encoder", "prior")
    assert float(one["table_accuracy_class"]) < float(six["table_accuracy_class"])


def test_methods_are_an_axis(words):
    axis = "sweep=['scheme.method=cr_bq,entropic_student']"
    assert run(["simulate", *words, *SC2, axis, "name=methods"]) == 0
    assert len({row["point_id"] for row in rows("methods")}) == 2
    about = json.loads(Path("outputs/methods/run.json").read_text())["provenance"]["scheme"]
    assert about["kind"] == "trained here"


def test_a_plan_answers(planned, words):
    plan = planned("planned_sc2", [*SC2, *words])
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]


@pytest.mark.parametrize(("given", "said"), [
    (["scheme.beta=7"], "scheme.beta of entropic_student must be one of"),
    (["scheme.method=cr_bq", "scheme.beta=1"], "scheme.method=cr_bq takes width"),
    (["cut=input", "codec=raw8"], "its device computes up to encoder, so cut must be one of"),
    (["scheme.method=cr_bq", "cut=decoder"], "the prior has 3 channels along axis -3"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_line(words, capfd, given, said):
    assert run(["simulate", *words, *SC2, *given]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_train_compares_the_width_that_is_named(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    folder = Path("outputs/cache")
    folder.mkdir(parents=True, exist_ok=True)
    for stem in ("mtl_split-scenes16-class", "sc2-scenes16-cr_bq-6"):  # as if trained here before
        about = json.loads((schemes.SHIPPED / f"{stem}.json").read_text())
        for suffix in ("npz", "json"):
            to = folder / f"{stem}-{about['recipe_digest']}.{suffix}"
            shutil.copy(schemes.SHIPPED / f"{stem}.{suffix}", to)
    assert run(["train", "scheme=sc2", "scheme.method=cr_bq", "scheme.width=6"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[0].split(": ")[1] == said[1].split(": ")[1]
