"""Calibrated chains: what a basis gains against theory, targets that are met, foreign ids."""

import numpy as np
import pytest

import codec
from codec.chains import static
from codec.entropy.frequency_tables import fit_static
from codec.stages import transform
from codec.stages.calibration import Calibration

D = 24


def hidden(n, seed, dtype=np.float32):
    """Vectors whose components have variances 2^-k in a fixed rotated frame."""
    frame = np.linalg.qr(np.random.default_rng(99).normal(size=(D, D)))[0]
    scores = np.random.default_rng(seed).normal(size=(n, D)) * 2.0 ** (-np.arange(D) / 4)
    return (scores @ frame.T + 1.5).astype(dtype)


def relative_l2(x, y):
    x, y = x.astype(np.float64), np.asarray(y, np.float64)
    return float(np.linalg.norm(x - y) / np.linalg.norm(x))


@pytest.fixture(scope="module")
def fitted():
    return codec.calibrate("klt+ecsq", [hidden(4000, 1)], relative_l2=0.05)


def test_the_basis_is_orthonormal_and_sorted_by_variance():
    mean, basis = transform.fit(hidden(4000, 1))
    assert basis.T @ basis == pytest.approx(np.eye(D), abs=1e-5)
    spread = transform.forward(hidden(4000, 2), mean, basis).std(axis=0)
    assert np.all(np.diff(spread) < 0.02)
    assert spread == pytest.approx(2.0 ** (-np.arange(D) / 4), rel=0.1)


@pytest.mark.parametrize(("shape", "axis"), [((5, 7, D), -1), ((2, D, 3, 4), -3)])
def test_vectors_and_elements_are_each_others_inverse(shape, axis):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    vectors = transform.vectors_of(x.reshape(-1), shape, axis)
    assert vectors.shape == (x.size // D, D)
    assert np.array_equal(transform.elements_of(vectors, shape, axis), x.reshape(-1))


def test_bits_on_unseen_data_stay_near_the_gaussian_bound(fitted):
    """Reverse water-filling over the true variances, plus 0.2546 bit per component above water."""
    x = hidden(4000, 2)
    data = fitted.encode(x)
    back = fitted.decode(data)
    distortion = np.mean((x - back) ** 2)
    variances = 2.0 ** (-np.arange(D) / 2)
    low, high = 0.0, 1.0
    for _ in range(60):
        water = (low + high) / 2
        low, high = (
            (water, high) if np.minimum(variances, water).mean() < distortion else (low, water)
        )
    above = variances > water
    bound = 0.5 * np.log2(variances[above] / water).sum() / D
    assert bound < 8 * len(data) / x.size < bound + 0.2546 * above.mean() + 0.1


def test_a_target_is_met_on_the_samples_and_nearly_on_unseen_data(fitted):
    assert relative_l2(hidden(4000, 1), fitted.decode(fitted.encode(hidden(4000, 1)))) <= 0.05
    assert relative_l2(hidden(4000, 2), fitted.decode(fitted.encode(hidden(4000, 2)))) < 0.053


@pytest.mark.parametrize("chain", ["ecsq", "slicer", "topk", "klt+slicer"])
def test_every_chain_with_a_knob_meets_an_error(chain):
    x = hidden(300, 3)
    made = codec.calibrate(chain, [x], relative_l2=0.2)
    assert 0.17 < relative_l2(x, made.decode(made.encode(x))) <= 0.2


@pytest.mark.parametrize("chain", ["klt+ecsq", "klt+slicer", "ecsq"])
def test_a_calibration_may_be_named_by_its_file(fitted, chain, tmp_path):
    fitted.calibration.save(tmp_path / "fitted.npz")
    x = hidden(50, 7)
    named = codec.create(chain, calibration=str(tmp_path / "fitted.npz"))
    held = codec.create(chain, calibration=fitted.calibration)
    assert named.encode(x) == held.encode(x)
    assert named.spec == held.spec
    with pytest.raises(codec.CodecOptionError, match="no such calibration"):
        codec.create(chain, calibration=tmp_path / "other.npz")


@pytest.mark.parametrize("knob", [None, "distortion"])
def test_a_size_is_used_up_whichever_knob_is_turned(knob):
    x = hidden(600, 4)
    made = codec.calibrate("slicer", [x], bits_per_element=4.0, knob=knob, n_blocks=16, bits_min=1)
    assert 3.9 < 8 * len(made.encode(x)) / x.size <= 4.0


def test_a_knob_that_a_chain_lacks_is_refused():
    with pytest.raises(codec.CodecOptionError, match="sparsity, distortion, got step"):
        codec.calibrate("slicer", [hidden(30, 0)], relative_l2=0.2, knob="step")


@pytest.mark.parametrize("chain", ["ecsq", "klt+ecsq"])
def test_a_rate_is_met_from_below(chain):
    x = hidden(1000, 4)
    made = codec.calibrate(chain, [x], bits_per_element=1.5)
    assert 1.45 < 8 * len(made.encode(x)) / x.size <= 1.5


def test_a_calibration_survives_its_file_and_no_other_is_taken(fitted, tmp_path):
    known = fitted.calibration
    known.save(tmp_path / "c.npz")
    again = codec.Calibration.load(tmp_path / "c.npz")
    assert again.id == known.id
    x = hidden(50, 5, np.float16)
    other = codec.create("klt+ecsq", calibration=again, step=0.2)
    data = other.encode(x)
    assert data == fitted.encode(x)
    assert np.array_equal(codec.decode(data, calibration=known), fitted.decode(data))
    stranger = codec.calibrate("klt+ecsq", [hidden(500, 6)], relative_l2=0.3)
    for refused in (lambda: codec.decode(data), lambda: stranger.decode(data)):
        with pytest.raises(codec.MissingCalibrationError, match=known.id.hex()):
            refused()


@pytest.mark.parametrize("damage", ["truncated", "version", "pickle", "nan"])
def test_damaged_files_are_refused_in_one_line(fitted, tmp_path, damage):
    path = tmp_path / "c.npz"
    fitted.calibration.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "version":
        np.savez(path, **{**arrays, "head": np.array([9, -1])})
    elif damage == "pickle":
        np.savez(path, **{**arrays, "mean": np.array([{}], dtype=object)})
    else:
        np.savez(path, **{**arrays, "mean": np.full(D, np.nan, np.float32)})
    with pytest.raises(codec.CodecError) as error:
        codec.Calibration.load(path)
    assert "\n" not in str(error.value)


def test_rows_of_another_length_are_refused(fitted):
    with pytest.raises(codec.UnsupportedInputError, match="24 features along axis -1"):
        fitted.encode(np.ones((4, D + 1), np.float32) * np.arange(D + 1, dtype=np.float32))


def test_vectors_that_all_are_the_mean_need_no_levels(fitted):
    mean = fitted.calibration.mean
    x = np.stack([mean, mean])
    data = fitted.encode(x)
    assert len(data) < 40
    assert np.allclose(fitted.decode(data), x, atol=1e-6)


def test_a_wild_value_passes_a_static_table(fitted):
    x = hidden(40, 7)
    x[3, 5] = 4e4
    back = fitted.decode(fitted.encode(x))
    assert back[3, 5] == pytest.approx(4e4, rel=1e-3)


@pytest.mark.parametrize("chain", ["klt+ecsq", "klt+slicer"])
@pytest.mark.parametrize("wild", [1e30, -3.4e38])
def test_a_wild_value_does_not_spoil_its_vector(fitted, chain, wild):
    made = codec.create(chain, calibration=fitted.calibration)
    x = hidden(40, 8)
    calm = made.decode(made.encode(x))
    x[3, 5] = wild
    back = made.decode(made.encode(x))
    assert back[3, 5] == pytest.approx(wild, rel=1e-6)
    others = np.arange(D) != 5
    assert relative_l2(x[3, others], back[3, others]) < 3 * relative_l2(x[3], calm[3]) + 0.3


@pytest.mark.parametrize("chain", ["klt+ecsq", "klt+slicer"])
def test_numbers_at_the_end_of_float32_are_read_back(fitted, chain):
    made = codec.create(chain, calibration=fitted.calibration)
    x = np.sign(hidden(30, 9)) * np.finfo(np.float32).max
    back = made.decode(made.encode(x.astype(np.float32)))
    assert np.isfinite(back).all()


def test_samples_may_be_tensors_of_any_kind():
    import torch

    x = torch.from_numpy(hidden(60, 3)).to(torch.bfloat16).requires_grad_()
    made = codec.calibrate("klt+ecsq", [x], relative_l2=0.2)
    assert made.decode(made.encode(x)).dtype == torch.bfloat16


def test_static_lengths_are_those_of_the_table():
    table = fit_static(np.array([900, 50, 50, 4, 4]))
    found = static.lengths(table)
    assert found[0] == pytest.approx(-np.log2(table.freqs[0] / 4096))
    assert found[1] == pytest.approx(
        1 - np.log2((int(table.freqs[1]) + int(table.freqs[2])) / 4096)
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"chain": "raw16", "relative_l2": 0.1}, "calibrate sets ecsq, slicer, topk"),
        ({"chain": "klt+ecsq", "relative_l2": 0.1, "axis": -3}, r"got -3 for shapes \(20, 24\)"),
        ({"chain": "ecsq"}, "either relative_l2 or bits_per_element"),
        ({"chain": "ecsq", "relative_l2": -1}, "must be positive"),
        ({"chain": "slicer", "relative_l2": 1e-6}, "no sparsity reaches relative L2 error 1e-06"),
    ],
)
def test_what_cannot_be_calibrated_is_said(call, said):
    with pytest.raises(codec.CodecOptionError, match=said):
        codec.calibrate(samples=[hidden(20, 1)], **call)


def test_samples_of_zeros_are_refused():
    with pytest.raises(codec.CodecOptionError, match="finite and not all zero"):
        codec.calibrate("ecsq", [np.zeros((3, 4), np.float32)], relative_l2=0.1)


def test_vectors_that_are_all_the_same_have_no_basis():
    same = [np.full((3, 4), 3.5, np.float32)] * 3
    with pytest.raises(codec.CodecOptionError, match="differ from their mean, along axis -1"):
        codec.calibrate("klt+ecsq", same, relative_l2=0.1)


@pytest.mark.parametrize("shape", [(40, 24, 80, 60), (24, 500, 400)])
def test_a_basis_over_channels_takes_tensors_of_several_chunks(monkeypatch, shape):
    """Where the chunks end makes no difference to what comes back, up to their own steps."""
    from codec.stream import container, frame

    maps = hidden(600, 11).reshape(20, 30, D).transpose(2, 0, 1)
    made = codec.calibrate("klt+ecsq", [maps], relative_l2=0.1, axis=-3)
    x = hidden(np.prod(shape) // D, 12).reshape(-1, *shape[-2:], D).transpose(0, 3, 1, 2)
    x = x.reshape(shape)
    assert x.size > container.CHUNK_ELEMENTS
    back = made.decode(made.encode(x))
    assert back.shape == x.shape
    assert relative_l2(x, back) == pytest.approx(0.1, abs=0.005)
    for module in (container, frame):
        monkeypatch.setattr(module, "CHUNK_ELEMENTS", 1 << 25)
    monkeypatch.setattr("codec.chains.klt.CHUNK_ELEMENTS", 1 << 25)
    assert np.array_equal(made.decode(made.encode(x)), back)


def test_features_far_smaller_than_those_of_the_calibration_are_refused_with_the_reason(fitted):
    x = hidden(40, 13)
    assert relative_l2(x / 4, fitted.decode(fitted.encode(x / 4))) < 1
    with pytest.raises(codec.UnsupportedInputError, match=r"relative L2 error would be 9\d"):
        fitted.encode(x / 1000)


@pytest.mark.parametrize("inner", ["raw16", "ecsq", "slicer", "int8"])
def test_constant_chunks_of_a_map_are_not_decoded_in_another_order(inner):
    """Channels come last in several chunks; a stream that named no basis would not tell."""
    x = np.zeros((4, 2048, 1024), dtype=np.float32)
    x[:, :1024] = 2.0  # the first chunk is constant, the second is zero
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0].astype(np.float32)
    known = Calibration(axis=-3, mean=np.zeros(4, dtype=np.float32), basis=rotation)
    made = codec.create(f"klt+{inner}", calibration=known)
    data = made.encode(x)
    assert relative_l2(x, codec.decode(data, calibration=known)) < 0.5  # slicer drops half
    with pytest.raises(codec.MissingCalibrationError):
        codec.decode(data)
    other = Calibration(axis=-1, mean=np.zeros(1024, np.float32), basis=np.eye(1024, dtype="f4"))
    with pytest.raises(codec.MissingCalibrationError):
        codec.decode(data, calibration=other)


def test_a_quiet_sample_among_others_does_not_stop_a_calibration():
    """A coarse setting leaves it worse than zeros would; the search goes on to finer ones."""
    draw = np.random.default_rng(0)
    loud = [(draw.normal(size=(8, 16)) + 3).astype(np.float32) for _ in range(50)]
    quiet = loud[0] * np.float32(0.1)
    made = codec.calibrate("klt+ecsq", [*loud, quiet], relative_l2=0.1)
    assert relative_l2(quiet, made.decode(made.encode(quiet))) <= 1
    together = np.concatenate([*loud, quiet])
    assert relative_l2(together, made.decode(made.encode(together))) <= 0.1


@pytest.mark.parametrize(("rows", "size"), [(1, 7), (3, 64), (5, 130), (9, 2100)])
def test_a_projection_sums_in_one_order_whatever_its_panels(rows, size):
    generator = np.random.default_rng(rows)
    x, basis = (generator.normal(size=(n, size)).astype(np.float32) for n in (rows, size))
    out, plain = np.empty_like(x), np.zeros_like(x)
    transform._project(x, basis, out)
    for i in range(size):
        plain += x[:, i : i + 1] * basis[i]
    assert np.array_equal(out, plain)
