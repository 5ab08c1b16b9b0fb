"""`splitfleet codec`: its rows against codecs run by hand, its bounds, its refusals."""

import csv

import hydra
import numpy as np
import pytest

import codec
from codec.chains.expressions import expression
from codec.stages.bounds import symbol_entropy
from codec.stream.revision import of_folder
from profiles.measuring.coding import stream_entropy
from scenarios.__main__ import main
from scenarios.shell import commands
from scenarios.shell.schema import register, to_spec
from scenarios.systems.coders import coders


@pytest.fixture
def array(tmp_path):
    generator = np.random.default_rng(0)
    x = np.maximum(generator.normal(size=(8, 16, 12, 12)), 0).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    return tmp_path / "x.npy", x


def played(tmp_path, monkeypatch, *words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["codec", *words])
    with (tmp_path / "outputs/codec/results.csv").open() as file:
        return end.value.code, list(csv.DictReader(file))


def test_rows_are_what_the_codecs_do(array, tmp_path, monkeypatch):
    path, x = array
    words = (f"activations={path}", "chains=[ecsq,int8]", "plot=true", "repeats=1")
    status, rows = played(tmp_path, monkeypatch, *words)
    assert status == 0
    by_name = {row["codec"]: row for row in rows}
    made = codec.create("ecsq", step=0.35)
    streams = [made.encode(each) for each in x[4:]]  # the first half calibrates
    row = by_name["ecsq 0.35"]
    assert float(row["bits_per_element"]) == pytest.approx(8 * sum(map(len, streams)) / x[4:].size)
    parts = ("values", "positions", "labels", "scales", "tables", "header")
    total = sum(float(row[f"{part}_bits"]) for part in parts)
    assert total == pytest.approx(float(row["bits_per_element"]))
    bound = float(by_name["R(D) at 0.1"]["bits_per_element"])
    near = [r for r in rows if r["codec"].startswith("ecsq") and float(r["relative_l2"]) < 0.1]
    assert all(float(r["bits_per_element"]) > bound for r in near)
    assert not any(row["codec"].startswith("slicer") for row in rows)
    entropy = np.mean([symbol_entropy(made.decode(stream)) for stream in streams])
    assert float(row["symbol_entropy_bits"]) == pytest.approx(entropy)
    for name in ("figure.pdf", "figure.png", "table.md", "run.json"):
        assert (tmp_path / "outputs/codec" / name).stat().st_size > 500


def test_any_chain_with_any_options_is_played_once_per_value(array, tmp_path, monkeypatch):
    path, x = array
    asked = ["ecsq(coder=order0,step=[0.3,0.6])", "slicer(entropy=rans,n_blocks=1)", "klt+topk"]
    chains = "chains=[" + ",".join(f'"{each}"' for each in asked) + "]"
    status, rows = played(tmp_path, monkeypatch, f"activations={path}", chains, "repeats=1")
    assert status == 0
    coded = {row["codec"]: row for row in rows if row["encode_s"]}
    assert list(coded) == [f"{asked[0]} 0.3", f"{asked[0]} 0.6", asked[1], asked[2]]
    ranged = codec.create("slicer", entropy="rans", n_blocks=1)
    size = sum(len(ranged.encode(each)) for each in x[4:])
    assert float(coded[asked[1]]["bits_per_element"]) == pytest.approx(8 * size / x[4:].size)
    assert 0.05 < float(coded[asked[2]]["relative_l2"]) < 0.15  # without a target, 0.1
    assert not coded[asked[2]]["symbol_entropy_bits"]
    kept = codec.create("klt+topk", calibration=coded[asked[2]]["calibration"])
    assert kept.calibration.axis == -3  # maps: a basis over channels
    assert kept.calibration.size == x.shape[1]
    for value in ("0.3", "0.6"):
        row = coded[f"{asked[0]} {value}"]
        assert float(row["symbol_entropy_bits"]) < float(row["bits_per_element"])


def test_the_adaptive_coder_is_an_option_of_every_command(array, tmp_path, monkeypatch):
    """The same error for fewer bits, none of them tables; `codec.coder=` sets it elsewhere."""
    waves = np.cumsum(array[1] - array[1].mean(), axis=-1).astype(np.float32)
    np.save(array[0], waves)
    register("simulate", commands.load("simulate").schema)
    with hydra.initialize_config_module("conf", version_base="1.3"):
        composed = hydra.compose("simulate", ["codec=ecsq", "codec.coder=adaptive"])
    chosen = to_spec(composed).codec
    assert coders(chosen)["feature"].coder == "adaptive"
    asked = ["ecsq(coder=adaptive,step=0.3)", "ecsq(step=0.3)"]
    chains = "chains=[" + ",".join(f'"{each}"' for each in asked) + "]"
    _, rows = played(tmp_path, monkeypatch, f"activations={array[0]}", chains, "repeats=1")
    ours, plain = (next(r for r in rows if r["codec"].startswith(each)) for each in asked)
    assert ours["relative_l2"] == plain["relative_l2"]
    assert float(ours["bits_per_element"]) < float(plain["bits_per_element"])
    assert float(ours["tables_bits"]) == 0 < float(plain["tables_bits"])


def test_the_entropy_of_streams_is_what_order_0_cannot_beat():
    """Streams of unlike scales: of all values together the entropy would be far above the bits."""
    generator = np.random.default_rng(1)
    x = generator.laplace(size=(12, 64, 64)) * 2.0 ** np.arange(12)[:, None, None]
    made = codec.create("ecsq", coder="order0")
    streams = [made.encode(each) for each in x.astype(np.float32)]
    decoded = np.stack([made.decode(stream) for stream in streams])
    bits = 8 * sum(map(len, streams)) / x.size
    entropy = stream_entropy(decoded)
    assert entropy <= bits <= 1.05 * entropy
    assert symbol_entropy(decoded) > 1.5 * bits


def test_rows_of_another_code_are_not_taken(array, tmp_path, monkeypatch):
    words = (f"activations={array[0]}", "chains=[int8]", "repeats=1")
    first = played(tmp_path, monkeypatch, *words)[1]
    again = played(tmp_path, monkeypatch, *words)[1]
    assert [row["encode_s"] for row in again] == [row["encode_s"] for row in first]
    monkeypatch.setattr(codec, "revision", lambda: "another")
    other = played(tmp_path, monkeypatch, *words)[1]
    assert not {row["point_id"] for row in other} & {row["point_id"] for row in first}


def test_a_revision_changes_with_the_format_and_with_every_file(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    first = of_folder(tmp_path, 1)
    assert first == of_folder(tmp_path, 1) != of_folder(tmp_path, 2)
    (tmp_path / "a.py").write_text("x = 2\n")
    assert of_folder(tmp_path, 1) != first


@pytest.mark.parametrize(
    "text", ["ecsq(0.3)", "ecsq(step=)", "ecsq(step=f(1))", "a b", "", "(x=1)"]
)
def test_what_is_no_chain_is_said(text):
    with pytest.raises(ValueError, match=r"NAME\(option=value"):
        expression(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chains=[huffman]"], "unknown codec 'huffman'"),
        (["chains=[klt+esq]"], "nearest: klt+ecsq"),
        (['chains=["ecsq(stride=1)"]'], "unknown option of ecsq 'stride'"),
        (['chains=["ecsq(step=-1)"]'], "ecsq.step must lie in"),
        (['chains=["ecsq(step=1"]'], "a chain is written NAME"),
        (["activations=nothing.npy"], "no such file"),
        (["cut=stage9"], "stage9"),
        (["samples=0"], "samples must be >= 1, got 0"),
    ],
)
def test_bad_requests_end_with_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["codec", *words])
    assert end.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert said in error[-1]
