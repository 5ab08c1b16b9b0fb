"""Timing: what must hold whatever the machine, and whatever it does meanwhile."""

import numpy as np
import pytest

from profiles import ModelProfile, models
from profiles.measuring import timing
from profiles.tables import archive


@pytest.fixture(scope="module")
def profile() -> ModelProfile:
    steps: list[tuple[int, int]] = []
    found = timing.measure(
        models.create("digits"),
        batches=(1, 2),
        rounds=5,
        warmup=1,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(done, 12) for done in range(1, 13)]
    return found


def test_blocks_and_overhead_add_up_to_the_whole(profile):
    whole = np.median(profile.samples["whole_b1"])
    assert sum(layer.seconds for layer in profile.layers) == pytest.approx(whole, rel=1e-12)
    assert [layer.name for layer in profile.layers] == [*profile.cut_names[1:], "overhead"]


def test_layers_carry_all_the_work(profile):
    total = profile.cut("output").head_flops
    assert sum(layer.flops for layer in profile.layers) == total
    parameters = 4 * models.create("digits").n_parameters
    weights = sum(layer.weight_bytes for layer in profile.layers)
    assert parameters <= weights <= 1.05 * parameters


def test_ends_are_nothing_and_everything(profile):
    medians = [np.median(profile.samples[f"whole_b{batch}"]) for batch in profile.head.batches]
    if "falls" not in profile.provenance:  # smaller falls are made isotonic
        medians = np.maximum.accumulate(medians)
    for batch, whole in zip(profile.head.batches, medians, strict=True):
        assert profile.head.seconds_at("input", batch=batch) == 0
        assert profile.tail.seconds_at("output", batch=batch) == 0
        assert profile.head.seconds_at("output", batch=batch) == whole
        assert profile.tail.seconds_at("input", batch=batch) == whole


def test_raw_samples_and_the_machine_are_kept(profile):
    inner = len(profile.cuts) - 2
    assert profile.samples["head_b2"].shape == profile.samples["tail_b2"].shape == (5, inner)
    assert profile.fingerprint["threads"] == 1
    assert profile.head.provenance["anchor_s"] > 0
    assert profile.head.provenance["kind"] == profile.provenance["kind"] == "measured"


def test_shares_are_medians_of_ratios_within_a_round(profile):
    head, whole = profile.samples["head_b1"], profile.samples["whole_b1"]
    expected = np.median(head[:, 2] / whole) * np.median(whole)
    cut = profile.cut_names[3]
    assert profile.head.seconds_at(cut) == pytest.approx(expected, rel=1e-12)


def test_round_trip(profile, tmp_path):
    profile.save(tmp_path / "p.npz")
    loaded = ModelProfile.load(tmp_path / "p.npz")
    assert loaded.digest == profile.digest
    assert loaded.cuts == profile.cuts
    assert loaded.layers == profile.layers


def test_too_few_rounds_are_refused():
    with pytest.raises(ValueError, match="rounds must be >= 5, got 4"):
        timing.measure(models.create("digits"), rounds=4)


def test_a_profile_of_another_schema_truncated_or_with_a_nan_time_is_refused(profile, tmp_path):
    path = tmp_path / "p.npz"
    archive.write(path, "model profile", 99, {}, {})
    with pytest.raises(
        ValueError, match=r"must be a model profile of schema 1, got .* 99"
    ) as first:
        ModelProfile.load(path)
    profile.save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a readable model profile") as second:
        ModelProfile.load(path)
    arrays = profile._arrays()
    arrays["head_seconds"] = np.full_like(arrays["head_seconds"], np.nan)
    archive.write(path, "model profile", 1, profile._header(), arrays)
    with pytest.raises(
        ValueError, match=r"cost\.seconds must be finite and >= 0, got nan"
    ) as third:
        ModelProfile.load(path)
    assert not any("\n" in str(error.value) for error in (first, second, third))
