import math

import numpy as np
import pytest
from scipy import stats

from sim import philox
from sim.streams import Streams

KAT = """
00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1
"""
"""Random123, tests/kat_vectors: counter, key and result of philox4x32 with 10 rounds."""


def numbers(stream, n):
    return [stream.random() for _ in range(n)]


def firsts(stream, n):
    """The first number of each of `n` requests."""
    return [stream.advance() or stream.random() for _ in range(n)]


def words(key, counter):
    """Philox 4x32-10 as its authors write it down, in whole numbers of any length."""
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def unit(high, low):
    return ((high >> 5) * 2**26 + (low >> 6)) / 2**53


@pytest.mark.parametrize("line", KAT.split("\n")[1:-1])
def test_published_vectors(line):
    given = [int(word, 16) for word in line.split()]
    assert list(philox.philox(*given[4:6], *given[:4])) == given[6:]
    assert list(words(given[4:6], given[:4])) == given[6:]


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, 2**32 + 7, 2**64 - 1])
def test_every_number_has_a_place_of_its_own(seed):
    """Request 5 of device 3 in replication 2: number j of either lane is a call of its own."""
    streams = Streams(seed, 2)
    pauses, rows = streams.pauses(3), streams.rows(3)
    for _ in range(6):
        pauses.advance()
        rows.advance()
    key = streams.key("requests")
    for asked in range(4):
        w = words(key, (5, 3, 2, asked))
        assert pauses.random() == unit(*w[:2])
        assert rows.random() == unit(*w[2:])


def test_a_row_of_numbers_takes_both_lanes_by_turns():
    stream, key = Streams(1, 4).stream("contention", 2), Streams(1, 4).key("contention")
    made = [words(key, (call, 2, 4, 0)) for call in range(400)]
    assert numbers(stream, 800) == [unit(*w[i : i + 2]) for w in made for i in (0, 2)]


def test_how_much_a_request_asks_for_moves_no_other():
    few, many = Streams(0).rows(1), Streams(0).rows(1)
    for request in range(300):
        few.advance()
        many.advance()
        if request % 3:
            assert few.random() == many.random()
            numbers(many, request % 7)


def test_seeds_purposes_devices_replications_and_lanes_differ():
    def at(seed=1, replication=0, index=3, lane="rows"):
        return firsts(getattr(Streams(seed, replication), lane)(index), 700)

    reference = at()
    shared = Streams(1)
    others = [shared.rows(i) for i in range(6)]
    interleaved = [[other.advance() or other.random() for other in others][3] for _ in range(700)]
    assert interleaved == reference
    changed = [at(seed=2), at(replication=1), at(index=4), at(lane="pauses"), at(seed=1 + 2**32)]
    changed += [numbers(shared.stream(name, 3), 700) for name in ("link", "service", "requests")]
    assert all(len(set(a) & set(b)) < 2 for a in [reference] for b in changed[:-1])
    assert len({*reference, *[x for each in changed[:-1] for x in each]}) == 700 * len(changed)


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
@pytest.mark.parametrize("kind", ["row", "requests"])
def test_distributions(draw, law, kind):
    stream = Streams(7).stream("law") if kind == "row" else Streams(7).rows(0)
    values = [(kind == "requests" and stream.advance()) or draw(stream) for _ in range(20_000)]
    assert stats.kstest(values, law.cdf).pvalue > 1e-3
    assert math.isclose(np.mean(values), law.mean(), abs_tol=5 * law.std() / math.sqrt(20_000))


def test_the_logarithm_is_right_to_one_unit_of_the_last_place():
    uniform = np.random.default_rng(0).random(20_000)
    edges = np.array([0.0, 2.0**-53, 0.25, 0.5, 1.0 - 2.0**-53])
    drawn = np.floor(np.concatenate((uniform, uniform * 1e-6)) * 2**53) / 2**53
    for u in np.concatenate((drawn, edges)).tolist():
        exact = -math.log1p(-u)
        assert abs(philox.minus_log(u) - exact) <= math.ulp(exact)


def test_neighbouring_devices_requests_and_lanes_are_uncorrelated():
    streams = Streams(0)
    table = np.array([firsts(streams.rows(i), 2000) for i in range(20)])
    pauses = np.array([firsts(streams.pauses(i), 2000) for i in range(20)])
    bound = 4.5 / math.sqrt(2000)
    correlation = np.corrcoef(np.concatenate((table, pauses)))[np.triu_indices(40, 1)]
    assert np.abs(correlation).max() < bound
    assert max(abs(np.corrcoef(each[1:], each[:-1])[0, 1]) for each in table) < bound


def test_integers_cover_their_range():
    stream = Streams(0).stream("rows")
    assert {stream.integers(7) for _ in range(500)} == set(range(7))
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match=f"seed must be >= 0 and < 2.64, got {seed}"):
            Streams(seed)
