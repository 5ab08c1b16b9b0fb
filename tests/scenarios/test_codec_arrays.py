"""`splitfleet codec activations=`: degenerate arrays are measured, or refused in one line."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import codec
from codec.stages.bounds import memoryless
from profiles.measuring import coding, features
from scenarios.__main__ import run

CHAINS = 'chains=["ecsq(step=0.3)",int8,"slicer(sparsity=0.5)","klt+ecsq(relative_l2=0.2)",aiq]'


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape)


REFUSED = {
    "zeros": (np.zeros((4, 8, 6)), "must hold samples that are not all zero, got zeros from 2 on"),
    "zeros behind": (np.append(noise(2, 9), np.zeros((2, 9)), 0), "got zeros from 2 on"),
    "empty": (np.zeros((4, 0, 6)), r"two samples or more, none empty, got (4, 0, 6)"),
    "no sample": (np.zeros((0, 6)), r"got (0, 6)"),
    "one sample": (noise(1, 6), r"got (1, 6)"),
    "one axis": (noise(6), "must hold floats [sample, ...], got float64 (6,)"),
    "a number": (np.array(3.0), "got float64 ()"),
    "integers": (np.ones((4, 6), np.int8), "got int8 (4, 6)"),
    "complex": (np.ones((4, 6), complex), "array type complex128 is not allowed"),
    "NaN": (np.array([[1.0, 2.0], [3.0, np.nan]]), "finite float32 numbers, got nan at [1, 1]"),
    "infinity": (np.array([[1.0, -np.inf], [3.0, 4.0]]), "got -inf at [0, 1]"),
    "too large": (np.array([[1.0, 1e39], [3.0, 4.0]]), "got 1e+39 at [0, 1]"),
    "too small": (np.full((2, 2), 1e-60), "not all zero"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_cannot_be_measured_are_one_line_and_status_2(
    name, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    array, said = REFUSED[name]
    np.save("x.npy", array)
    assert run(["codec", "activations=x.npy", CHAINS]) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("splitfleet: activations=x.npy")
    assert said in error


MEASURED = {
    "constant": (np.full((4, 8, 6), 3.5), 0.0),
    "denormal": (noise(4, 8, 6) * 1e-41, None),
    "one strong channel": (noise(8, 32, 16) * np.where(np.arange(16) == 3, 1e6, 1.0), None),
    "one element each": (np.arange(1.0, 5.0)[:, None], None),
    "half zeros": (np.append(np.zeros((2, 8, 6)), noise(2, 8, 6), 0), None),
}


@pytest.mark.parametrize("name", MEASURED)
def test_arrays_of_odd_values_are_measured_and_what_a_chain_refuses_is_a_row(
    name, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    array, bound = MEASURED[name]
    np.save("x.npy", array.astype(np.float32))
    words = ["codec", "activations=x.npy", CHAINS, "repeats=1", "plot=true"]
    assert run(words) in (0, 1)
    assert "Traceback" not in capfd.readouterr().err
    with open("outputs/codec/results.csv") as file:
        rows = list(csv.DictReader(file))
    assert {row["error"] for row in rows if row.get("error")} <= {
        "calibrate needs samples that are finite and not all zero",
        "calibrate needs vectors that differ from their mean, along axis -1 they do by 0",
    }
    sound = [row for row in rows if not row.get("error")]
    assert len(sound) >= 14
    for row in sound:
        assert 0 <= float(row["bits_per_element"]) < 4000
        assert 0 <= float(row["relative_l2"]) < 2
    rates = [float(row["bits_per_element"]) for row in sound if row["method"].endswith("R(D)")]
    assert rates == sorted(rates, reverse=True)
    assert bound is None or rates[0] == bound


_ODD = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, 1e-38, 3e38, -3e38, 65504.0, 7.0])


@settings(max_examples=30)
@given(
    array=arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4),
        elements=_ODD | st.floats(-10, 10, width=32),
    ),
    chain=st.sampled_from(["ecsq", "int8", "int4", "slicer", "topk", "aiq", "raw16", "klt+ecsq"]),
)
def test_any_array_is_measured_by_any_chain_or_refused(tmp_path_factory, array, chain):
    path = tmp_path_factory.mktemp("x") / "x.npy"
    np.save(path, array)
    try:
        known = features.of_file(path)
        made = coding.fit({"chain": chain}, known.calibration)
        row, _ = coding.measure(made, known.test, 1)
        bits = memoryless(known.test, [0.1])[0]
    except (ValueError, codec.CodecError) as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert np.isfinite([row["bits_per_element"], row["relative_l2"], bits]).all()
