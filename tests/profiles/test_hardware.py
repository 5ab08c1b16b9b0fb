import pytest

from profiles import DeviceSpec
from profiles.tables.hardware import parse

BOARD = {
    "name": "board",
    "title": "A board",
    "slowdown": 3.0,
    "sources": {"slowdown": "a benchmark"},
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": {}}, r"board.sources must name the source of slowdown"),
        ({"slowdown": 0}, r"board.slowdown must be > 0, got 0"),
        ({"memory_bytes": float("nan")}, r"board.memory_bytes must be > 0, got nan"),
        ({"precision": "int3"}, r"board.precision must be one of"),
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
