"""`scheme=NAME` on the commands and through the door, on the small network of the digits."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

import splitfleet as sf
from profiles import schemes
from scenarios.__main__ import run
from scenarios.systems.library import Library
from scenarios.systems.plain import CODECS, PLAIN

EXIT = ("scheme=early_exit", "codec=raw32", "model.batches=[1]")
SMALL = {"model": sf.model("digits", samples=40, repeats=1, batches=[1]), "horizon_s": 2.0,
         "warmup_s": 0.5, "replications": 2}  # fmt: skip


def rows(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return list(csv.DictReader(file))


def test_exits_answer_on_the_device_and_say_where_the_network_was_trained(quick, capfd):
    assert run(["simulate", *EXIT, *quick, "fleet.n_devices=64", "name=exits"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert (
        "Scheme early_exit (confidence > 0.7 after layer1): trained here on scikit-learn's" in said
    )
    (row,) = rows("exits")
    assert (row["scheme"], row["cut"], row["model"]) == ("early_exit", "layer1", "digits")
    assert 0.0 < float(row["exit_share"]) <= 1.0
    assert float(row["exit_share_lo"]) < float(row["exit_share"])
    assert float(row["accuracy_lo"]) <= float(row["accuracy"])
    about = json.loads(Path("outputs/exits/run.json").read_text())["provenance"]["scheme"]
    assert about["kind"] == "trained here"
    assert about["recipe"]["name"] == "early_exit-digits-0"


def test_fewer_bytes_the_lower_the_threshold(quick):
    axis = "sweep=['scheme.threshold=0.0,0.7,0.97,1.0']"
    assert run(["simulate", *EXIT, *quick, axis, "name=thresholds"]) == 0
    every = rows("thresholds")
    sent = [float(row["uplink_bytes_per_request"]) for row in every]
    shares = [float(row["exit_share"]) for row in every]
    assert sent[0] == 0.0
    assert sent == sorted(sent)
    whole = sent[-1]
    assert shares[0] == 1.0
    assert shares[-1] == 0.0
    for share, size in zip(shares, sent, strict=True):
        assert size == pytest.approx((1.0 - share) * whole, abs=0.1 * whole)
    assert len({row["point_id"] for row in every}) == 4


def test_a_plan_of_a_scheme_has_intervals_and_provenance(planned, quick, capfd):
    plan = planned("planned", [*EXIT, "scheme.threshold=0.97", *quick])
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]
    assert plan["provenance"]["scheme"]["trained_on"] == "scikit-learn's digits, 8 x 8"
    assert "trained here on" in " ".join(capfd.readouterr().out.split())


@pytest.mark.parametrize(("words", "said"), [
    (["scheme=early_exit", "cut=input", "codec=raw8"],
     "scheme early_exit: its device computes up to layer1, so cut must be one of layer1, layer2,"
     " output, got 'input'"),
    (["scheme=early_exit", "cut=stage9"], "unknown cut 'stage9'"),
    (["scheme=early_exit", "scheme.threshold=2"], "scheme.threshold must be in 0..1, got 2"),
    (["scheme=early_exit", "trace=some.npz"], "scheme=early_exit traces its own network"),
    (["scheme=early_exit", "request=by_hand"], "scheme=early_exit needs a network"),
    (["scheme=early_exit", "model.weights=there"], "has weights and data of its own"),
    (["scheme=early_exit", "model.name=resnet34"], "is trained for model digits, scenes16 or"),
])  # fmt: skip
def test_what_a_scheme_cannot_be_is_refused_in_a_line(quick, capfd, words, said):
    assert run(["simulate", *quick, *words]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_the_door_plays_a_scheme_with_any_codec(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    chosen = sf.scheme("early_exit", threshold=0.97)
    case = sf.case(split=("layer1", "int8"), scheme=chosen, **SMALL)
    with_exits = case.simulate()
    without = case.change(scheme=sf.scheme("early_exit", threshold=1.0)).simulate()
    assert with_exits["uplink_bytes_per_request"] < without["uplink_bytes_per_request"]
    assert without["exit_share"] == 0.0
    assert "exit_share" not in sf.case(split=("stage3", "int8"), **SMALL).simulate()


def test_every_shipped_scheme_has_a_sheet():
    assert set(sf.names("scheme")) == {PLAIN, *CODECS, *schemes.names()}


def test_train_compares_with_what_is_shipped(workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    folder, name = Path("outputs/cache"), "early_exit-digits-0"
    folder.mkdir(parents=True, exist_ok=True)
    digest = schemes.create("early_exit", "digits").provenance["recipe_digest"]
    for suffix in ("npz", "json"):  # as if it had been trained here before
        shutil.copy(schemes.SHIPPED / f"{name}.{suffix}", folder / f"{name}-{digest}.{suffix}")
    assert run(["train", "scheme=early_exit", "model=digits"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[0].startswith("early_exit on digits, trained here: 95.83 % right, early 95.56 %")
    assert said[0].split(": ")[1] == said[1].split(": ")[1]


PAGE = Path(schemes.__file__).parents[2] / "docs" / "extend.md"


def test_the_pages_own_scheme_is_played_by_its_own_name(quick, capfd):
    recipe = PAGE.read_text(encoding="utf-8").partition("## A scheme")[2]
    code = re.search(r"`margin.py`:\n\n```python\n(.*?)```", recipe, re.S)[1]
    Path("margin.py").write_text(code)
    words = ["scheme=margin.py:make", "+scheme.threshold=0.9", "codec=raw32"]
    assert run(["simulate", *quick, *words, "model.batches=[1]", "name=margin"]) == 0
    (row,) = rows("margin")
    assert row["method"] == "margin.py:make, layer1 raw32"
    assert "Scheme margin (margin > 0.9 after layer1)" in " ".join(capfd.readouterr().out.split())


def test_the_pages_own_heads_answer_from_one_upload(quick):
    """A column for each task; the parity is right wherever the class is."""
    recipe = PAGE.read_text(encoding="utf-8").partition("## Heads of a scheme")[2]
    code = re.search(r"`parity.py`:\n\n```python\n(.*?)```", recipe, re.S)[1]
    Path("parity.py").write_text(code)
    words = ["scheme=parity.py:make", "model=scenes16", "codec=raw32", "model.samples=90"]
    assert run(["simulate", *quick, *words, "model.batches=[1]", "name=parity"]) == 0
    (row,) = rows("parity")
    right = {task: float(row[f"table_accuracy_{task}"]) for task in ("class", "parity")}
    assert 0.85 < right["class"] <= right["parity"]
    about = json.loads(Path("outputs/parity/run.json").read_text())["provenance"]["scheme"]
    assert about["heads"]["weights"]["class"] == 4458


@pytest.mark.parametrize(("words", "said"), [
    (["scheme=there.py"], "scheme=there.py needs the function that makes it"),
    (["scheme=there.py:make"], "scheme=there.py:make: no such file"),
    (["scheme=wrong.py:make"], "make() must return a profiles.schemes.Scheme, got int"),
    (["scheme=wrong.py:fails"], "fails() fails at wrong.py:6: ZeroDivisionError"),
])  # fmt: skip
def test_an_own_scheme_that_is_none_is_refused_with_its_line(quick, capfd, words, said):
    Path("wrong.py").write_text(
        "def make(model):\n    return 1\n\n\ndef fails(model):\n    return 1 / 0\n"
    )
    assert run(["simulate", *quick, *words]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_a_plan_chooses_among_a_schemes_own_cuts(quick):
    from scenarios.systems.axes import cuts

    case = sf.case(split=("layer1", "raw32"), scheme="early_exit", **SMALL)
    assert cuts(case.config) == ["layer1", "layer2"]


MULTI = ("scheme=mtl_split", "model=scenes16", "model.batches=[1]")


def test_every_task_of_a_multi_task_network_has_its_column(quick, capfd):
    assert run(["simulate", *quick, *MULTI, "model.samples=40", "codec=ecsq", "name=tasks"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "Scheme mtl_split: trained here on scenes of one of scikit-learn's digits" in said
    (row,) = rows("tasks")
    each = [float(row[f"table_accuracy_{task}"]) for task in ("class", "place", "brightness")]
    assert float(row["table_accuracy"]) == pytest.approx(sum(each) / 3)
    assert float(row["table_accuracy_place_lo"]) <= each[1] <= 1.0


def test_one_upload_for_n_tasks_against_n_networks_is_a_sweep(quick):
    axes = ["sweep=['scheme.shared=true,false']", "codec=raw32", "name=shared"]
    assert run(["simulate", *quick, *MULTI, "model.samples=40", *axes]) == 0
    one, each = rows("shared")
    sent = [float(row["uplink_bytes_per_request"]) for row in (one, each)]
    header = sent[0] - 512.0
    assert 0.0 <= header < 40.0
    assert sent[1] == pytest.approx(3 * 512.0 + header, abs=8.0)
    assert float(each["device_service_s"]) > 1.5 * float(one["device_service_s"])
    assert one["point_id"] != each["point_id"]


def test_early_exit_takes_slicer_by_configuration_alone(quick):
    words = [*EXIT, "scheme.threshold=0.97", "codec=slicer", "name=composed"]
    assert run(["simulate", *quick, *words]) == 0
    (row,) = rows("composed")
    assert (row["scheme"], row["cut"], row["codec"]) == ("early_exit", "layer1", "slicer")
    assert 0.0 < float(row["exit_share"]) < 1.0


@pytest.mark.parametrize(("words", "said"), [
    (["model=scenes16"], "model scenes16 is data for schemes; scheme=mtl_split plays them"),
    (["model=scenes16x4", "scheme=early_exit"], "scenes16x4"),
    (["model=scenes16", "scheme=mtl_split", "scheme.tasks=[colour]"], "must be all or of class"),
])  # fmt: skip
def test_data_without_a_network_say_which_scheme_plays_them(quick, capfd, words, said):
    assert run(["simulate", *quick, *words, "codec=raw32"]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


def test_exits_say_what_a_threshold_trades(quick):
    """Bytes follow the share that is sent; seconds as well, but one sample of forty that another
    process delayed while it was timed weighs as much as all others.
    """
    words = ["model=digits", "codec=raw32", "slo.mean_s=10", "plan.max_requests=1e4"]
    axis = 'sweep=["scheme.threshold=0.97,0.999,1.0"]'
    assert run(["exits", *quick, *words, axis, "span_s=20", "name=traded"]) == 0
    every = rows("traded")
    assert [float(row["threshold"]) for row in every] == [0.97, 0.999, 1.0]
    assert every[-1]["server_share"] == every[-1]["sent_share"] == "1.0"
    whole = float(every[-1]["uplink_bytes_per_request"])
    for row in every[:-1]:
        sent = float(row["uplink_bytes_per_request"]) / whole
        assert sent == pytest.approx(float(row["sent_share"]), abs=0.1)
        assert 0.0 < float(row["server_share"]) < 1.0
    assert all(row["n_star"] or row["why"] for row in every)


def test_exits_without_a_gate_are_refused(capfd):
    assert run(["exits", "scheme=split"]) == 2
    assert "exits needs a scheme with a gate" in capfd.readouterr().err


def test_the_pages_own_transport_damages_what_is_played(quick):
    """Bytes are its own, right answers fall with its rate; at rate 0 nothing is damaged."""
    recipe = PAGE.read_text(encoding="utf-8").partition("## A transport")[2]
    code = re.search(r"`bursts.py`:\n\n```python\n(.*?)```", recipe, re.S)[1]
    Path("bursts.py").write_text(code)
    words = ["scheme=early_exit", "scheme.threshold=1.0", "codec=int8", "model.batches=[1]",
             "transport=bursts.py:make", "link.transport=bit_error"]  # fmt: skip
    axis = "sweep=['link.bit_error_rate=0,0.02,0.4']"
    assert run(["simulate", *quick, *words, axis, "name=bursts"]) == 0
    every = rows("bursts")
    assert {float(row["uplink_bytes_per_request"]) for row in every} == {3 * 8.0 + 40.0}
    right = [float(row["table_accuracy"]) for row in every]
    assert right[0] > 0.9
    assert right[0] >= right[1] > right[2] + 0.2


def navi(quick):
    """Without a word on the data, which the scheme brings with it."""
    mine = [one for one in quick if one != "model=digits" and not one.startswith("model.samples")]
    return [*mine, "scheme=navisplit", "model.samples=90", "model.batches=[1]"]


def test_branches_are_played_with_their_own_data_and_codec(quick, capfd):
    assert run(["simulate", *navi(quick), "fleet.n_devices=64", "name=branches"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert "Scheme navisplit (learned gate, penalty 0.05 per byte): trained here on scenes" in said
    (row,) = rows("branches")
    shown = (row["scheme"], row["model"], row["cut"], row["codec"])
    assert shown == ("navisplit", "scenes16mixed", "encoder", "fixed8")
    shares = {name.removeprefix("branch_share_"): float(value) for name, value in row.items()
              if re.fullmatch(r"branch_share_\d+", name)}  # fmt: skip
    assert sum(shares.values()) == pytest.approx(1.0)
    wanted = sum(int(width) * share for width, share in shares.items())
    assert float(row["uplink_bytes_per_request"]) == pytest.approx(wanted, abs=0.5)
    assert float(row["accuracy_lo"]) <= float(row["accuracy"]) <= float(row["accuracy_hi"])
    about = json.loads(Path("outputs/branches/run.json").read_text())["provenance"]
    assert about["scheme"]["kind"] == "trained here"
    assert set(about["scheme"]["branches"]) == set(shares)


def test_a_static_branch_sends_its_width(quick):
    axis = "sweep=['scheme.branch=8,auto']"
    assert run(["simulate", *navi(quick), axis, "name=static"]) == 0
    wide, gated = rows("static")
    sent = [float(row["uplink_bytes_per_request"]) for row in (wide, gated)]
    assert sent[0] == 8.0
    assert 2.0 < sent[1] < 8.0
    assert wide["point_id"] != gated["point_id"]
    assert "branch_share_8" not in wide or not wide["branch_share_8"]


def _device_numbers(name, threshold):
    """Of all that a device holds: every branch's encoder, the gate, the exit; with what images and
    features are normalised by.
    """
    scheme = schemes.create(name, "scenes16mixed", exit_threshold=threshold)
    parts = [branch.network.module.encoder for branch in scheme.branches]
    parts += [scheme.chooser.network.module]
    parts += [scheme.gate.early.module] if scheme.gate else []
    numbers = [each for part in parts for each in (*part.named_parameters(), *part.named_buffers())]
    return sum(each.numel() for key, each in numbers if "num_batches" not in key)


def test_branches_are_searched_with_their_own_codec(quick):
    words = ["scheme=navisplit", "slo.mean_s=1", "slo.accuracy_drop_pp=100", "answers=2000"]
    words += ["over=['scheme.branch=8,auto']", "compare=true", "name=branched"]
    assert run(["search", *navi(quick), *words]) == 0
    found = json.loads(Path("outputs/branched/search.json").read_text())
    assert found["searches"]["exhaustive"]["evaluations"] == 2
    for each in (found["decision"], found["runner-up"]):
        assert (each["option"]["cut"], each["option"]["setting"]) == ("encoder", "fixed8")
        predicted, simulated = each["predicted"], each["simulated"]
        assert simulated["latency_s"][0] == pytest.approx(predicted["latency_s"], rel=0.05)
        assert simulated["server_s"] == pytest.approx(predicted["server_s"], rel=0.05)
    branches = {str(each["option"]["branch"]) for each in (found["decision"], found["runner-up"])}
    assert branches == {"8", "auto"}


def test_a_request_takes_the_head_and_the_tail_of_its_branch_and_the_gates_besides(quick):
    """Seconds, bytes and answers of every row, from the branches' own tables and surfaces."""
    model = sf.model("scenes16mixed", samples=90, repeats=1, batches=[1])
    for threshold in (1.0, 0.9):
        scheme = sf.scheme("navisplit", exit_threshold=threshold)
        config = sf.case(model=model, scheme=scheme, split=("encoder", "int8")).config
        known = Library([config]).measured(config)
        split = known.split("encoder", "int8")
        device, server = config.device, config.server
        made = known.source(split, device, server)
        gates_s = known.choosing_s(device) + (known.exit_s(device) if threshold < 1.0 else 0.0)
        assert known.encoder_bits(split) == 32 * _device_numbers("navisplit", threshold)
        ways = [way.source(split, device, server).rows for way in known.ways.values()]
        assert known.choosing_s(device) > 0.0
        for i, pick in enumerate(known.picks):
            row, alone = made.rows[i], ways[pick][i]
            if threshold < 1.0 and known.ends[i]:
                assert not row.is_sent
                continue
            wanted = alone._replace(device_s=alone.device_s + gates_s)
            assert row[1:7] == pytest.approx(wanted[1:7], rel=1e-9)


def test_the_gate_that_picks_stands_behind_one_that_ends_by_configuration_alone(quick, capfd):
    words = ["scheme.exit_threshold=0.9", "name=both"]
    assert run(["simulate", *navi(quick), *words]) == 0
    assert "per byte, confidence > 0.9 after input" in " ".join(capfd.readouterr().out.split())
    (row,) = rows("both")
    assert 0.0 < float(row["exit_share"]) < 1.0
    assert float(row["uplink_bytes_per_request"]) > 0.0
    assert "branch_share_8" in row


def test_a_map_is_regressed_to_a_number(quick):
    assert run(["simulate", *navi(quick), "scheme.task=map", "scheme.branch=8", "name=map"]) == 0
    (row,) = rows("map")
    assert 0.4 < float(row["table_accuracy_lo"]) < float(row["table_accuracy"]) < 0.9


def test_a_plan_with_branches_has_intervals_and_provenance(quick, capfd):
    slow = ["link=ideal", "link.sharing=ps", "link.rate_bps=3e4", "link.header_bytes=40",
            "workload.kind=poisson", "workload.rate_rps=2"]  # fmt: skip
    budget = ["plan.requests_per_run=800", "plan.pilot_requests=200", "plan.n_runs=3", "workers=1",
              "plan.half_width=0.3", "slo.p95_s=0.5"]  # fmt: skip
    args = [one for one in navi(quick) if not one.startswith("replications")]
    assert run(["plan", *args, *slow, *budget, "name=branched"]) == 0
    plan = json.loads(Path("outputs/branched/plan.json").read_text())
    assert plan["n_star_lo"] <= plan["n_star"] <= plan["n_star_hi"]
    assert plan["provenance"]["scheme"]["trained_on"].startswith("scenes of 1, 2 or 4")
    assert "trained here on" in " ".join(capfd.readouterr().out.split())


def test_branches_cross_no_channel_that_damages_them(quick, capfd):
    words = ["link.transport=bit_error", "link.bit_error_rate=1e-3", "codec=int8"]
    assert run(["simulate", *navi(quick), *words]) == 2
    said = " ".join(capfd.readouterr().err.split())
    assert "scheme navisplit needs link.transport=exact: a damaged byte may name another" in said
