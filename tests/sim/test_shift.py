"""How far N* moves with the table and with levers where the curve is flat up to a cliff."""

import math

import numpy as np
import pytest

from sim.planning import Goal
from sim.planning.limits.goal import Sample
from sim.planning.runs.levers import LEVERS
from sim.planning.search.answer import Capacity
from sim.planning.search.crossing import Crossing
from sim.planning.search.regimes import Regimes
from sim.planning.trust.finding import Trust
from sim.planning.trust.plan import plan_trust
from sim.planning.trust.shift import scale
from sim.planning.trust.why import Reading, why
from sim.sources.source import ConstantSource, Errors
from sim.specs import FleetSpec, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec

CLIFF, AIR_S, RUNS = 300, 0.002, 20
GOAL = Goal(column="latency_p95_s", limit=0.1)
SPEC = SystemSpec(
    fleet=FleetSpec(n_devices=CLIFF),
    workload=WorkloadSpec(kind="poisson", rate_rps=1.0),
    link=LinkSpec(sharing="fifo", rate_bps=8e6, mtu_bytes=10**6, header_bytes=0),
    server=ServerSpec(),
)
PAYLOAD = 1e6 * AIR_S


class Rows(ConstantSource):
    """A table of one mean payload, known to 1 %."""

    def resample(self, generator):
        return Rows(
            payload_bytes=self.mean().payload_bytes * (1 + 0.01 * generator.standard_normal())
        )


def flat(task):
    """Five milliseconds a request up to the cliff, 8 % longer per 1 % of air, and by chance
    2 % more or less from run to run.
    """
    spec, sources, _goal, replication = task.args
    light = next(iter(sources.values())).mean().payload_bytes / PAYLOAD
    light *= 8e6 / spec.link.rate_bps
    slow_s = 0.005 * light**8 * math.exp(
        0.02 * np.random.default_rng(replication).standard_normal()
    )  # fmt: skip
    columns = {
        "server_s_per_request": 0.0, "airtime_s_per_request": AIR_S, "device_service_s": 0.0,
        "n_requests": 1000.0,
    }  # fmt: skip
    late_s = slow_s * np.linspace(0.9, 1.0, 200)
    return Reading(columns, (), Sample(late_s, math.nan, 200.0, slow_s))


def found(slope, regimes=None):
    """N* as the search says it: safe, or a crossing whose slope is next to nothing."""
    return Capacity(
        goal=GOAL, n_star=CLIFF, n_star_lo=298, n_star_hi=302,
        root=Crossing(root=float(CLIFF), lo=298.0, hi=302.0, slope=slope, monotone=True),
        points=(288, 300, 312), runs=(RUNS,) * 3, n_runs=RUNS, collapsed=0, requests=0,
        throughput_rps=300.0, curve=(), stable=math.inf, spec=SPEC, regimes=regimes,
    )  # fmt: skip


SAFE = Regimes(
    n_safe=CLIFF, lo=298, hi=302, n_runs=60, longer=10.0, above=304, fallen=2, looked_at=20
)


def explain(capacity, source=None):
    sources = {"default": source or Rows(payload_bytes=PAYLOAD)}
    return why(SPEC, sources, capacity, play=lambda tasks: [flat(task) for task in tasks])


@pytest.mark.parametrize(("slope", "regimes"), [(1e-9, SAFE), (0.0, SAFE), (1e-9, None), (0, None)])
def test_a_flat_curve_up_to_a_cliff_moves_with_the_load_and_not_by_its_slope(slope, regimes):
    """The cliff lies where the medium is busy, so that 1 % of payload is 1 % of N*: 3 devices
    at one standard deviation, 2.09 of which are the t interval's."""
    capacity = found(slope, regimes)
    reasons = explain(capacity)
    half = 2.09 * 0.01 * CLIFF
    assert CLIFF - 1.6 * half < reasons.total_lo < CLIFF - 0.6 * half
    assert CLIFF + 0.6 * half < reasons.total_hi < CLIFF + 1.6 * half
    assert "by the load alone" in reasons.table
    assert reasons.binding.name == "uplink"
    assert reasons.binding.devices == pytest.approx(0.01 * CLIFF, rel=0.02)
    assert reasons.binding.by_load
    assert not reasons.surely
    assert math.isnan(scale(capacity).devices(reasons.spread))


def test_a_flat_curve_leaves_machines_to_the_load():
    """A server of a hundredth of the medium's load may be off by 2: the cliff stays."""
    source = Rows(payload_bytes=PAYLOAD, server_s=AIR_S / 100, log_errors=Errors(tail=0.3))
    reasons = explain(found(1e-9, SAFE), source)
    assert reasons.machines
    alone = explain(found(1e-9, SAFE))
    assert (reasons.total_lo, reasons.total_hi) == (alone.total_lo, alone.total_hi)


def test_where_no_slope_tells_words_do():
    reasons = explain(found(1e-9, SAFE))
    trust = plan_trust(
        Trust(findings=()), n_star=CLIFF, half_width=2.0, target=3.0, monotone=True,
        spread_devices=math.nan, collapsed=0, regimes=SAFE, calm=False, better=None,
        stable=math.inf, given_up=0.0, table=reasons.table, gains=reasons.gains,
        kinds={lever.name: "measured" for lever in LEVERS},
    )  # fmt: skip
    words = {finding.name: finding.words for finding in trust.findings}
    assert words["seed spread"] == "one run alone does not say with how many devices runs collapse"
    assert "by its load alone" in words["binding resource"]
    assert "nan" not in trust.cautions


@pytest.mark.parametrize("slope", [0.01, 0.05])
def test_a_slope_that_was_played_is_used_near_the_points(slope):
    worth = scale(found(slope))
    assert worth.devices(11 * slope) == pytest.approx(11.0)
    assert worth.devices(74 * slope) == pytest.approx(74.0)  # a quarter of 300
    assert math.isnan(worth.devices(76 * slope))
    assert worth.devices(0.0) == 0.0
    assert math.isnan(scale(found(slope, SAFE)).devices(0.0))
