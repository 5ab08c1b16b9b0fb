"""`scheme=ladon` on the commands: its own model and codec unless others are named."""

import csv
import json
from pathlib import Path

import pytest

from profiles import schemes
from scenarios.__main__ import run

LADON = ("scheme=ladon", "model.batches=[1]")
TASKS = ("class", "place", "brightness")


@pytest.fixture
def words(quick):
    """The quick overrides, but for the network that they name."""
    return [word for word in quick if word != "model=digits"]


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


def test_it_brings_its_own_model_cut_and_codec(words, capfd):
    assert run(["simulate", *words, *LADON, "fleet.n_devices=64", "name=ladon"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "Scheme ladon: trained here on scenes of one of scikit-learn's digits" in said
    (row,) = rows("ladon")
    own = ("ladon", "scenes16", "encoder", "prior", "64")
    assert tuple(row[key] for key in ("scheme", "model", "cut", "codec", "n_devices")) == own
    assert 25.0 < float(row["uplink_bytes_per_request"]) < 60.0
    each = [float(row[f"table_accuracy_{task}"]) for task in TASKS]
    assert float(row["table_accuracy"]) == pytest.approx(sum(each) / 3)
    assert float(row["table_accuracy_class_lo"]) < each[0] < float(row["table_accuracy_class_hi"])
    assert float(row["latency_p95_s_lo"]) <= float(row["latency_p95_s"])
    about = json.loads(Path("outputs/ladon/run.json").read_text())["provenance"]["scheme"]
    assert (about["kind"], about["beta"]) == ("trained here", 0.32)


def test_bytes_and_accuracy_along_beta_are_a_sweep(words):
    axis = "sweep=['scheme.beta=0.32,20.48']"
    assert run(["simulate", *words, *LADON, axis, "name=betas"]) == 0
    every = rows("betas")
    sent = [float(row["uplink_bytes_per_request"]) for row in every]
    right = [float(row["table_accuracy_class"]) for row in every]
    assert sent == sorted(sent, reverse=True)
    assert right[-1] < 0.5 < right[0]
    assert len({row["point_id"] for row in every}) == 2


def test_another_codec_stands_in_where_it_is_named(words):
    assert run(["simulate", *words, *LADON, "codec=int8", "name=other"]) == 0
    assert run(["simulate", *words, *LADON, "name=own"]) == 0
    (other,), (own,) = rows("other"), rows("own")
    assert (other["codec"], other["cut"]) == ("int8", "encoder")
    assert float(other["uplink_bytes_per_request"]) > float(own["uplink_bytes_per_request"])


def test_a_plan_has_intervals_and_says_where_it_was_trained(planned, words, capfd):
    plan = planned("planned_ladon", [*LADON, *words])
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]
    assert plan["provenance"]["scheme"]["tables"]
    assert "trained here on" in " ".join(capfd.readouterr().out.split())


@pytest.mark.parametrize(("given", "said"), [
    (["cut=input", "codec=raw8"], "its device computes up to encoder, so cut must be one of"),
    (["cut=decoder"], "the prior has 6 channels along axis -3, got (32, 4, 4)"),
    (["codec=jpeg"], "cut=encoder sends features, which codec jpeg does not encode"),
    (["link.transport=bit_error", "link.bit_error_rate=1e-4"],
     "codec=prior writes payloads of variable length"),
    (["scheme.beta=3"], "scheme.beta must be one of 0.02, 0.32, 1.28, 5.12, 20.48, got 3"),
    (["model=digits"], "scheme ladon is trained for model scenes16, got 'digits'"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_line(words, capfd, given, said):
    assert run(["simulate", *words, *LADON, *given]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_its_codec_needs_a_scheme_that_brings_tables(quick, capfd):
    assert run(["simulate", *quick, "model.batches=[1]", "codec=prior"]) == 2
    assert "prior needs a calibration with tables: the scheme" in capfd.readouterr().err


def test_training_is_of_the_beta_that_is_named():
    scheme = schemes.create("ladon", "scenes16", beta=5.12)
    assert schemes.training_options(scheme) == {"beta": 5.12}
