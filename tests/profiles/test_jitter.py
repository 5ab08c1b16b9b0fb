import numpy as np
import pytest

from profiles.tables.jitter import Jitter, fit


def test_there_is_none_unless_it_is_named():
    class Never:
        def random(self):
            raise AssertionError("a number was drawn")

    assert Jitter().name == "none"
    assert Jitter().factor(Never()) == 1


def test_a_fit_finds_the_sigma_behind_the_samples():
    generator = np.random.default_rng(0)
    jitter = Jitter(name="lognormal", sigma=0.12)
    samples = np.array([3e-3 * jitter.factor(generator) for _ in range(20_000)])
    assert np.median(samples) == pytest.approx(3e-3, rel=0.005)
    assert fit(samples).sigma == pytest.approx(0.12, rel=0.03)


def test_one_wild_sample_does_not_move_the_fit():
    samples = np.exp(0.1 * np.random.default_rng(1).normal(size=501))
    wild = np.append(samples, 1e4)
    assert fit(wild).sigma == pytest.approx(fit(samples).sigma, rel=0.02)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "gauss"}, "jitter.name must be one of"),
        ({"name": "lognormal", "sigma": -1.0}, "jitter.sigma must be >= 0, got -1.0"),
        ({"sigma": 0.1}, "must be 0 without a jitter, got 0.1"),
    ],
)
def test_bad_jitter_is_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        Jitter(**fields)
    with pytest.raises(ValueError, match="at least 5 positive seconds, got 3"):
        fit(np.ones(3))
