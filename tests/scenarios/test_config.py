"""Frozen specs on the command line: thawed for Hydra, frozen and validated again afterwards."""

import dataclasses
from dataclasses import dataclass, field

import pytest
from omegaconf import OmegaConf

from scenarios.shell.schema import check_key, fields, replace_all, thaw, to_spec


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate_bps: float = field(default=1.0, metadata={"unit": "bit/s", "help": "rate"})

    def __post_init__(self) -> None:
        if self.rate_bps <= 0:
            raise ValueError(f"inner.rate_bps must be > 0, got {self.rate_bps}")


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    groups: dict[str, Inner] = field(default_factory=dict)
    limit: int | None = None


def test_a_frozen_spec_takes_overrides_and_comes_back_frozen():
    node = thaw(Outer)
    node.merge_with(OmegaConf.create({"name": "x", "inner": {"rate_bps": 5}, "limit": 3}))
    spec = to_spec(node)
    assert spec == Outer(name="x", inner=Inner(rate_bps=5.0), limit=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.name = "y"


def test_the_specs_own_refusal_reaches_the_user():
    node = thaw(Outer)
    node.merge_with(OmegaConf.create({"name": "x", "inner": {"rate_bps": -1}}))
    with pytest.raises(ValueError, match=r"inner.rate_bps must be > 0, got -1.0"):
        to_spec(node)


def test_a_required_field_without_value_is_named():
    with pytest.raises(ValueError, match="name has no value"):
        to_spec(thaw(Outer))


def test_fields_carry_key_unit_and_help():
    found = {f.key: f for f in fields(Outer)}
    assert list(found) == ["name", "inner.rate_bps", "groups", "limit"]
    assert (found["inner.rate_bps"].unit, found["inner.rate_bps"].default) == ("bit/s", 1.0)


def test_replace_all_follows_dots_and_validates():
    spec = Outer(name="x", groups={"cam": Inner()})
    assert replace_all(spec, {"inner.rate_bps": 2}).inner.rate_bps == 2.0
    assert replace_all(spec, {"groups.cam.rate_bps": 3}).groups["cam"].rate_bps == 3.0
    with pytest.raises(ValueError, match=r"got -2.0"):
        replace_all(spec, {"inner.rate_bps": -2})
    with pytest.raises(ValueError, match="unknown field 'rate'; nearest: rate_bps"):
        replace_all(spec, {"inner.rate": 2})


@dataclass(frozen=True, kw_only=True)
class Span:
    first: int = 0
    last: int = 1

    def __post_init__(self) -> None:
        if self.first >= self.last:
            raise ValueError(f"first must be below last={self.last}, got {self.first}")


def test_fields_that_bind_each_other_change_together():
    assert replace_all(Span(), {"first": 5, "last": 6}) == Span(first=5, last=6)
    assert replace_all(Span(), {"last": 6, "first": 5}) == Span(first=5, last=6)
    with pytest.raises(ValueError, match="first must be below last=1, got 5"):
        replace_all(Span(), {"first": 5})


def test_a_misspelt_axis_lists_its_neighbours():
    spec = Outer(name="x", groups={"cam": Inner()})
    check_key(spec, "groups.cam.rate_bps")
    with pytest.raises(ValueError, match=r"'inner.rte_bps'; nearest: inner.rate_bps"):
        check_key(spec, "inner.rte_bps")
    with pytest.raises(ValueError, match=r"unknown field 'groups.kam[^']*'; nearest: groups.cam"):
        check_key(spec, "groups.kam.rate_bps")
