"""Medians: intervals of profiles whose true seconds are known, and closed forms."""

import numpy as np
import pytest

from profiles import CostSurface, Cut, ModelProfile
from profiles.tables import medians

CUTS = ("input", "a", "b", "output")
SHARES = np.array([0.3, 0.8])
BATCHES = {1: (0.01, 30), 4: (0.03, 30), 16: (0.1, 10)}


def cut(name):
    return Cut(name=name, shape=(1,), dtype="float32", head_flops=0.0, tail_flops=0.0)


def noise(rng, shape, spread, stalls=0.03):
    """Lognormal, and now and then a call that takes up to four times as long."""
    stalled = np.where(rng.random(shape) < stalls, rng.uniform(1.5, 4.0, shape), 1.0)
    return np.exp(rng.normal(0.0, spread, shape)) * stalled


def profile(rng, *, spread, drift):
    """A profile as `timing.measure` makes it on a machine that becomes slower by exp(`drift`),
    and how slow that machine is at one moment of the measurement.
    """
    samples, heads, tails, edges = {}, [], [], np.linspace(-0.5, 0.5, len(BATCHES) + 1)
    for (batch, (whole_s, rounds)), lo, hi in zip(
        BATCHES.items(), edges[:-1], edges[1:], strict=True
    ):
        slow = np.exp(drift * np.linspace(lo, hi, rounds))[:, None]
        whole = (whole_s * slow * noise(rng, (rounds, 1), spread))[:, 0]
        head, tail = (whole_s * slow * f * noise(rng, (rounds, 2), spread)
                      for f in (SHARES, 1 - SHARES))  # fmt: skip
        samples |= {f"whole_b{batch}": whole, f"head_b{batch}": head, f"tail_b{batch}": tail}
        middle = float(np.median(whole))
        heads.append([0.0, *medians.part_seconds(head, whole), middle])
        tails.append([middle, *medians.part_seconds(tail, whole), 0.0])
    at = np.linspace(-0.5, 0.5, 40)
    anchor = np.exp(drift * at) * noise(rng, at.shape, spread)
    log_drift, error = medians.trend(at, anchor)
    said = {"kind": "measured", "anchor_drift": np.expm1(log_drift), "anchor_drift_error": error}
    fields = {"hardware": "box", "cuts": CUTS, "batches": tuple(BATCHES), "provenance": said}
    surfaces = {
        part: CostSurface(part=part, seconds=np.transpose(s)[:, :, None, None], **fields)
        for part, s in (("head", heads), ("tail", tails))
    }
    made = ModelProfile(model="net", hardware="box", cuts=tuple(map(cut, CUTS)), samples=samples,
                        **surfaces)  # fmt: skip
    return made, np.exp(drift * rng.uniform(-0.5, 0.5))


def truth(part):
    shares = np.array([0.0, *SHARES, 1.0])
    shares = shares if part == "head" else 1.0 - shares
    return shares[:, None] * np.array([s for s, _ in BATCHES.values()])


def covers(rng, n, drifts):
    """Share of all points, of `n` profiles, whose 95 % interval holds the true seconds."""
    inside = []
    for _ in range(n):
        spread, drift = rng.choice([0.02, 0.05, 0.1]), rng.normal(0.0, rng.choice(drifts))
        made, slow = profile(rng, spread=spread, drift=drift)
        for side in (made.head, made.tail):
            known = truth(side.part) > 0
            sigma = np.hypot(side.errors, side.log_error)[:, :, 0, 0][known]
            ratio = side.seconds[:, :, 0, 0][known] / (truth(side.part)[known] * slow)
            inside.append(np.abs(np.log(ratio)) <= medians.Z * sigma)
    return np.mean(inside)


def test_intervals_of_1000_profiles_cover_the_true_seconds():
    assert 0.93 <= covers(np.random.default_rng(5), 1000, drifts=[0.0, 0.02, 0.05]) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("drift", [0.0, 0.01, 0.03, 0.05, 0.08])
def test_they_do_at_every_drift(drift):
    assert 0.93 <= covers(np.random.default_rng(6), 1000, drifts=[drift]) <= 0.97


def test_the_error_of_a_median_is_that_of_many_medians():
    drawn = 0.01 * np.random.default_rng(1).lognormal(0.0, 0.05, (2000, 41))
    spread = np.log(np.median(drawn, axis=1)).std()
    errors = np.mean([medians.median_errors(one) for one in drawn])
    assert errors == pytest.approx(1.06 * spread, rel=0.06)  # Student's with 20 for 41 rounds


def test_what_whole_and_part_share_cancels_but_stays_in_the_seconds():
    rng = np.random.default_rng(2)
    whole = rng.lognormal(0.0, 0.05, 101)
    errors = medians.share_errors(0.25 * whole[:, None], whole)
    assert errors == pytest.approx(float(medians.median_errors(whole)), rel=1e-9)
    assert medians.part_seconds(0.25 * whole[:, None], whole) == pytest.approx(
        0.25 * np.median(whole)
    )


def test_rounds_like_the_one_before_count_for_fewer():
    rng = np.random.default_rng(3)
    alone = rng.lognormal(0.0, 0.05, 200)
    in_blocks = np.repeat(alone[:20], 10)
    same = np.sort(in_blocks)[rng.permutation(200)]
    ratio = medians.median_errors(in_blocks) / medians.median_errors(same)
    assert ratio == pytest.approx(np.sqrt(3), rel=0.01)  # a correlation of 1/2 at most


def test_one_layer_that_counts_twice_stands_on_either_side():
    head, tail = medians.sides_of_calls(np.array([[1.0, 4.0, 2.0]]), 4)
    assert head.tolist() == [[0.0, 5.0, 9.0, 11.0]]
    assert tail.tolist() == [[11.0, 6.0, 2.0, 0.0]]


def test_a_trend_is_found_through_stalls_and_its_error_is_that_of_many():
    at = np.linspace(2.0, 6.0, 60)
    seconds = np.exp(0.02 * at)
    seconds[::9] *= 3.0
    assert medians.trend(at, seconds)[0] == pytest.approx(0.08, abs=1e-9)
    rng = np.random.default_rng(4)
    found = [medians.trend(at, rng.lognormal(0.0, 0.05, 60)) for _ in range(400)]
    slopes, errors = np.transpose(found)
    assert slopes.std() == pytest.approx(errors.mean(), rel=0.15)
    assert medians.trend(np.zeros(3), np.ones(3)) == (0.0, 0.0)
