"""What is remembered of networks is what they are, and is forgotten with whatever it depends on."""

import json
import subprocess
import sys

import pytest

from profiles import models
from profiles.shipping import known
from profiles.tables.settings import samples_digest
from scenarios.systems.scenario import Model

DIGITS = Model(name="digits", samples=12)


def fail():
    raise AssertionError("nobody needs the network")


def test_a_remembered_network_is_not_made_again(tmp_path):
    first = DIGITS.subject(tmp_path)
    again = known.recall(tmp_path, "digits", fail)
    assert again is not None
    assert known.facts_of(again) == known.facts_of(models.create("digits"))
    assert known.facts_of(first) == known.facts_of(again)
    assert DIGITS.subject(tmp_path).network.module is not None


def test_remembered_samples_have_the_digest_of_those_that_are_drawn(tmp_path):
    drawn = samples_digest(*models.samples("digits", "test", 12))
    assert known.remember_samples(tmp_path, "digits", 12, DIGITS.inputs) == drawn
    assert known.remember_samples(tmp_path, "digits", 12, fail) == drawn
    with pytest.raises(AssertionError):
        known.remember_samples(tmp_path, "digits", 13, fail)


def test_nothing_is_remembered_once_code_weights_or_a_library_differ(tmp_path, monkeypatch):
    def keys():
        known._key.cache_clear()
        return known._key("digits")

    home, before = tmp_path / "home", keys()
    for folder in (*known._CODE, "profiles/data/weights", "profiles/data/classes"):
        (home / folder).mkdir(parents=True)
        (home / folder / "digits-0.py").write_text("one")
    monkeypatch.setattr(known, "_HOME", home)
    seen = [before, keys()]
    for folder in (*known._CODE, "profiles/data/weights", "profiles/data/classes"):
        (home / folder / "digits-0.py").write_text("two")
        seen.append(keys())
    monkeypatch.setattr(known, "_version", lambda package: "another")
    seen.append(keys())
    monkeypatch.setattr(known, "processor", lambda: "another")
    seen.append(keys())
    known._key.cache_clear()
    assert len(set(seen)) == len(seen)


def test_a_memory_that_contradicts_the_network_is_said(tmp_path):
    DIGITS.subject(tmp_path)
    (path,) = tmp_path.glob("known-digits-*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "digest": "0" * 16}))
    with pytest.raises(
        ValueError, match=r"network digits: its digest is \w+, remembered was 0{16}"
    ):
        _ = DIGITS.subject(tmp_path).network


def test_a_damaged_memory_is_none(tmp_path):
    DIGITS.subject(tmp_path)
    (path,) = tmp_path.glob("known-digits-*.json")
    path.write_text("{")
    assert known.recall(tmp_path, "digits", fail) is None


def test_a_plan_of_shipped_tables_loads_neither_torch_nor_sklearn(tmp_path):
    words = "['plan', 'slo.p95_s=0.1', 'plan.requests_per_run=200', 'plan.pilot_requests=200']"
    code = (
        "import sys; from scenarios.__main__ import run; "
        f"status = run({words}); print(status, sorted({{'torch', 'sklearn'}} & set(sys.modules)))"
    )
    for expected in ("0 ['sklearn', 'torch']", "0 []"):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == expected
