"""Traces over channels: against a plain computation, at the ends of the rates, kept in files."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import codec
from profiles.measuring import tracing
from profiles.models import digits
from profiles.schemes import create, damage
from profiles.schemes.transports import BitErrors, Erasure
from profiles.tables import channels
from profiles.tables.trace import TraceTable

N = 24
KINDS = {name: {"feature": codec.create(name)} for name in ("int8", "ecsq")}
WAYS = (
    BitErrors(rate=0.0), BitErrors(rate=0.02), BitErrors(rate=0.4),
    Erasure(loss_rate=0.0, segment_bytes=40), Erasure(loss_rate=1.0, segment_bytes=40),
)  # fmt: skip
LABELS = [way.label for way in WAYS]
CUTS = ("layer1", "output")


@pytest.fixture(scope="module")
def network():
    return create("early_exit", "digits").network


@pytest.fixture(scope="module")
def tables(network):
    """The exact trace, and that over the channels."""
    given = digits.samples("test", N)
    exact = tracing.trace(network, KINDS, *given, cuts=CUTS, repeats=1)
    how = {"cuts": CUTS, "draws": 3, "batch": 10}
    return exact, damage.trace(network, KINDS, *given, WAYS, **how)


def over(tables, label):
    exact, damaged = tables
    return channels.over(channels.with_channel(exact, damaged, label), label)


@pytest.mark.parametrize("label", [LABELS[0], LABELS[3]])
def test_what_is_not_damaged_answers_as_what_is_exact(tables, label):
    table = over(tables, label)
    for name in ("correct", "relative_l2"):
        np.testing.assert_allclose(
            table.cell(name, "layer1", "int8"), tables[0].cell(name, "layer1", "int8"), rtol=1e-6
        )
    np.testing.assert_array_equal(table.cell("encode_s", "layer1", "int8"),
                                  tables[0].cell("encode_s", "layer1", "int8"))  # fmt: skip


def test_one_sample_by_hand(tables, network):
    """Flip the bits of one payload in a loop, read its levels by their formula, run the tail."""
    inputs, labels = digits.samples("test", N)
    row, turns, rate = 13, 3, 0.02
    module = network.module
    with torch.inference_mode():
        feature = module.begin(torch.from_numpy(inputs[row : row + 1])).numpy()[0]
    low, high = float(feature.min()), float(feature.max())
    step, right = (high - low) / 255, 0.0
    for turn in range(turns):
        draws = iter(np.random.default_rng((0, row, turn)).random(8 * feature.size))
        values = []
        for x in feature:
            level = round((float(x) - low) / step)
            for bit in range(7, -1, -1):
                level ^= (next(draws) < rate) << bit
            values.append(low + level * step)
        with torch.inference_mode():
            scores = module.finish(torch.tensor([values], dtype=torch.float32))
        right += float(scores.argmax() == labels[row]) / turns
    assert over(tables, LABELS[1]).cell("correct", "layer1", "int8")[row] == pytest.approx(right)


def test_bytes_are_those_on_the_air(tables):
    size = {label: over(tables, label).cell("payload_bytes", "layer1", "int8") for label in LABELS}
    copies = {way.label: way.copies(8) for way in WAYS[:2]}
    assert copies[LABELS[0]] == 1
    for label in LABELS[:2]:
        assert set(size[label]) == {40.0 + 8 * copies[label]}
    assert set(size[LABELS[3]]) == {40.0 + 2 * 8}  # 32 B of symbols a segment: two segments


def test_the_more_is_damaged_the_less_is_answered(tables):
    assert over(tables, LABELS[2]).cell("correct", "layer1", "int8").mean() < 0.5
    lost = over(tables, LABELS[4])
    assert lost.cell("correct", "layer1", "int8").mean() < 0.3
    np.testing.assert_allclose(lost.cell("relative_l2", "layer1", "int8"), 1.0)


def test_variable_lengths_and_what_stays_on_the_device(tables):
    exact, _ = tables
    table = over(tables, LABELS[4])
    assert not table.exists("layer1", "ecsq")
    assert exact.exists("layer1", "ecsq")
    np.testing.assert_array_equal(
        table.cell("correct", "output", "int8"), exact.cell("correct", "output", "int8")
    )
    assert not table.cell("payload_bytes", "output", "int8").any()


def test_the_same_again_and_in_batches_of_another_size(tables, network):
    given = digits.samples("test", N)
    again = damage.trace(network, KINDS, *given, WAYS, cuts=CUTS, draws=3, batch=24)
    for name, values in tables[1].columns.items():
        np.testing.assert_allclose(again.columns[name], values, rtol=1e-5)
    other = damage.trace(network, KINDS, *given, WAYS, cuts=CUTS, draws=3, seed=1)
    name = "relative_l2_over"
    assert not np.allclose(other.columns[name], tables[1].columns[name], equal_nan=True)


def test_a_table_with_channels_comes_back_from_its_file(tables, tmp_path):
    exact, damaged = tables
    for number, table in enumerate((damaged, channels.with_channel(exact, damaged, LABELS[1]))):
        path = tmp_path / f"{number}.npz"
        table.save(path)
        back = TraceTable.load(path)
        assert back.digest == table.digest
        assert back.axes == table.axes
        assert back.schema == table.schema
        for name, values in table.columns.items():
            np.testing.assert_array_equal(back.columns[name], values)


def test_a_rate_that_was_not_traced_is_refused(tables):
    exact, damaged = tables
    with pytest.raises(ValueError, match=r"has \(none\), got 'bit_errors 0.02'"):
        channels.over(exact, LABELS[1])
    with pytest.raises(ValueError, match=r"has \(bit_errors 0, bit_errors 0.02, .*0.03'"):
        channels.with_channel(exact, damaged, "bit_errors 0.03")
    fewer = replace(
        exact, sample_ids=exact.sample_ids[:4],
        columns={name: values[:4] for name, values in exact.columns.items()},
    )  # fmt: skip
    with pytest.raises(ValueError, match="must be those of the table's samples"):
        channels.with_channel(fewer, damaged, LABELS[1])


def test_every_task_is_judged_over_the_channel():
    scheme = create("mtl_split", "scenes16")
    inputs, labels = scheme.samples("test", 10)
    table = damage.trace(
        scheme.network, {"int8": KINDS["int8"]}, inputs, labels, WAYS[:1], cuts=("stage3",), draws=1
    )
    each = table.columns["task_correct_over"]
    assert table.schema["task_correct_over"].dims == (
        "sample", "cut", "setting", "task", "channel")  # fmt: skip
    assert each.shape == (10, 1, 1, 3, 1)
    np.testing.assert_allclose(each.mean(3), table.columns["correct_over"])
