"""Tables that were measured elsewhere: taken with the file's seconds, or refused in one line."""

from dataclasses import replace

import numpy as np
import pytest

from profiles.predicting.roles import seconds_of
from profiles.shipping import shipped
from profiles.tables.hardware import ServerSpec
from profiles.tables.layers import ModelProfile
from scenarios.systems.given import with_given
from scenarios.systems.measured import known_of

FACTS = ModelProfile.load(shipped.DATA / "profiles" / "scenes-single-1.npz")
KNOWN = known_of(FACTS, shipped.surfaces("scenes", "single"))


def tail(path):
    sheet = ServerSpec(name="mybox", title="mine", profile=str(path))
    return seconds_of(sheet, "tail", with_given(KNOWN, sheet, "tail"))


def table(tmp_path, *rows, header="cut,batch,seconds,p95,n"):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_table_of_latencies_is_a_measured_machine(tmp_path):
    found = tail(table(tmp_path, "stage3,1,0.001,0.0012,100", "stage3,8,0.004,0.0041,100"))
    assert found.seconds_at("stage3", batch=8) == 0.004
    assert (found.hardware, found.provenance["kind"]) == ("mybox", "measured")
    assert found.errors is not None
    error = 1.2533 * (0.0002 / 1.6449) / 10 / 0.001
    assert found.errors[found.cuts.index("stage3"), 0, 0, 0] == pytest.approx(error, rel=1e-3)
    with pytest.raises(ValueError, match="cut must be one of"):
        found.seconds_at("stage2")


def test_small_falls_are_made_isotonic_and_said(tmp_path):
    found = tail(table(tmp_path, "stage3,1,0.010,,", "stage3,4,0.009,,"))
    assert found.seconds_at("stage3", batch=4) == 0.010
    assert "stage3 at 4 by 10.0 %" in found.provenance["isotonic"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["stage3,1,0.010,,", "stage3,4,0.007,,"], r"falls from 0\.01 s to 0\.007 s at batch 4"),
        (["stage3,1,-0.01,,"], "seconds must be"),
        (["stage3,1,nan,,"], "seconds must be"),
        (["stage9,1,0.01,,"], "cut of scenes must be one of"),
        (["stage3,1,0.01,,", "stage2,4,0.01,,"], "has no batch"),
        (["stage3,1,0.01,,", "stage3,1,0.02,,"], "several rows of one cut and batch"),
    ],
)
def test_bad_tables_are_refused_in_one_line(rows, words, tmp_path):
    with pytest.raises(ValueError, match=words) as refused:
        tail(table(tmp_path, *rows))
    assert "\n" not in str(refused.value)


def test_a_profile_of_another_machine_gives_its_seconds(tmp_path):
    halved = {
        part: replace(
            getattr(FACTS, part), hardware="far", seconds=getattr(FACTS, part).seconds / 2
        )
        for part in ("head", "tail")
    }
    replace(FACTS, hardware="far", **halved).save(tmp_path / "far.npz")
    found = tail(tmp_path / "far.npz")
    top = np.maximum.accumulate(FACTS.tail.seconds / 2, axis=1)
    assert found.seconds == pytest.approx(top)


def test_another_networks_profile_is_refused(tmp_path):
    other = shipped.DATA / "profiles" / "resnet34-single-1.npz"
    with pytest.raises(ValueError, match=r"is a profile of resnet34.*must be of scenes"):
        tail(other)
    changed = {**FACTS.provenance, "model_digest": "another"}
    replace(FACTS, provenance=changed).save(tmp_path / "odd.npz")
    with pytest.raises(ValueError, match="is of another scenes"):
        tail(tmp_path / "odd.npz")
