"""Every chain: round trips over dtypes, shapes, strides and values; what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import codec
from codec.stream.frame import FloatCodec

IMAGES = ("jpeg", "webp", "raw8")
CALIBRATED = ("prior",)
"""Without a calibration they encode nothing: tests of their own."""
FLOATS = tuple(
    name for name in codec.names() if name not in (*IMAGES, *CALIBRATED) and "+" not in name
)

shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12)
values = st.floats(-70000, 70000, width=32) | st.sampled_from([0.0, -0.0, 1e-30, 3e38, -3e38])


@st.composite
def tensors(draw):
    dtype = draw(st.sampled_from([np.float32, np.float16]))
    x = draw(hnp.arrays(np.float32, draw(shapes), elements=values))
    with np.errstate(over="ignore"):
        x = np.clip(x, -np.finfo(dtype).max, np.finfo(dtype).max).astype(dtype)
    return x.T if draw(st.booleans()) else x[..., ::-1] if x.ndim else x


@pytest.mark.parametrize("name", FLOATS)
@given(x=tensors())
def test_shape_dtype_and_bytes_are_kept(name, x):
    chain = codec.create(name)
    data = chain.encode(x)
    assert data == chain.encode(x)
    for back in (chain.decode(data), codec.decode(data)):
        assert isinstance(back, np.ndarray)
        assert back.shape == x.shape
        assert back.dtype == x.dtype
        assert back.flags.writeable
        assert np.isfinite(back).all()
    sizes = codec.ledger(data)
    assert sum(sizes.values()) == len(data)


@pytest.mark.parametrize("name", FLOATS)
def test_strides_do_not_matter(name):
    x = np.random.default_rng(4).normal(size=(6, 10, 8)).astype(np.float32)
    chain = codec.create(name)
    view = x.transpose(2, 0, 1)[::-1, 1::2]
    assert chain.encode(view) == chain.encode(np.ascontiguousarray(view))


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (1, 1)])
def test_nothing_to_code_is_a_header(name, shape):
    x = np.full(shape, 1.5, dtype=np.float32)
    data = codec.create(name).encode(x)
    assert len(data) <= 20
    assert np.array_equal(codec.decode(data), x)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [0.0, -3.25])
def test_constant_tensors_are_exact_and_tiny(name, value):
    x = np.full((64, 64), value, dtype=np.float16)
    data = codec.create(name).encode(x)
    assert len(data) <= 20
    assert np.array_equal(codec.decode(data), x)


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_numbers_are_refused_or_clamped_on_demand(name, bad):
    x = np.linspace(-1, 1, 24, dtype=np.float16).reshape(4, 6)
    x[1, 2] = bad
    with pytest.raises(codec.NonFiniteError, match="1 of 24"):
        codec.create(name).encode(x)
    chain = codec.create(name, nonfinite="clamp")
    assert np.isfinite(chain.decode(chain.encode(x))).all()


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.uint8, np.complex64, object])
def test_other_dtypes_are_refused(name, dtype):
    with pytest.raises(codec.UnsupportedInputError, match="float16"):
        codec.create(name).encode(np.zeros((2, 2), dtype=dtype))


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_torch_tensors_come_back_as_they_were(name, kind):
    torch = pytest.importorskip("torch")
    dtype = getattr(torch, kind)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(2, 8, 6, 6, generator=generator).to(dtype).permute(0, 2, 3, 1)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        data = codec.create(name).encode(x.to(device))
        back = codec.decode(data, device=device)
        assert (back.dtype, back.shape, back.device.type) == (dtype, x.shape, device)
        error = (back.cpu().float() - x.float()).norm() / x.float().norm()
        assert error < 0.5


@pytest.mark.parametrize("name", FLOATS)
def test_one_outlier_neither_wraps_nor_overflows(name):
    x = np.random.default_rng(6).normal(size=(16, 64)).astype(np.float32)
    x[3, 3] = 1e30
    back = codec.create(name).decode(codec.create(name).encode(x))
    assert np.isfinite(back).all()
    largest = {"centres": 2.152, **dict.fromkeys(("raw16", "topk", "zstd"), 65504)}
    limit = largest.get(name, 1e30)
    assert back[3, 3] == pytest.approx(limit, rel=0.02)
    assert np.abs(np.delete(back.ravel(), 3 * 64 + 3)).max() < 1e29


@pytest.mark.parametrize("name", [name for name in FLOATS if name != "centres"])
def test_largest_numbers_of_a_dtype_survive(name):
    x = np.array([[65504, -65504, 1, 65472], [0, 2, -3, 4]], dtype=np.float16)
    back = codec.create(name).decode(codec.create(name).encode(x))
    assert np.isfinite(back).all()
    assert back[0, 0] == pytest.approx(65504, rel=0.1)


def test_long_tensors_take_several_chunks(monkeypatch):
    monkeypatch.setattr("codec.stream.container.CHUNK_ELEMENTS", 1000)
    monkeypatch.setattr("codec.stream.frame.CHUNK_ELEMENTS", 1000)
    x = np.random.default_rng(7).normal(size=(90, 33)).astype(np.float32)
    for name in FLOATS:
        chain = codec.create(name)
        back = chain.decode(chain.encode(x))
        assert np.linalg.norm(back - x) < 0.5 * np.linalg.norm(x)
        assert chain.encode(x.T.copy().T) == chain.encode(x)


@pytest.mark.parametrize("name", IMAGES)
def test_images_come_back_as_images(name):
    ramp = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    data = codec.create(name).encode(ramp)
    back = codec.decode(data)
    assert (back.shape, back.dtype) == (ramp.shape, np.uint8)
    assert np.abs(back.astype(int) - ramp).mean() < 6
    with pytest.raises(codec.UnsupportedInputError):
        codec.create(name).encode(ramp.astype(np.float32))


def test_unknown_names_list_the_nearest():
    with pytest.raises(codec.UnknownCodecError, match="nearest: slicer"):
        codec.create("slcer")
    with pytest.raises(codec.UnknownCodecError, match="nearest: sparsity"):
        codec.create("slicer", sparcity=0.5)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sparsity", 1),
        ("sparsity", -0.1),
        ("sparsity", "half"),
        ("n_blocks", 0),
        ("n_blocks", 2.5),
        ("bits_min", 9),
        ("bits_max", 13),
        ("distortion", float("nan")),
        ("positions", "coo"),
        ("granularity", "layer"),
        ("asymmetry", -1),
    ],
)
def test_option_values_are_checked(option, value):
    with pytest.raises(codec.CodecOptionError, match=rf"slicer\.{option} must .* got"):
        codec.create("slicer", **{option: value})


def test_spec_is_stable_and_complete():
    chain = codec.create("int8", axis=1)
    assert chain.spec == "int8(axis=1,nonfinite='error')"
    assert isinstance(chain, FloatCodec)


@pytest.mark.parametrize("name", ["int8", "raw8"])
def test_tensors_without_numbers_of_their_own_are_refused_in_one_line(name):
    torch = pytest.importorskip("torch")
    dtype = torch.uint8 if name == "raw8" else torch.float32
    empty = torch.zeros(3, 4, dtype=dtype)
    for odd, said in ((empty.to_sparse(), "torch.sparse_coo"), (empty.to("meta"), "meta")):
        with pytest.raises(codec.UnsupportedInputError, match=said):
            codec.create(name).encode(odd)


def test_a_tensor_that_is_negative_by_a_bit_is_read_as_it_is():
    torch = pytest.importorskip("torch")
    x = torch.view_as_complex(torch.randn(50, 2)).conj().imag
    assert x.is_neg()
    assert torch.equal(codec.decode(codec.create("raw32").encode(x)), x)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 130), (1, 4099)])
def test_integers_are_the_formula_in_float64_along_every_axis(bits, shape):
    """Plain numpy, channel by channel; an odd number of levels of 4 bits included."""
    x = np.random.default_rng(bits).normal(size=shape).astype(np.float32)
    top = 2**bits - 1
    for axis in (None, *range(len(shape))):
        others = None if axis is None else tuple(a for a in range(len(shape)) if a != axis)
        low, high = (f(x, axis=others, keepdims=True).astype(np.float64) for f in (np.min, np.max))
        step = (high - low) / top
        levels = np.rint((x - low) / np.where(step > 0, step, 1)).astype(np.uint8)
        data = codec.create(f"int{bits}", axis=axis).encode(x)
        assert np.array_equal(codec.decode(data), (low + levels * step).astype(np.float32))
        flat = np.append(levels.reshape(-1), np.zeros(1, np.uint8))[: -(-x.size // 2) * 2]
        packed = levels if bits == 8 else flat[::2] | flat[1::2] << 4
        assert codec.ledger(data)["values"] == packed.size
        assert data[:-4].endswith(packed.tobytes())
