"""One working folder for the commands of this room: what they measure is measured once."""

import pytest

QUICK = (
    "model=digits", "model.samples=40", "model.repeats=1", "horizon_s=2", "warmup_s=0.5",
    "replications=3",
)  # fmt: skip
"""Overrides that make a command take seconds; digits have one channel, so no JPEG."""


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def quick(workplace, monkeypatch):
    """The overrides, in a working folder where outputs/cache is shared by all tests."""
    monkeypatch.chdir(workplace)
    return list(QUICK)
