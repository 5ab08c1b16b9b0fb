"""Quantile columns, found at all levels in one pass, against their definition one by one."""

import numpy as np
import pytest

from sim import ExponentialSource, FleetSpec, LinkSpec, SystemSpec, WorkloadSpec, run
from sim.measures.columns import STAGES, stage_columns, stages
from sim.measures.meters import ages_s, are_answered, select, since
from sim.measures.quantiles import observe_quantiles

LEVELS = {"latency_p50_s": 0.5, "latency_p95_s": 0.95, "latency_p99_s": 0.99,
          "latency_p999_s": 0.999}  # fmt: skip


def book_of(n_devices, seed, horizon_s=20.0):
    spec = SystemSpec(
        fleet=FleetSpec(n_devices=n_devices),
        link=LinkSpec(sharing="ps"),
        workload=WorkloadSpec(kind="poisson", rate_rps=3.0),
        horizon_s=horizon_s,
        warmup_s=min(1.0, 0.5 * horizon_s),
        seed=seed,
        engine="simpy",
    )
    return run(spec, {"default": ExponentialSource(server_s=0.03)}).book


@pytest.mark.parametrize("n_devices", [1, 4, 9])
@pytest.mark.parametrize("horizon_s", [0.2, 20.0])
def test_every_level_is_as_found_alone(n_devices, horizon_s):
    book = book_of(n_devices, seed=n_devices, horizon_s=horizon_s)
    gone = since(book.records, book.begin.time_s)
    latency_s, age_s = ages_s(select(gone, are_answered(gone))), ages_s(book.in_flight)
    seen = observe_quantiles(book, ("",))
    assert list(seen) == list(LEVELS)
    for name, level in LEVELS.items():
        older = age_s
        if len(latency_s) and len(age_s):
            older = age_s[age_s > np.quantile(latency_s, level)]
        values = np.append(latency_s, older)
        assert np.array_equal(seen[name].values, values)
        wanted = float(np.quantile(values, level)) if len(values) else np.nan
        assert seen[name].quantile == wanted or np.isnan([seen[name].quantile, wanted]).all()


def test_stages_without_any_time_are_exactly_nothing():
    book = book_of(4, seed=1)
    done = select(book.records, are_answered(book.records))
    latency_s, parts = ages_s(done), stages(done)
    slow_s = float(np.quantile(latency_s, 0.95))
    columns, slow = stage_columns(done, book.length_s, slow_s), latency_s >= slow_s * (1.0 - 1e-9)
    assert set(parts) < set(STAGES)
    assert sum(parts.values()) == pytest.approx(latency_s, rel=1e-12)
    assert columns["link_outage_s"] == columns["decoder_queue_mean"] == 0.0
    assert columns["server_service_s"] > 0.0
    for name in STAGES:
        part = parts.get(name, np.zeros(len(latency_s)))
        assert columns[name] == float(np.mean(part))
        assert columns[f"{name}_slowest"] == float(np.mean(part[slow]))
