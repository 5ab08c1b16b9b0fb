"""`splitfleet ablation`: every setting takes the same rate, and the best of the others' values."""

import numpy as np
import pytest

import codec
from profiles.measuring import coding
from scenarios.figures import ablation

X = np.maximum(np.random.default_rng(0).normal(size=(2, 8, 16, 16)), 0).astype(np.float32)


def row(option, value, distortions=(0.04, 0.01), rate=2.0, **options):
    return coding.least_error(X, {**options, option: value}, rate, option, distortions)


@pytest.mark.parametrize(
    ("option", "value"), [("n_blocks", 1), ("n_blocks", 8), ("positions", "map"), ("sparsity", 0.7)]
)
def test_the_rate_is_used_up_from_below(option, value):
    found = row(option, value, bits_min=1)
    assert 1.9 <= found["bits_per_element"] <= 2.0
    chosen = {k: found[k] for k in ("sparsity", "distortion", "n_blocks")}
    made = codec.create("slicer", **{"bits_min": 1, option: value, **chosen})
    decoded = np.stack([made.decode(made.encode(x)) for x in X])
    assert found["relative_l2"] == pytest.approx(np.linalg.norm(decoded - X) / np.linalg.norm(X))


def test_every_setting_gets_the_best_of_the_distortions():
    alone = [row("n_blocks", 2, (each,))["relative_l2"] for each in (0.08, 0.02, 0.005)]
    assert row("n_blocks", 2, (0.08, 0.02, 0.005))["relative_l2"] == min(alone) < max(alone)


def test_a_rate_below_that_of_the_positions_is_refused():
    with pytest.raises(ValueError, match=r"reaches 0\.5 bits per element"):
        row("positions", "bitmap", rate=0.5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"panels": {"M": {"packed": {"n_blocks": 1}}}},
            "M: packed must vary one option, got none",
        ),
        ({"panels": {"M": {"a": {"n_blocks": [1], "features": ["b"]}}}}, "must be for x, got b"),
        ({"features": {}}, "features must name at least one"),
    ],
)
def test_configurations_without_sense_are_refused(change, said):
    good = {"features": {"x": {}}, "panels": {"M": {"packed": {"n_blocks": [1, 2]}}}}
    with pytest.raises(ValueError, match=said):
        ablation.Config(**{**good, **change})
