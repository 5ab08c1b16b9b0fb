"""Transports: how many bits flip, what arrives of lost segments, headers, refusals."""

import numpy as np
import pytest
from scipy.stats import binom

import codec
from codec.stream.tolerance import Fixed
from profiles.schemes import transports
from profiles.schemes.transports import BitErrors, Erasure, check_tolerant, transport_of
from sim.specs import LinkSpec

FIXED = ("int4", "int8", "raw16", "raw32")
X = np.random.default_rng(3).normal(size=(5, 7, 3)).astype(np.float32)


def flips(sent, got):
    """Bits in which two strings of bytes differ."""
    return int(np.unpackbits(np.frombuffer(sent, np.uint8) ^ np.frombuffer(got, np.uint8)).sum())


def within(count, n, p):
    """Whether a count lies in the central 99.9 % of a binomial."""
    low, high = binom.interval(0.999, n, p)
    return low <= count <= high


@pytest.mark.parametrize("name", FIXED)
def test_an_undamaged_payload_is_read_as_the_stream_is(name):
    chosen = codec.create(name)
    sent = chosen.encode_fixed(X)
    y = chosen.decode_fixed(sent, X, np.zeros(len(sent.symbols), bool))
    np.testing.assert_array_equal(y, chosen.decode(chosen.encode(X)))


@pytest.mark.parametrize("name", FIXED)
def test_a_payload_is_as_long_whatever_it_holds(name):
    chosen = codec.create(name)
    arrays = (X, np.zeros_like(X), np.full_like(X, 2.5), 100.0 * X)
    sizes = {tuple(map(len, chosen.encode_fixed(x))) for x in arrays}
    assert len(sizes) == 1
    constant = chosen.encode_fixed(arrays[2])
    y = chosen.decode_fixed(constant, X, np.zeros(len(constant.symbols), bool))
    np.testing.assert_array_equal(y, arrays[2])


def test_ranges_of_channels_are_beside_the_levels():
    chosen = codec.create("int8", axis=0)
    sent = chosen.encode_fixed(X)
    assert list(map(len, sent)) == [8 * 5, X.size]
    y = chosen.decode_fixed(sent, X, np.zeros(X.size, bool))
    np.testing.assert_array_equal(y, chosen.decode(chosen.encode(X)))


def test_images_at_the_input_too():
    x = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    chosen = codec.create("raw8")
    sent = chosen.encode_fixed(x)
    missing = np.arange(48) >= 12
    y = chosen.decode_fixed(sent, x, missing)
    np.testing.assert_array_equal(y[0], x[0])
    assert not y[1:].any()


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.03, 0.25, 0.5])
def test_as_many_bits_flip_as_the_binomial_says(rate):
    sent = Fixed(b"range---", bytes(range(256)) * 200)
    got = BitErrors(rate=rate).carry(sent, np.random.default_rng(1)).payload
    assert got.side == sent.side
    assert len(got.symbols) == len(sent.symbols)
    assert within(flips(sent.symbols, got.symbols), 8 * len(sent.symbols), rate)


def test_flips_are_independent_of_place_and_of_one_another():
    way, draw = BitErrors(rate=0.1), np.random.default_rng(2)
    sent, n = Fixed(b"", b"\0" * 64), 400
    got = np.array([
        np.unpackbits(np.frombuffer(way.carry(sent, draw).payload.symbols, np.uint8))
        for _ in range(n)
    ])  # fmt: skip
    per_place = got.sum(0)
    assert np.mean([within(count, n, 0.1) for count in per_place]) > 0.99
    pairs = int((got[:, 1:] & got[:, :-1]).sum())
    assert within(pairs, n * 511, 0.01)


@pytest.mark.parametrize(("rate", "side"), [(0.0, 8), (0.001, 8), (0.01, 8), (0.1, 8), (0.2, 40)])
def test_a_header_is_copied_until_the_vote_holds(rate, side):
    """Bits are voted on, many headers: as rarely wrong as promised, with two copies fewer not."""
    copies = BitErrors(rate=rate).copies(side)
    assert copies % 2
    draw, n = np.random.default_rng(4), 20_000

    def wrong(each):
        return (draw.binomial(each, rate, size=(n, 8 * side)) > each // 2).any(1).sum()

    assert wrong(copies) <= binom.ppf(0.999, n, transports.HEADER_RISK)
    if copies > 1:
        assert wrong(copies - 2) > 0.5 * n * transports.HEADER_RISK
    payload = Fixed(b"\1" * side, b"\0" * 100)
    assert BitErrors(rate=rate).sent_bytes(payload) == 100 + copies * side


def test_what_has_no_header_takes_as_many_bytes_at_every_rate():
    payload = Fixed(b"", b"\0" * 12)
    assert {BitErrors(rate=r).sent_bytes(payload) for r in (0.0, 0.01, 0.1, 0.5)} == {12}


def test_a_header_that_nothing_protects_is_refused():
    with pytest.raises(ValueError, match="copies do not protect a header of 8 B at a bit error"):
        BitErrors(rate=0.49).sent_bytes(Fixed(b"\0" * 8, b""))


@pytest.mark.parametrize("side", [b"", b"12345678"])
@pytest.mark.parametrize("loss", [0.0, 0.25, 0.75, 1.0])
def test_segments_are_lost_whole_and_at_their_rate(loss, side):
    way, draw = Erasure(loss_rate=loss, segment_bytes=24), np.random.default_rng(5)
    room, sent = 24 - len(side), Fixed(side, bytes(range(1, 251)))
    n_segments = -(-250 // room)
    lost = 0
    for _ in range(300):
        got = way.carry(sent, draw)
        heads = got.missing[::room]
        np.testing.assert_array_equal(got.missing, np.repeat(heads, room)[:250])
        whole = np.where(got.missing, 0, np.frombuffer(sent.symbols, np.uint8))
        assert got.payload.symbols == whole.astype(np.uint8).tobytes()
        assert got.payload.side == side
        lost += int(heads.sum())
    assert within(lost, 300 * n_segments, loss)
    assert way.sent_bytes(sent) == 250 + n_segments * len(side)


def test_segments_are_the_frames_of_the_link():
    """As many frames as the medium cuts the payload into, none of them longer than it allows."""
    for n in (1, 15, 16, 17, 250, 1_000):
        for side in (0, 8):
            sent = Erasure(loss_rate=0.5, segment_bytes=24).sent_bytes(
                Fixed(b"\0" * side, b"\1" * n)
            )
            assert -(-sent // 24) == -(-n // (24 - side))


def test_a_frame_is_lost_with_any_of_its_bits():
    way = Erasure(loss_rate=0.1, bit_error_rate=1e-3, segment_bytes=50, header_bytes=30)
    draw, n = np.random.default_rng(6), 4_000
    lost = sum(way.carry(Fixed(b"", b"\1" * 50), draw).missing[0] for _ in range(n))
    assert within(lost, n, 1 - 0.9 * (1 - 1e-3) ** (8 * 80))


def test_missing_elements_are_read_as_zero():
    for name, bits in (("int4", 4), ("int8", 8), ("raw16", 16), ("raw32", 32)):
        chosen = codec.create(name)
        sent = chosen.encode_fixed(X)
        missing = np.zeros(len(sent.symbols), bool)
        missing[3] = True
        y = chosen.decode_fixed(sent, X, missing).ravel()
        gone = np.arange(24 // bits, -(-32 // bits)) if bits > 8 else np.arange(24, 32) // bits
        assert not y[np.unique(gone)].any()
        whole = chosen.decode_fixed(sent, X, np.zeros(len(sent.symbols), bool)).ravel()
        kept = np.setdiff1d(np.arange(X.size), gone)
        np.testing.assert_array_equal(y[kept], whole[kept])


@pytest.mark.parametrize("name", FIXED)
def test_any_damage_gives_finite_numbers_of_the_same_shape(name):
    chosen, draw = codec.create(name), np.random.default_rng(7)
    for _ in range(50):
        symbols = draw.integers(256, size=len(chosen.encode_fixed(X).symbols), dtype=np.uint8)
        payload = Fixed(chosen.encode_fixed(X).side, symbols.tobytes())
        y = chosen.decode_fixed(payload, X, draw.random(len(symbols)) < 0.2)
        assert y.shape == X.shape
        assert y.dtype == X.dtype
        assert np.isfinite(y).all()


@pytest.mark.parametrize("name", ["slicer", "ecsq", "zstd", "aiq", "topk"])
def test_variable_lengths_are_refused_with_the_reason(name):
    with pytest.raises(ValueError, match="variable length") as error:
        check_tolerant(name, codec.create(name), "bit_error")
    said = str(error.value)
    assert "\n" not in said
    assert f"codec={name} writes payloads of variable length" in said
    assert "link.transport=exact, got bit_error" in said
    assert said.endswith("centres, int4, int8, raw16, raw32, raw8")


def test_links_say_what_they_do_to_payloads():
    def of(**how):
        return transport_of(LinkSpec(sharing="ps", **how))

    assert of(bit_error_rate=0.1) is None
    assert of(transport="bit_error", bit_error_rate=0.1) == BitErrors(rate=0.1)
    lost = Erasure(loss_rate=0.2, bit_error_rate=0.01, segment_bytes=100, header_bytes=64)
    assert of(transport="erasure", frame_error_rate=0.2, bit_error_rate=0.01, mtu_bytes=100) == lost
    both = of(transport="bit_error", frame_error_rate=0.2, bit_error_rate=0.01, mtu_bytes=100)
    assert both == BitErrors(rate=0.01, frames=Erasure(loss_rate=0.2, segment_bytes=100))
    with pytest.raises(ValueError, match=r"independently, got link.rate=shannon, link.fading=ray"):
        of(transport="erasure", rate="shannon", fading="rayleigh")


def test_both_at_once():
    way = BitErrors(rate=0.05, frames=Erasure(loss_rate=0.5, segment_bytes=60))
    sent = Fixed(b"\0" * 2, b"\xff" * 2_000)
    got = way.carry(sent, np.random.default_rng(8))
    assert got.payload.side == sent.side
    arrived = np.frombuffer(got.payload.symbols, np.uint8)
    assert not arrived[got.missing].any()
    wrong = 8 * (~got.missing).sum() - int(np.unpackbits(arrived).sum())
    assert within(wrong, 8 * int((~got.missing).sum()), 0.05)
    assert way.sent_bytes(sent) == 2_000 + -(-2_000 // (60 - 2 * way.copies(2))) * 2 * way.copies(2)
