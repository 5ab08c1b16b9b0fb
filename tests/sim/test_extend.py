"""The two examples of docs/extend.md do what the page says."""

import re
from pathlib import Path

import numpy as np
import pytest

import sim
from sim import batching, sharing
from sim.spec import link, server

PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
SOURCE = {"default": sim.ConstantSource(device_s=0.001, payload_bytes=4000, server_s=0.001)}


def load(number):
    names = {}
    exec(compile(BLOCKS[number], "docs/extend.md", "exec"), names)
    return names


def test_a_sharing_rule_is_one_function_and_one_line(monkeypatch):
    monkeypatch.setitem(sharing.RULES, "limited", load(0)["medium"])
    monkeypatch.setattr(link, "SHARING", (*link.SHARING, "limited"))
    fleet = sim.FleetSpec(n_devices=16)
    limited, fair = (
        sim.run(
            sim.SystemSpec(fleet=fleet, link=sim.LinkSpec(sharing=rule, rate_bps=5e6)), SOURCE
        ).value("throughput_rps")
        for rule in ("limited", "ps")
    )
    assert limited < 0.5 * fair


def test_a_batching_rule_is_one_function_and_one_line(monkeypatch):
    monkeypatch.setitem(batching.RULES, "largest", load(1)["rule"])
    monkeypatch.setattr(server, "DISCIPLINES", (*server.DISCIPLINES, "largest"))
    groups = {"small": sim.GroupSpec(), "large": sim.GroupSpec()}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=20, groups=groups),
        link=sim.LinkSpec(sharing="dedicated"),
        server=sim.ServerSpec(discipline="largest"),
    )
    sources = {
        name: sim.ConstantSource(device_s=0.001, payload_bytes=size, server_s=0.01)
        for name, size in (("small", 100), ("large", 1000))
    }
    records = sim.run(spec, sources).records
    served = np.bincount(records["group"].astype(int))
    assert served[1] > 20 * served[0]


@pytest.mark.parametrize("registry", [sharing.RULES, batching.RULES])
def test_registries_and_specs_name_the_same_rules(registry):
    names = link.SHARING if registry is sharing.RULES else server.DISCIPLINES
    assert tuple(sorted(registry)) == names
