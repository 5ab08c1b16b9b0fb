"""SLICER's switches: each against its definition, and what the entropy coder may not change."""

import itertools

import numpy as np
import pytest

import codec
from codec.stream.container import read
from codec.stream.fields import Writer
from tests.bench.rivals import numpy_slicer


def features(shape=(4, 24, 20), seed=0, signed=True):
    """Clustered features: an envelope over space, about a third of them zero."""
    generator = np.random.default_rng(seed)
    envelope = np.kron(generator.exponential(size=(shape[0], 6, 5)), np.ones((1, 4, 4)))
    x = envelope * generator.normal(size=shape)
    x = x if signed else np.maximum(x, 0)
    return (x * (generator.random(shape) < 0.7)).astype(np.float32)


def decoded(**options):
    return codec.decode(codec.create("slicer", **options).encode(features()))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("granularity", ["tensor", "token"])
@pytest.mark.parametrize("n_blocks", [1, 3, 8])
def test_coding_of_values_and_positions_never_changes_the_tensor(signed, granularity, n_blocks):
    x = features(signed=signed)
    how = {"granularity": granularity, "n_blocks": n_blocks, "sparsity": 0.6}
    expected = codec.decode(codec.create("slicer", **how, positions="csr").encode(x))
    for entropy, where in itertools.product(
        ("packed", "rans"), ("csr", "bitmap", "gaps", "map", "entropy", "auto")
    ):
        chain = codec.create("slicer", **how, entropy=entropy, positions=where)
        data = chain.encode(x)
        assert np.array_equal(chain.decode(data), expected)
        assert sum(codec.ledger(data).values()) == len(data)


def test_positions_take_what_their_rules_promise():
    x = features()
    sizes = {
        rule: codec.ledger(codec.create("slicer", sparsity=0.9, positions=rule).encode(x))
        for rule in ("csr", "bitmap", "gaps", "map", "entropy", "auto")
    }
    taken = {rule: found["positions"] for rule, found in sizes.items()}
    assert taken["bitmap"] == x.size // 8
    assert taken["auto"] == min(taken["csr"], taken["bitmap"])
    assert taken["entropy"] == min(taken["gaps"], taken["map"]) < taken["auto"]


def test_entropy_coding_saves_on_values_but_not_on_labels_of_equal_cardinality():
    """log2 M bits a label cannot be saved: the blocks are equally frequent by construction."""
    x = features(shape=(16, 24, 20))
    packed = codec.ledger(codec.create("slicer", n_blocks=4).encode(x))
    ranged = codec.ledger(codec.create("slicer", n_blocks=4, entropy="rans").encode(x))
    kept = round(0.5 * x.size)
    assert packed["labels"] == 2 * kept // 8
    assert ranged["values"] > packed["labels"]  # labels are among them, at 2 bits each
    assert ranged["values"] + ranged["tables"] < packed["values"] + packed["labels"]
    single = codec.create("slicer", n_blocks=1, entropy="rans", bits_max=6, bits_min=6)
    several = codec.create("slicer", n_blocks=8, entropy="rans", bits_max=6, bits_min=6)
    assert len(single.encode(x)) < len(several.encode(x))


def test_sparsity_is_an_exact_count_and_asymmetry_shifts_it_to_one_sign():
    x = np.random.default_rng(3).normal(size=1000).astype(np.float32)
    for sparsity in (0.1, 0.5, 0.93):
        chain = codec.create("slicer", sparsity=sparsity, bits_min=8)
        keep = next(s for s in read(chain.encode(x))[1][0].sections if s.part == "header").data
        assert bytes(keep[2:]) == Writer().varint(round((1 - sparsity) * 1000)).done()
    negative = [(decoded(asymmetry=a) < 0).mean() for a in (0.25, 1.0, 4.0)]
    assert negative[0] < negative[1] < negative[2]


def test_ties_are_broken_reproducibly_and_differently_by_seed():
    x = np.ones((8, 16), np.float32)
    x[0, 0] = 2
    seeds = [
        codec.create("slicer", sparsity=0.7, ties="seeded", tie_seed=seed).encode(x)
        for seed in (1, 1, 2)
    ]
    assert seeds[0] == seeds[1] != seeds[2]
    lowest = codec.decode(codec.create("slicer", sparsity=0.7).encode(x)).reshape(-1)
    assert np.all(lowest[:38] > 0)
    assert not lowest[38:].any()


@pytest.mark.parametrize(
    "bad", [{"positions": "coo"}, {"entropy": "huffman"}, {"granularity": "row"}, {"ties": "any"}]
)
def test_unknown_choices_list_what_is_allowed(bad):
    with pytest.raises(codec.CodecOptionError, match="must be one of"):
        codec.create("slicer", **bad)


@pytest.mark.parametrize("n_blocks", [1, 2, 4])
@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.9])
def test_the_yardstick_of_speed_is_the_same_chain(n_blocks, sparsity):
    """Plain numpy against ours: the same positions and labels, sizes and errors within 1 %.

    Ranges are kept in 32 bits there and in 16 here, rounded outwards.
    """
    x = np.random.default_rng(4).laplace(size=(64, 512)).astype(np.float32)
    how = {"sparsity": sparsity, "n_blocks": n_blocks, "distortion": 0.01}
    ours = codec.create("slicer", positions="bitmap", **how)
    data, plain = ours.encode(x), numpy_slicer.encode(x, **how)
    parts = codec.ledger(data)
    assert parts["positions"] == len(plain.positions)
    assert parts["values"] == pytest.approx(sum(map(len, plain.values)), rel=0.01)
    if n_blocks > 1:
        assert parts["labels"] == len(plain.labels)
    errors = [np.linalg.norm(x - y) for y in (ours.decode(data), numpy_slicer.decode(plain))]
    assert errors[0] == pytest.approx(errors[1], rel=0.01)
    assert np.array_equal(ours.decode(data) != 0, numpy_slicer.decode(plain) != 0)
