"""The supervised baselines of SC2 on the shipped weights: bytes by width and by beta, accuracy."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import codec
from profiles import schemes
from profiles.measuring.tracing import trace
from profiles.schemes import channel_reduction, distilling, ladon, mtl_split, sc2, sc2_training
from profiles.schemes.channel_reduction import Ends, FromBytes, ToBytes, flat_tables
from profiles.schemes.priors import tables_of
from profiles.schemes.tracing import answers_of
from tests.profiles.test_training import tolerance

N = 100
HEADER = 22
"""Bytes of a stream under a prior but for its numbers, one more where there are many of them."""
METHODS = tuple(sc2.METHODS)
LEARNED = ("end_to_end", "entropic_student")
EVERY = [(name, value) for name, method in sc2.METHODS.items() for value in method.values]


def made(method, value=None):
    knob = sc2.METHODS[method].knob
    return schemes.create("sc2", "scenes16", method=method, **{knob: value})


def chain_of(scheme, name="prior"):
    return codec.create(name, **scheme.brings.get(name, {}))


@cache
def latents_of(method, value):
    """What the encoder gives of test scenes, [scene, channel, row, column]."""
    scheme = made(method, value)
    with torch.inference_mode():
        images = torch.from_numpy(scheme.samples("test", N).inputs)
        return scheme.network.module.encoder(images).numpy()


@cache
def streams_of(method, value, chain="prior"):
    encode = chain_of(made(method, value), chain).encode
    return [encode(each[None]) for each in latents_of(method, value)]


@pytest.mark.parametrize("width", sc2.WIDTHS)
def test_a_width_is_sixteen_bytes_a_channel_and_a_header(width):
    """8 bits on each of 4 x 4 numbers, whatever they are."""
    values = {codec.ledger(stream)["values"] for stream in streams_of("cr_bq", width)}
    assert values == {16 * width + 3}  # and the coder's last state
    assert {len(each) for each in streams_of("cr_bq", width)} == {16 * width + 27}
    assert {len(each) for each in streams_of("cr_bq", width, "int8")} == {16 * width + 29}


@pytest.mark.parametrize("width", sc2.WIDTHS)
def test_what_is_sent_is_bytes_and_uses_their_range(width):
    sent = latents_of("cr_bq", width)
    assert np.array_equal(sent, np.rint(sent))
    assert sent.min() >= 0
    assert sent.max() <= 255
    assert np.ptp(sent) > 128


def test_the_range_is_that_of_the_scenes_it_was_fitted_to():
    torch.manual_seed(0)
    ends, images = Ends(2), torch.randint(0, 256, (50, 16, 16, 1), dtype=torch.uint8)
    ends.fit_range(images)
    floats = ends.encoder[:-1](images).detach()
    sent = ends.encoder(images).detach()
    assert (int(sent.min()), int(sent.max())) == (0, 255)
    back = ends.decoder[0](sent)
    assert float((back - floats).abs().max()) <= float(ends.decoder[0].step) / 2 * 1.001
    beyond = ends.encoder[-1](floats * 3)
    assert (int(beyond.min()), int(beyond.max())) == (0, 255)


def test_nothing_is_quantized_in_training():
    y = torch.randn(100)
    assert torch.equal(FromBytes().train()(ToBytes().train()(y)), y)
    assert not torch.equal(ToBytes().eval()(y), y)


def test_only_encoder_and_decoder_of_cr_bq_are_learnt():
    chosen = mtl_split.setup("scenes16")
    teacher = chosen.load("class")[0].requires_grad_(False).eval()
    ends = Ends(3).train()
    images, labels = (torch.from_numpy(each) for each in chosen.samples("train", 16))
    loss = channel_reduction.imitate(teacher)(ends, images, labels)
    loss.backward()
    assert all(weight.grad is not None for weight in ends.parameters())
    assert all(weight.grad is None for weight in teacher.parameters())
    with torch.no_grad():
        far = ends(images) - teacher.stage2(teacher.stage1(images))
        deeper = teacher.stage3(ends(images)) - teacher.stage3(teacher.stage2(
            teacher.stage1(images)))  # fmt: skip
    expected = (far.square().sum() + deeper.square().sum()) / 16
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_flat_tables_are_of_eight_bits_and_read_one_width_alone():
    (table,) = flat_tables(3).tables
    assert set(table.freqs.tolist()) == {2**14 // 256}
    assert flat_tables(3).id != flat_tables(2).id
    stream = streams_of("cr_bq", 2)[0]
    with pytest.raises(codec.MissingCalibrationError):
        chain_of(made("cr_bq", 3)).decode(stream)


@pytest.mark.parametrize(("method", "value"), EVERY)
def test_what_arrives_is_what_was_sent(method, value):
    chain = chain_of(made(method, value))
    pairs = zip(latents_of(method, value)[:30], streams_of(method, value)[:30], strict=True)
    for latent, stream in pairs:
        assert np.array_equal(chain.decode(stream)[0], latent)


@pytest.mark.parametrize("method", METHODS)
def test_bytes_and_accuracy_move_along_the_knob(method):
    values = sc2.METHODS[method].values
    sizes = [np.mean([len(each) for each in streams_of(method, value)]) for value in values]
    right = [made(method, value).provenance["accuracy"] for value in values]
    falling = 1 if method == "cr_bq" else -1
    assert len(values) >= 4
    assert (falling * np.diff(sizes) > 0.4).all()
    assert abs(right[0] - right[-1]) > 0.1
    assert (falling * np.diff(right) > -0.01).all()


@pytest.mark.parametrize(("method", "value"), EVERY)
def test_the_class_is_answered_as_well_as_its_provenance_says(method, value):
    scheme = made(method, value)
    inputs, labels = scheme.samples("test", 600)
    answers = answers_of(scheme.network.module, inputs)
    assert (answers.shape, labels.shape, scheme.tasks) == ((600, 10), (600, 1), ("class",))
    stated = scheme.provenance["accuracy"]
    assert scheme.provenance["accuracy_by_task"] == {"class": stated}
    reach = 4.0 * math.sqrt(max(stated * (1.0 - stated), 1e-3) / 600)
    assert scheme.network.metric(answers, labels).mean() == pytest.approx(stated, abs=reach)


@pytest.mark.parametrize("name", ["raw32", "zstd", "ecsq", "int8"])
@pytest.mark.parametrize("method", METHODS)
def test_any_codec_of_features_may_stand_in(method, name):
    scheme = made(method)
    inputs, labels = scheme.samples("test", 60)
    settings = {"own": {"feature": chain_of(scheme)}, "other": {"feature": codec.create(name)}}
    table = trace(scheme.network, settings, inputs, labels, cuts=("encoder",), repeats=1)
    if name in ("raw32", "zstd"):  # exact, so every answer is the same
        own, other = (table.cell("correct", "encoder", n) for n in ("own", "other"))
        np.testing.assert_array_equal(own, other)
    own, other = (table.cell("payload_bytes", "encoder", n).mean() for n in ("own", "other"))
    assert own < other or name == "ecsq"


@pytest.mark.parametrize(("options", "said"), [
    ({"method": "bpg"}, "must be one of cr_bq, end_to_end, entropic_student, got 'bpg'"),
    ({"method": "cr_bq", "width": 5}, r"scheme.width of cr_bq must be one of 1, 2, .*, got 5"),
    ({"method": "cr_bq", "beta": 1}, "method=cr_bq takes width, got scheme.beta=1"),
    ({"method": "end_to_end", "width": 3}, "end_to_end takes beta, got scheme.width=3"),
    ({"beta": 3}, r"scheme.beta of entropic_student must be one of 0.02, 0.32, .*, got 3"),
    ({"tasks": "all"}, "has no option 'tasks'; it takes: method, beta, width"),
])  # fmt: skip
def test_what_it_is_not_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        schemes.create("sc2", "scenes16", **options)


def test_other_data_are_refused():
    with pytest.raises(ValueError, match="sc2 is trained for model scenes16, got 'digits'"):
        schemes.create("sc2", "digits")


def test_all_its_weights_stay_small():
    files = list(Path(schemes.SHIPPED).glob("sc2-*"))
    assert sum(one.stat().st_size for one in files) < 0.35e6


@pytest.mark.parametrize("method", LEARNED)
def test_the_coder_writes_what_the_prior_expects_and_at_most_four_bytes_more(method):
    for value in sc2.METHODS[method].values:
        latents = latents_of(method, value)
        with torch.inference_mode():
            module = made(method, value).network.module
            bits = module.prior.bits(torch.from_numpy(latents)).sum((1, 2, 3)).numpy()
        every = streams_of(method, value)
        for latent, stream, expected in zip(latents, every, bits, strict=True):
            if latent.any():  # of zeros alone, the stream says no more than that
                values = codec.ledger(stream)["values"]
                assert abs(values - expected / 8) <= 4.0
                assert len(stream) - values in (HEADER + 1, HEADER + 2)


def test_entropic_student_is_ladon_with_the_class_alone():
    for beta in ladon.BETAS:
        mine = made("entropic_student", beta)
        theirs = schemes.create("ladon", "scenes16", beta=beta, tasks="class")
        assert mine.network.digest == theirs.network.digest
        assert mine.brings["prior"]["calibration"].id == theirs.brings["prior"]["calibration"].id


def test_who_needs_the_class_alone_sends_less():
    """Ladon's teacher answers three tasks, and its student keeps what all of them need."""
    for beta in ladon.BETAS:
        student = made("entropic_student", beta).provenance
        better = [made("end_to_end", each).provenance for each in sc2.BETAS]
        assert any(
            one["accuracy"] > student["accuracy"]
            and one["prior_bytes"] < student["prior_bytes"] + 1
            for one in better
        )


def test_end_to_end_pays_for_every_bit():
    chosen = mtl_split.setup("scenes16")
    module = ladon.build(chosen.build("class")).eval()
    images, labels = (torch.from_numpy(each) for each in chosen.samples("train", 8))
    with torch.inference_mode():
        none, one = (sc2_training.answer_briefly(b)(module, images, labels) for b in (0.0, 1.0))
        bits = module.prior.bits(module.encoder(images)).sum() / 8
        entropy = torch.nn.functional.cross_entropy(module(images), labels[:, 0])
    assert float(none) == pytest.approx(float(entropy), rel=1e-5)
    assert float(one - none) == pytest.approx(float(bits), rel=1e-4)


def test_shipped_tables_are_those_of_the_shipped_densities():
    """Made anew on any machine they may differ by a count or two, never by more."""
    for beta in sc2.BETAS:
        scheme = made("end_to_end", beta)
        shipped = scheme.brings["prior"]["calibration"]
        fresh = tables_of(scheme.network.module.prior)
        np.testing.assert_array_equal(shipped.mean, fresh.mean)
        for ours, theirs in zip(shipped.tables, fresh.tables, strict=True):
            size = min(ours.freqs.size, theirs.freqs.size) - 1
            near = np.abs(ours.freqs[:size].astype(int) - theirs.freqs[:size].astype(int))
            assert near.max() <= 2


@pytest.mark.parametrize("bits", [8, 6])
def test_weights_are_rounded_to_so_many_significant_bits(bits):
    torch.manual_seed(0)
    layer = torch.nn.Linear(300, 30)
    before = layer.weight.detach().clone()
    distilling.round_weights(layer, bits)
    after = layer.weight.detach()
    few = after.double() * 2.0 ** (bits - 1 - torch.floor(torch.log2(after.abs().double())))
    assert torch.equal(few, few.round())
    away = float(((after - before) / before).abs().quantile(0.99))
    assert 2.0 ** -(bits + 2) < away < 1.2 * 2.0**-bits
    again = after.clone()
    distilling.round_weights(layer, bits)
    assert torch.equal(layer.weight, again)


@pytest.mark.slow
def test_the_recipes_give_bytes_and_accuracy(tmp_path):
    """From nothing: both teachers, then every width and beta that is shipped here, one of Ladon's.

    Its five are repeated by test_ladon.py.
    """
    once = [("entropic_student", ladon.DEFAULT_BETA)]
    for method, value in [pair for pair in EVERY if pair[0] != "entropic_student"] + once:
        knob = sc2.METHODS[method].knob
        options = {"method": method, knob: value}
        _, fresh = schemes.train("sc2", "scenes16", folder=tmp_path, **options)
        shipped = made(method, value).provenance
        reach = tolerance({"accuracy": shipped["accuracy"], "n_test": 3600})
        assert fresh["accuracy"] == pytest.approx(shipped["accuracy"], abs=reach)
        if method != "cr_bq":
            assert fresh["prior_bytes"] == pytest.approx(shipped["prior_bytes"], rel=0.1)
