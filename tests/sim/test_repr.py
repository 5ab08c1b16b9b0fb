"""Sources, systems and results say their state in a line."""

import pytest

import sim
from sim.sources.draw import Draw, Draws

STEP = Draw(0, 0.002, 300.0, 0.001, 0.004, 10.0, 1.0)
SPEC = sim.SystemSpec(
    link=sim.LinkSpec(sharing="ps"),
    fleet=sim.FleetSpec(n_devices=3),
    seed=7,
    horizon_s=5.0,
    warmup_s=1.0,
    replications=2,
)
SOURCES = {
    "ConstantSource(device 0 s, payload 300 B, decode 0 s, server 0.004 s)": sim.ConstantSource(
        payload_bytes=300.0, server_s=0.004
    ),
    "ExponentialSource(device 0.1 s, payload 0, server drawn)": sim.ExponentialSource(
        server_s=0.01, device_s=0.1
    ),
    "ConstantSessions(5 tokens; prompt: device 0.002 s, payload 300 B, decode 0.001 s,"
    " server 0.004 s)": sim.ConstantSessions(prompt=STEP, token=STEP, n_tokens=5),
}


@pytest.mark.parametrize("said", SOURCES)
def test_a_source_says_what_a_request_costs(said):
    assert repr(SOURCES[said]) == said


def test_a_source_of_rows_says_how_many():
    rows = object.__new__(sim.TraceSource)
    rows.key, rows.rows = "net/stage1", Draws.of([STEP, STEP._replace(payload_bytes=100.0)])
    assert repr(rows).startswith("TraceSource(net/stage1, 2 rows: device 0.002 s, payload 200 B,")
    sessions = object.__new__(sim.TraceSessions)
    sessions.key = "net/layers.1"
    sessions.rows = sim.ConstantSessions(prompt=STEP, token=STEP, n_tokens=4).rows
    assert repr(sessions).startswith("TraceSessions(net/layers.1, 1 rows of 4 tokens; prompt: dev")


def test_a_system_says_what_has_happened():
    system = sim.build(SPEC, {"default": sim.ConstantSource(server_s=0.5)})
    assert repr(system) == "System(3 devices, seed 7, 0 s: 0 requests arrived, 0 left)"
    sim.play(system)
    assert repr(system).startswith("System(3 devices, seed 7, 5 s: 1")


def test_a_result_says_what_it_came_to():
    sources = {"default": sim.ConstantSource(server_s=0.5)}
    one, many = sim.run(SPEC, sources), sim.replicate(SPEC, sources)
    assert repr(one).startswith("Result(3 devices, 1 run: 2 requests/s, 1.5")
    assert repr(many).startswith("Result(3 devices, 2 runs: ")
    assert "\n" not in repr(many)
    assert len(repr(many)) < 120
