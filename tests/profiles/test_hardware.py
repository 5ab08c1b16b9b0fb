from dataclasses import replace

import numpy as np
import pytest

from profiles import CostSurface, DeviceSpec, ServerSpec
from profiles.measuring import machine
from profiles.tables.hardware import parse

BOARD = {
    "name": "board",
    "title": "A board",
    "slowdown": 3.0,
    "sources": {"slowdown": "a benchmark"},
}


def surface(hardware="measured"):
    return CostSurface(
        part="head", hardware=hardware, cuts=("input",), seconds=np.full((1, 1, 1, 1), 2.0)
    )


def test_slowdown_scales_and_keeps_its_source():
    slow = DeviceSpec(**BOARD).scale(surface())
    assert slow.seconds_at("input") == 6
    assert (slow.hardware, slow.factor) == ("board", 3)
    assert slow.provenance["source"] == "a benchmark"


def test_anchor_divides_the_published_by_the_measured_time():
    board = DeviceSpec(name="board", title="A", anchor_s=0.3, sources={"anchor_s": "a table"})
    measured = replace(surface(), provenance={"kind": "measured", "anchor_s": 0.1})
    slow = board.scale(measured)
    assert slow.factor == pytest.approx(3)
    assert "ResNet-18 in 0.3 s (a table) over 0.1 s on measured" in slow.provenance["source"]


def test_the_reference_itself_is_not_scaled():
    assert ServerSpec(name="measured", title="this").scale(surface()).factor == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": {}}, r"board.sources must name the source of slowdown"),
        ({"slowdown": 0}, r"board.slowdown must be > 0, got 0"),
        ({"memory_bytes": float("nan")}, r"board.memory_bytes must be > 0, got nan"),
        ({"processor": "gpo"}, r"board.processor must be one of gpu"),
        ({"slowdwn": 2}, r"DeviceSpec field must be one of slowdown; got 'slowdwn'"),
        (
            {
                "power_idle_w": 5.0,
                "power_busy_w": 4.0,
                "sources": dict.fromkeys(("slowdown", "power_idle_w", "power_busy_w"), "x"),
            },
            r"board.power_idle_w must be <= power_busy_w = 4.0, got 5.0",
        ),
    ],
)
def test_bad_sheets_are_refused_in_one_line(changes, words):
    with pytest.raises(ValueError, match=words) as error:
        parse(DeviceSpec, BOARD | changes)
    assert "\n" not in str(error.value)


def test_scaling_from_another_machine_is_refused():
    with pytest.raises(ValueError, match="is scaled from hardware 'measured', got 'h100'"):
        DeviceSpec(**BOARD).scale(surface("h100"))
    with pytest.raises(ValueError, match="chip states neither slowdown nor anchor_s"):
        DeviceSpec(name="chip", title="A chip").scale(surface())


def test_the_anchor_around_a_measurement_tells_its_drift():
    assert machine.anchor(0.04, 0.09) == pytest.approx({"anchor_s": 0.06, "anchor_drift": 1.25})
