"""One working folder for the commands of this room: what they measure is measured once."""

import csv
import json
from pathlib import Path

import pytest

from profiles.measuring import anchor, session
from scenarios.__main__ import run

QUICK = (
    "model=digits", "model.samples=40", "model.repeats=1", "horizon_s=2", "warmup_s=0.5",
    "replications=3",
)  # fmt: skip
"""Overrides that make a command take seconds; digits have one channel, so no JPEG."""


@pytest.fixture(scope="session", autouse=True)
def few_anchors():
    """The anchor beside what is timed runs as rarely as it may: here nobody looks at its drift."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(session.Rhythm.__init__.__kwdefaults__, "n_anchors", 2)
        patch.setattr(anchor, "_FEWEST", 3)
        patch.setattr(anchor, "_WARM_UPS", 1)
        yield


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def quick(workplace, monkeypatch):
    """The overrides, in a working folder where outputs/cache is shared by all tests."""
    monkeypatch.chdir(workplace)
    return list(QUICK)


SLOW = ("+server.sources.slowdown=assumed", "link=ideal", "workload.kind=poisson",
        "workload.rate_rps=10")  # fmt: skip
SERVER_S = 0.005
"""Seconds of a request at the server where a test plans what was timed on the spot."""


@pytest.fixture
def slowed(tmp_path):
    """Overrides by which a Poisson load of 10/s a device asks `SERVER_S` of the server a request,
    however fast or busy the machine is on which its network was timed.
    """

    def slow(words):
        name = f"once-{tmp_path.name}"
        assert run(["simulate", *words, *SLOW, "server.slowdown=1", f"name={name}"]) == 0
        with Path(f"outputs/{name}/results.csv").open() as file:
            (row,) = csv.DictReader(file)
        factor = SERVER_S / float(row["server_s_per_request"])
        return [*SLOW, f"server.slowdown={factor:.4g}"]

    return slow


@pytest.fixture
def planned(slowed):
    """The plan of a system whose seconds are timed on the spot, by the fewest runs that do."""

    def plan(name, words):
        budget = ["plan.requests_per_run=800", "plan.pilot_requests=200", "plan.n_runs=3",
                  "workers=1", "plan.half_width=0.3", "slo.p95_s=0.5"]  # fmt: skip
        kept = [one for one in words if not one.startswith("replications")]
        assert run(["plan", *kept, *slowed(words), *budget, f"name={name}"]) == 0
        return json.loads(Path(f"outputs/{name}/plan.json").read_text())

    return plan
