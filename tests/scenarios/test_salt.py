"""`scheme=salt` by configuration alone: with any codec, with training as traffic, in plans."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from profiles import schemes
from scenarios.__main__ import run

SALT = ("scheme=salt", "codec=int4", "model.batches=[1]")
TRAINS = ("workload.adapt_rounds=50", "horizon_s=42", "warmup_s=40")


def rows(name, file="results"):
    with Path(f"outputs/{name}/{file}.csv").open() as source:
        return list(csv.DictReader(source))


def test_an_adapter_in_front_of_int4_answers_for_the_shifted_user(quick, capfd):
    axes = "sweep=['scheme.form=residual,insertion,none']"
    assert run(["simulate", *quick, *SALT, axes, "fleet.n_devices=64", "name=salt"]) == 0
    adapted, inserted, closed = rows("salt")
    for row in (adapted, inserted):
        assert float(row["table_accuracy"]) - float(closed["table_accuracy"]) > 0.3
        assert row["uplink_bytes_per_request"] == closed["uplink_bytes_per_request"]
        assert (row["scheme"], row["cut"], row["codec"]) == ("salt", "stage3", "int4")
        assert float(row["accuracy_lo"]) <= float(row["accuracy"]) <= float(row["accuracy_hi"])
    about = json.loads(Path("outputs/salt/run.json").read_text())["provenance"]["scheme"]
    assert about["kind"] == "trained here"
    assert "trained here on rotated scikit-learn's digits" in " ".join(
        capfd.readouterr().out.split()
    )


def test_training_is_traffic_with_columns_of_its_own(quick, capfd):
    assert run(["simulate", *quick, *SALT, *TRAINS, "timeline=true", "name=adapts"]) == 0
    (row,) = rows("adapts")
    batch = 40
    payload = float(row["uplink_bytes_per_request"])
    assert float(row["adapt_uplink_bytes_per_device"]) == pytest.approx(50 * batch * payload)
    assert float(row["adapt_downlink_bytes_per_device"]) == 50 * batch * 4 * 128
    assert float(row["adapt_done_share"]) == 1.0
    assert 0.0 < float(row["adapt_half_s"]) < float(row["adapt_s"]) < 40.0
    assert float(row["adapt_s_lo_total"]) <= float(row["adapt_s"])
    start, end = float(row["adapt_accuracy_start"]), float(row["adapt_accuracy"])
    assert end - start > 0.3
    over_time = rows("adapts", "training")
    reached = [float(one["reached"]) for one in over_time]
    assert reached == sorted(reached)
    assert reached[-1] == pytest.approx(end)
    engines = json.loads(Path("outputs/adapts/run.json").read_text())["engines"]
    assert "adapt_rounds=50" in json.dumps(engines)


@pytest.mark.parametrize(("command", "words", "said"), [
    ("simulate", [*SALT, *TRAINS, "engine=compiled"], "does not know workload.adapt_rounds=50"),
    ("simulate", [*SALT, *TRAINS, "cut=stage4"], "needs a source that can be trained"),
    ("simulate", ["codec=int4", *TRAINS], "needs a source that can be trained"),
    ("simulate", [*SALT, "cut=stage1"], "scheme salt: its device computes up to stage3, so cut"),
    ("simulate", [*SALT, "scheme.goal=loss", "scheme.form=insertion"], "is shipped for"),
    ("plan", [*SALT, "slo.p95_s=0.1", "workload.adapt_rounds=5"],
     "plan asks what a fleet bears for good, so workload.adapt_rounds must be 0, got 5"),
])  # fmt: skip
def test_what_it_cannot_be_is_refused_in_a_line(quick, capfd, command, words, said):
    kept = [
        one for one in quick if one.partition("=")[0] not in {w.partition("=")[0] for w in words}
    ]
    assert run([command, *kept, *words]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_a_plan_answers_for_adapted_devices(quick, capfd):
    budget = ["plan.requests_per_run=800", "plan.pilot_requests=200", "plan.n_runs=3", "workers=1",
              "plan.half_width=0.3", "slo.p95_s=0.5", "server.speed=0.01"]  # fmt: skip
    args = [one for one in quick if not one.startswith("replications")]
    assert run(["plan", *args, *SALT, *budget, "name=salted"]) == 0
    plan = json.loads(Path("outputs/salted/plan.json").read_text())
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]
    assert plan["provenance"]["scheme"]["trained_on"] == "rotated scikit-learn's digits, 8 x 8"


def test_train_repeats_the_recipe_of_the_goal(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    folder, name = Path("outputs/cache"), "salt-digits-loss-residual"
    folder.mkdir(parents=True, exist_ok=True)
    digest = schemes.create("salt", "digits", goal="loss").provenance["recipe_digest"]
    for suffix in ("npz", "json"):  # as if it had been trained here before
        shutil.copy(schemes.SHIPPED / f"{name}.{suffix}", folder / f"{name}-{digest}.{suffix}")
    assert run(["train", "scheme=salt", "scheme.goal=loss", "model=digits"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("salt on digits goal=loss form=residual, trained here: 97.78 % right,"
                              " without adapter 60.00 %")  # fmt: skip
    assert said[0].split(": ")[1] == said[1].split(": ")[1]
