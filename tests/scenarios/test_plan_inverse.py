"""The inverse question: what so many devices need, how surely, and what stands against it."""

import csv
import json
from pathlib import Path

import pytest

from plots.plan_inverse import draw
from scenarios.__main__ import run
from scenarios.planning.needs import _judge
from scenarios.systems.case import Case
from sim import ConstantSource, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.planning import Budget, Goal, Refusal
from sim.planning.runs.levers import more_gpus
from sim.planning.runs.probe import play_in_turn
from sim.planning.search.along import Along
from sim.planning.search.inverse import _Search, inverse
from sim.planning.search.remedy import Inverse, Remedy
from sim.theory import md1_response_quantile_s

SERVICE_S = 0.02
P95 = Goal(column="latency_p95_s", limit=0.1)
QUICK = Budget(half_width=0.1, n_runs=5, requests_per_run=1500, pilot_requests=500)


def queue(**server: object) -> SystemSpec:
    """Devices that ask twice a second at random, one FIFO server, no link."""
    return SystemSpec(
        link=LinkSpec(sharing="ps"),
        workload=WorkloadSpec(kind="poisson", rate_rps=2.0),
        server=ServerSpec(**server),
        horizon_s=60.0,
        warmup_s=3.0,
    )


def asked(n: int, spec: SystemSpec, goal: Goal = P95, **budget: float) -> Inverse:
    """What `n` devices need of requests of 20 ms."""
    limits = Budget(**{**vars(QUICK), **budget})
    sources = {"default": ConstantSource(server_s=SERVICE_S)}
    return inverse(spec, sources, [goal], n, budget=limits, play=play_in_turn)


def of(found: Inverse, name: str) -> Remedy:
    return next(remedy for remedy in found.remedies if remedy.name == name)


def exact_speed(n: int) -> float:
    """Least speed at which the M/D/1 server holds."""
    return next(
        x / 1000
        for x in range(int(2000 * n * SERVICE_S) + 1, 9000)
        if md1_response_quantile_s(2.0 * n, SERVICE_S * 1000 / x, 0.95) <= P95.limit
    )


def test_runs_are_added_until_the_factor_is_known_as_well_as_asked() -> None:
    found = asked(30, queue(), half_width=0.012, n_runs=4, requests_per_run=6000)
    speed = of(found, "server_speed")
    assert speed.held is not None
    assert speed.held.n_runs > 4
    assert speed.held.half_width <= 0.012
    assert 0.5 * (speed.hi - speed.lo) <= 1.01 * 0.012 * speed.least
    assert speed.lo <= exact_speed(30) <= speed.hi


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (
            {"half_width": 1e-3, "n_runs": 4, "max_runs": 4, "requests_per_run": 8000},
            r"max_runs = 4 ended the search: server speed in \[1\.\d+, 1\.\d+\] times what there is"
            r", asked for \+-0\.1 %",
        ),
        (
            {"max_requests": 9_000},
            r"the budget of 9000 requests ended the search after \d+, at server speed between",
        ),
    ],
)
def test_a_budget_that_ends_says_how_far_it_came(budget: dict[str, float], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        asked(30, queue(), **budget)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("guessed", [1, 5])
def test_a_count_holds_by_all_runs_however_wrong_the_pilots_were(
    guessed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 requests/s of 20 ms: three servers are busy for 80 %, two cannot keep up."""

    def mistaken(self: _Search, along: Along) -> int:
        self._excess(along, guessed, 3)
        return guessed

    monkeypatch.setattr(_Search, "_count_least", mistaken)
    sources = {"default": ConstantSource(server_s=SERVICE_S)}
    gpus = _Search(queue(), sources, [P95], 60, QUICK, play_in_turn).count(
        "n_gpus", "GPUs", more_gpus, 0
    )
    assert gpus.least == 3
    assert gpus.sure


def test_one_device_that_misses_is_no_reason_where_a_faster_server_cures_it() -> None:
    found = asked(1, queue(), goal=Goal(column="latency_mean_s", limit=0.01))
    speed = of(found, "server_speed")
    assert 2.0 < speed.least < 2.1
    assert of(found, "n_gpus").least is None


def test_nothing_is_enough_and_one_device_says_why() -> None:
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"), workload=WorkloadSpec(think_s=1.0), horizon_s=20.0
    )
    goal = Goal(column="latency_mean_s", limit=0.1)
    slow = {"default": ConstantSource(device_s=0.2, server_s=0.001)}
    words = (
        r"^even one device misses latency_mean_s <= 0\.1: 0\.201 at N = 1, and no server speed,"
        r" .* let 5 devices meet latency_mean_s <= 0\.1, each by itself$"
    )
    with pytest.raises(Refusal, match=words):
        inverse(spec, slow, [goal], 5, budget=QUICK, play=play_in_turn)


def judged(spec: SystemSpec, n: int, *, server: str, **known: object) -> dict[str, dict]:
    """Rows by name."""
    case = Case(
        labels={},
        identity=None,
        digests={},
        spec=spec,
        sources={"default": ConstantSource(server_s=SERVICE_S, batch_slope_s=0.001)},
        kinds={**dict.fromkeys(("device", "uplink", "codec_bits"), "assumed"), "server": server},
        **known,
    )
    found = inverse(spec, case.sources, [P95], n, budget=QUICK, play=play_in_turn)
    rows = (_judge(case, remedy, QUICK.half_width, play_in_turn)[0] for remedy in found.remedies)
    return {row["name"]: row for row in rows}


def findings(row: dict) -> dict[str, str]:
    return {finding["name"]: finding["verdict"] for finding in row["trust"]}


def test_a_server_of_another_speed_is_scaled_and_more_of_the_same_are_measured() -> None:
    rows = judged(queue(), 30, server="measured")
    speed, gpus = findings(rows["server_speed"]), findings(rows["n_gpus"])
    assert speed["scaled or modelled numbers"] == "caution"
    assert gpus["scaled or modelled numbers"] == "good"
    assert speed["interval"] == speed["Little's law"] == gpus["interval"] == "good"
    assert rows["server_speed"]["grade"] in "BC"
    assert "scaled or modelled numbers: " in rows["server_speed"]["cautions"]
    assert rows["channel_width"]["grade"] is None


def test_batches_larger_than_measured_spoil_every_remedy() -> None:
    spec = queue(discipline="take_all", max_batch=32)
    rows = judged(spec, 300, server="assumed", largest_batch=8)
    for name in ("server_speed", "n_gpus"):
        assert rows[name]["grade"] == "D"
        assert findings(rows[name])["batch sizes"] == "bad"


def test_the_folder_holds_one_answer_with_its_figure_page_and_grades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("outputs/turned")
    folder.mkdir(parents=True)
    files = ("plan.html", "figure.pdf", "figure.png")
    for name in files:
        (folder / name).write_text("of a former plan")
    small = (
        "+experiment=batch_server", "server.discipline=fifo", "server.max_batch=1",
        "request.server_s=0.02", "request.batch_slope_s=null", "slo.p95_s=0.1", "horizon_s=60",
        "plan.requests_per_run=1500", "plan.pilot_requests=500", "plan.n_runs=5",
        "plan.half_width=0.1", "workers=1", "name=turned", "plan.n_devices=30",
    )  # fmt: skip
    assert run(["plan", *small]) == 0
    said = capfd.readouterr().out
    assert not any(b"of a former plan" in (folder / name).read_bytes() for name in files)
    page = (folder / "plan.html").read_text()
    assert "30 devices need one of these" in page
    assert "data:image/png;base64," in page
    assert "http" not in page.split("<details>")[0]
    assert said.endswith("written: outputs/turned/plan.json, plan.csv, figure.pdf and plan.html\n")
    remedies = json.loads((folder / "plan.json").read_text())["remedies"]
    rows = list(csv.DictReader((folder / "plan.csv").read_text().splitlines()))
    for remedy, row in zip(remedies, rows, strict=True):
        assert row["grade"] == (remedy["grade"] or "")
        assert row["cautions"] == remedy["cautions"]
        for finding in remedy["trust"]:
            assert (finding["verdict"] == "good") or finding["words"] in " ".join(said.split())
    assert f"server speed {remedies[0]['least']:.4g} [" in " ".join(said.split())
    assert f"server speed: grade {remedies[0]['grade']}" in page


def remedy(words: str, unit: str, least: float | None, **more: object) -> dict[str, object]:
    row = {"words": words, "unit": unit, "least": least, "lo": None, "hi": None}
    return {**row, "spare": 0, "sure": True, "grade": "A" if least else None, **more}


def test_the_figure_shows_factors_around_what_there_is_and_counts_as_numbers() -> None:
    rows = [
        remedy("server speed", "x", 1.5, lo=1.4, hi=1.6),
        remedy("channel width", "x", 1 / 64),
        remedy("GPUs", "", 3, spare=1),
        remedy("cells", "", None),
    ]
    factors, counts = draw({"n_devices": 30, "remedies": rows}).axes
    said = [text.get_text() for axes in (factors, counts) for text in axes.texts]
    assert {"1.500 [1.400, 1.600]", "less than 0.0156", "2", "+ 1 spare", "not enough"} <= {*said}
    low, high = factors.get_xlim()
    assert factors.get_xscale() == "log"
    assert low < 1 / 64
    assert high > 1.6
    assert [tick.get_text() for tick in factors.get_yticklabels()][1] == "server speed, grade A"


def test_the_least_is_never_below_what_the_load_alone_asks_for() -> None:
    """60 requests/s of 20 ms need a server of 1.2; no run of 50 s has a mean of 5 s there."""
    speed = of(asked(30, queue(), goal=Goal(column="latency_mean_s", limit=5.0)), "server_speed")
    assert speed.least == pytest.approx(1.2, rel=1e-6)
    assert speed.lo <= speed.least <= speed.hi
