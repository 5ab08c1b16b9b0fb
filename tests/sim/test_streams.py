import math

import numpy as np
import pytest
from scipy import stats

from sim.streams import Streams


def numbers(stream, n):
    return [stream.random() for _ in range(n)]


def test_a_stream_depends_on_seed_replication_purpose_and_index_alone():
    def at(seed=1, replication=0, purpose="rows", index=3):
        return numbers(Streams(seed, replication).stream(purpose, index), 700)

    reference = at()
    shared = Streams(1)
    others = [shared.stream("rows", i) for i in range(6)]
    interleaved = [[other.random() for other in others][3] for _ in range(700)]
    assert interleaved == reference
    changed = [at(seed=2), at(replication=1), at(purpose="think"), at(index=4)]
    assert all(not set(reference) & set(other) for other in changed)


@pytest.mark.parametrize(
    ("draw", "law"),
    [
        (lambda s: s.random(), stats.uniform()),
        (lambda s: s.exponential(3.0), stats.expon(scale=3.0)),
        (lambda s: s.normal(1.0, 2.0), stats.norm(1.0, 2.0)),
        (lambda s: s.gamma(2.5, 0.4), stats.gamma(2.5, scale=0.4)),
        (lambda s: s.gamma(0.3, 2.0), stats.gamma(0.3, scale=2.0)),
    ],
)
def test_distributions(draw, law):
    stream = Streams(7).stream("law")
    values = [draw(stream) for _ in range(20_000)]
    assert stats.kstest(values, law.cdf).pvalue > 1e-3
    assert math.isclose(np.mean(values), law.mean(), abs_tol=5 * law.std() / math.sqrt(20_000))


def test_neighbouring_devices_are_uncorrelated():
    streams = Streams(0)
    table = np.array([numbers(streams.stream("rows", i), 2000) for i in range(20)])
    correlation = np.corrcoef(table)[np.triu_indices(20, 1)]
    assert np.abs(correlation).max() < 4.5 / math.sqrt(2000)


def test_integers_cover_their_range():
    stream = Streams(0).stream("rows")
    assert {stream.integers(7) for _ in range(500)} == set(range(7))
    with pytest.raises(ValueError, match="seed must be >= 0, got -1"):
        Streams(-1)
