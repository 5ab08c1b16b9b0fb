"""Rules that only some systems need are compiled for those, and for no others."""

import ast
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sim import ConstantSource, SystemSpec
from sim.engine import kernel, needs, rooms
from sim.engine.system import Arrays
from sim.specs import FleetSpec, LinkSpec, ServerSpec, WorkloadSpec
from sim.specs.fleet import ChurnSpec, GroupSpec
from tests.sim.engines import difference, played

SOURCE = {"default": ConstantSource(device_s=0.01, payload_bytes=2000.0, server_s=0.002)}
PLAIN = SystemSpec(
    fleet=FleetSpec(n_devices=3), link=LinkSpec(sharing="fifo"), horizon_s=2.0, warmup_s=0.5
)
"""Closed loops, a FIFO link and a FIFO server."""


def asked_for(spec, monkeypatch):
    """The rooms whose code a system asks for; nothing is compiled."""
    asked = []
    with monkeypatch.context() as patch:
        patch.setattr(rooms, "address", lambda name: len(asked.append(name) or asked))
        needs.addresses(Arrays(spec, SOURCE, 0))
    return asked


@pytest.mark.parametrize("kind", ["closed", "poisson"])
def test_a_plain_system_compiles_no_room_and_is_played_alike(kind, monkeypatch):
    spec = replace(PLAIN, workload=WorkloadSpec(kind=kind))
    assert asked_for(spec, monkeypatch) == []
    monkeypatch.setattr(rooms, "address", lambda name: pytest.fail(f"{name} is asked for"))
    assert difference(played(spec, SOURCE, "simpy", 0), played(spec, SOURCE, "compiled", 0)) == ""


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"link": LinkSpec(sharing="ps")}, {"share", "finish_shared"}),
        ({"link": LinkSpec(sharing="wifi", frame_airtime_s=1e-4)}, {"join", "finish_air"}),
        ({"workload": WorkloadSpec(kind="gamma")}, {"wait_for_gap"}),
        (
            {"server": ServerSpec(discipline="take_all", max_batch=4)},
            {"start_batches"},
        ),
    ],
)
def test_a_system_asks_for_the_rooms_of_what_it_has(changes, wanted, monkeypatch):
    assert set(asked_for(replace(PLAIN, **changes), monkeypatch)) == wanted


def test_who_leaves_takes_the_rooms_of_its_link_alone(monkeypatch):
    churn = ChurnSpec(mean_up_s=0.5, mean_down_s=0.2)
    fleet = FleetSpec(n_devices=3, groups={"default": GroupSpec(churn=churn)})
    spec = replace(PLAIN, fleet=fleet, link=LinkSpec(sharing="ps"))
    asked = asked_for(spec, monkeypatch)
    assert {"leave_fleet", "withdraw_shared"} <= set(asked)
    assert not {"withdraw_radio", "withdraw_queued", "break_off"} & set(asked)


def test_every_room_is_there_and_names_what_a_system_can_have():
    """`features` has all words that NEEDS uses, and every name in NEEDS is a rule."""
    assert set(rooms._rooms) == set(rooms.NEEDS)
    text = Path(needs.__file__).read_text("utf-8")
    known = set(re.findall(r'"([a-z ]+)"', text))
    assert {word for words in rooms.NEEDS.values() for word in words} <= known


def test_a_room_takes_the_list_and_numbers_alone():
    """What an address can be called with."""
    engine = Path(kernel.__file__).parent
    found = {}
    for path in engine.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(each, ast.Name) and each.id == "room" for each in node.decorator_list
            ):
                found[node.name] = [ast.unparse(arg.annotation) for arg in node.args.args]
    assert set(found) == set(rooms.NEEDS)
    assert all(kinds[0] == "int" for kinds in found.values())
    assert {kind for kinds in found.values() for kind in kinds} <= {"int", "float"}


def test_a_rule_that_was_not_thought_to_be_needed_says_so():
    code = (
        "import ctypes; from sim.engine import rooms;"
        "ctypes.CFUNCTYPE(None)(rooms.none_there('withdraw_shared'))()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.startswith(
        "splitfleet: rule withdraw_shared was called, which needs shared and churns"
    )
