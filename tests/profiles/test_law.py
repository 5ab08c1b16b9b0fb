import numpy as np
import pytest

import codec
from profiles import models
from profiles.measuring.crossing import codec_points
from profiles.tables.law import Point, fit


def points(fixed, slope, noise=0.0):
    generator = np.random.default_rng(0)
    return [
        Point(
            cut="stem",
            depth=0.1,
            elements=n,
            encode_s=(fixed + slope * n) * float(np.exp(noise * generator.normal())),
            decode_s=2 * (fixed + slope * n),
        )
        for n in (1_000, 4_000, 16_000, 64_000, 1_000_000)
        for _ in range(8)
    ]


def test_the_law_behind_the_points_is_found():
    law = fit(points(1e-3, 2e-9), "encode")
    assert law.fixed_s == pytest.approx(1e-3, rel=1e-6)
    assert law.per_element_s == pytest.approx(2e-9, rel=1e-6)
    assert law.worst < 1e-9
    assert fit(points(1e-3, 2e-9), "decode").seconds_at(0) == pytest.approx(2e-3)


def test_residuals_are_relative():
    law = fit(points(1e-3, 2e-8, noise=0.05), "encode")
    assert law.per_element_s == pytest.approx(2e-8, rel=0.05)
    assert np.std(law.residuals) == pytest.approx(0.05, rel=0.3)


def test_one_size_is_no_law():
    with pytest.raises(ValueError, match="at least 2 sizes"):
        fit(points(1e-3, 2e-9)[:8], "encode")
    with pytest.raises(ValueError, match="direction must be encode or decode"):
        fit(points(1e-3, 2e-9), "both")


def test_points_cover_depth_and_size():
    net, data = models.create("digits"), models.samples("digits", "test", 20)
    found = codec_points(net, codec.create("int8"), data.inputs, sizes=(100, 3000), repeats=2)
    assert {(p.cut, p.elements) for p in found} == {(c, n) for c in net.stages for n in (100, 3000)}
    assert all(p.encode_s > 0 and p.decode_s > 0 for p in found)
    depths = [p.depth for p in found if p.elements == 100]
    assert depths == sorted(depths)
