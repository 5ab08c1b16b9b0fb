"""docs/inputs.md, sections Labels to Command line, line by line."""

import csv
import io
import json
import pickle
import resource
import shlex
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy
from PIL import Image

import codec
import npz
from codec.stages.bounds import memoryless
from profiles.measuring import features
from profiles.models.data import imagenet
from profiles.models.data.arithmetic import number_in
from profiles.models.data.labels import outputs_of
from profiles.models.data.preparation import preparation_of
from profiles.models.data.questions import questions
from scenarios.__main__ import run
from scenarios.sweep.store import Store
from tests.inputs_page import check, lines_of

SECTIONS = ("Labels", "Answers", "Arrays", "Archives", "Results", "Command line")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Every line plays in a folder of its own."""
    monkeypatch.chdir(tmp_path)


# Labels

NAMES = {0: "tabby, tabby cat", 1: "Egyptian cat", 2: "T-shirt", 3: "crane", 4: "crane"}
TENCH = {0: "tench, Tinca tinca", **{i: f"c{i}" for i in range(1, 1000)}}
BEHIND = {0: "background", **{i + 1: name for i, name in TENCH.items()}}


def outputs(names, known, expected=None, listed=None):
    """The outputs of classes of a network with these labels (a number: of so many without)."""

    def play():
        if listed is not None:
            Path("classes.txt").write_text(listed)
        n, labels = (known, {}) if isinstance(known, int) else (len(known), known)
        found = outputs_of(list(names), n, labels=labels, data=Path())
        assert found == dict(zip(names, expected, strict=True))

    return play


def put(name, size=(5, 4)):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 0, 0)).save(name)


def samples(*images, n=1, weights="", **more):
    """Labels of the images of a folder, with other files beside them."""

    def play():
        for name in images:
            put(f"data/{name}")
        for name in more.get("others", ()):
            Path(f"data/{name}").parent.mkdir(parents=True, exist_ok=True)
            Path(f"data/{name}").write_bytes(b"no image")
        if weights:
            Path("weights").mkdir()
            Path("weights/config.json").write_text(json.dumps({"id2label": NAMES}))
        found = imagenet.samples("test", n, data="data", weights=weights)
        assert found.labels.tolist() == more.get("labels")

    return play


def deep():
    Path("data/x").mkdir(parents=True)
    Image.new("I;16", (5, 4), 900).save("data/x/0.png")
    samples("x/1.png", n=2)()


def processor(**config):
    def play():
        usual = {"size": {"shortest_edge": 256}, "crop_size": 224, "image_std": [1, 1, 1]}
        whole = {**usual, "image_mean": [0.5, 0.5, 0.5], **config}
        Path("preprocessor_config.json").write_text(json.dumps(whole))
        found = preparation_of(".")
        assert (found.resize, found.size) == (whole["size"]["shortest_edge"], 224)
        assert (found.mean, found.std) == (tuple(whole["image_mean"]), tuple(whole["image_std"]))

    return play


LABELS = {
    "a few of ImageNet's classes, by WordNet ids": outputs(
        ["n02102040", "n03888257"], TENCH, [217, 701]
    ),
    "ImageNet's outputs behind a background, 1,001 in all": outputs(
        ["n02102040", "n03888257"], BEHIND, [218, 702]
    ),
    "names of `id2label`, whole or between its commas": outputs(
        ["Tabby_cat", "egyptian cat", "t-shirt"], NAMES, [0, 1, 2]
    ),
    "whole numbers, the first output being 0": outputs(["004", "0"], 5, [4, 0]),
    "a `classes.txt` with a line for each output": outputs(["b", "a"], 2, [0, 1], "b\na\n"),
    "`.ipynb_checkpoints`, `__MACOSX`, `._0.png`, empty folders": samples(
        "Egyptian cat/0.png", weights="weights", labels=[1],
        others=[".ipynb_checkpoints/0.png", "__MACOSX/0.png", "Egyptian cat/._0.png", "aa/x.txt"],
    ),
    "any names, with random weights": samples("x/0.png", labels=[-1]),
    "a checkpoint with its own mean, deviation, size and crop": processor(
        size={"shortest_edge": 300}, image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]
    ),
    "WordNet ids, a head of 10": outputs(["n02102040"], 10),
    "WordNet ids, 1,001 outputs without a background": outputs(["n02102040"], 1001),
    "a name of two outputs": outputs(["crane"], NAMES),
    "a class that no output stands for": outputs(["tabby", "dog"], NAMES),
    "a class that `classes.txt` lacks": outputs(["dog"], 2, listed="b\na\n"),
    "a `classes.txt` of another length": outputs(["b"], 5, listed="b\na\n"),
    "class folders one folder deeper": samples("val/x/0.png"),
    "images outside of class folders": samples("0.png"),
    "COCO": samples("val2017/0.png", others=["annotations/instances.json"]),
    "a file that is no image": samples(others=["x/0.png"]),
    "an image of 16 bits a channel": deep,
    "fewer images than asked for": samples("x/0.png", n=2),
    "a processor of other sizes": processor(crop_size=299),
    "a mean that is no number": processor(image_mean=[0.5, float("nan"), 0.5]),
}  # fmt: skip


# Answers

OWN = [{"prompt": f"p{i}", "endings": [" a", " b"], "answer": i % 2} for i in range(2)]
LINES = "".join(json.dumps(one) + "\n" for one in OWN)
HUMANEVAL = {"task_id": "0", "prompt": "", "canonical_solution": "", "test": ""}


def answers(*texts, name="q.jsonl", expected=(0, 1)):
    """The questions of a file with each of these texts."""

    def play():
        for text in texts:
            Path(name).write_text(text, encoding="utf-8")
            found = sorted(questions(name, 2 if expected else 1), key=lambda one: one.prompts)
            assert [one.answer for one in found] == list(expected)

    return play


def one(**changed):
    return answers(json.dumps({**OWN[0], **changed}), expected=())


def winogrande(labels, **more):
    given = [{"sentence": f"x{i} _ y", "option1": "a", "option2": "b", **more} for i in range(2)]

    def play():
        Path("q-labels.lst").write_text(labels)
        answers("".join(json.dumps(each) + "\n" for each in given))()
        pair = [{"goal": f"g{i}", "sol1": "a", "sol2": "b"} for i in range(2)]
        Path("p-labels.lst").write_text("0\n1\n")
        answers("".join(json.dumps(each) + "\n" for each in pair), name="p.jsonl")()

    return play


def numbers():
    given = ("#### 42 apples", "25%", ".5", "70,000 dollars", "10-4")
    assert [number_in(text) for text in given] == ["42", "25", "0.5", "70000", "4"]
    for text in given[:4]:
        assert number_in(f"#### {text}") == number_in(text)


MMLU = "Cold?,a,b,c,d,A\nHot?,a,b,c,d,B\n"
ANSWERS = {
    "a byte order mark": answers("\ufeff" + LINES),
    "a JSON array instead of lines": answers(json.dumps(OWN), json.dumps(OWN, indent=1)),
    "MMLU's csv, with a header or without": answers(
        MMLU, "question,A,B,C,D,answer\n" + MMLU, name="q.csv"
    ),
    "Winogrande or PIQA with FILE-labels.lst beside it": winogrande("1\n2\n"),
    "`#### 42 apples`, `25%`, `.5`, `70,000 dollars`, `10-4`": numbers,
    "a blank ending": one(endings=["a", " "]),
    "a label that differs from the answer": winogrande("2\n2\n", answer="1"),
    "an answer that is withheld": one(answer=""),
    "HumanEval": answers(json.dumps(HUMANEVAL), expected=()),
    "MBPP": answers('{"task_id": 1, "text": "", "code": "", "test_list": []}', expected=()),
    "COCO's annotations": answers(
        '{"images": [], "annotations": [], "categories": []}', expected=()
    ),
    "GSM8K, asked for choices": answers('{"question": "q", "answer": "#### 1"}', expected=()),
    "another csv": answers("a,b,c\n", name="q.csv", expected=()),
    "Parquet": answers("PAR1", expected=()),
    "one object over many lines": answers(json.dumps(OWN[0], indent=1), expected=()),
    "a line that is no JSON": answers(LINES.replace('{"prompt": "p1', '{prompt: "p1')),
    "brackets without end": answers("[" * 100_000, expected=()),
    "half of a letter (a lone surrogate)": one(prompt="\ud800"),
}


# Arrays


def array(values, rate=None, error=0.1):
    """A file of these values, and R(D) of its second half between two numbers of bits."""

    def play():
        values.tofile("raw") if isinstance(values, bytes) else np.save("x.npy", values)
        found = features.of_file(Path("x.npy"))
        assert np.array_equal(found.test, values[len(values) // 2 :].astype(np.float32))
        assert rate is not None
        assert rate[0] <= memoryless(found.test, [error])[0] <= rate[1]

    return play


def raw(data):
    def play():
        Path("x.npy").write_bytes(data)
        features.of_file(Path("x.npy"))

    return play


def saved(values, cut=None):
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    return raw(file.getvalue()[:cut])


NOISE = np.random.default_rng(0).normal(size=(4, 40_000)).astype(np.float32)
WILD = np.where(np.arange(40_000) % 1000 == 0, 51.0, 1.0).astype(np.float32)
STRONG = np.where(np.arange(40_000) % 64 == 0, 1e6, 1.0).astype(np.float32)
ARRAYS = {
    "the same value everywhere": array(np.full((4, 6), 3.5, np.float32), (0, 0)),
    "denormal numbers": array(NOISE * np.float32(1e-40), (3.30, 3.34)),
    "0.1 % of outliers": array(NOISE * WILD, (2.2, 2.6)),  # 80 of them: the power varies
    "one strong channel": array(NOISE * STRONG, (0.05, 0.16)),  # water-filling: 0.052 + H(1/64)
    "Fortran's order, or another byte order": array(
        np.asfortranarray(NOISE.astype(">f8")), (3.30, 3.34)
    ),
    "zeros only": array(np.zeros((4, 6), np.float32)),
    "no element": array(np.zeros((4, 0, 6), np.float32)),
    "one sample": array(NOISE[:1, :6]),
    "NaN or infinity": array(np.array([[1.0], [np.nan]])),
    "a number that float32 does not hold": array(np.array([[1.0], [1e39]])),
    "integers": array(np.ones((4, 6), np.int8)),
    "one axis": array(NOISE[0, :6].astype(np.float64)),
    "Python objects": saved(np.array([[{}], [{}]], dtype=object)),
    "fewer bytes than its shape says": saved(np.ones((4, 6)), -3),
    "another file": raw(b"1.0, 2.0\n"),
}


# Archives


def calibration(change=None, *, members=None, **changed):
    """A calibration whose arrays, or whose bytes, are changed."""

    def play():
        good = {
            "head": np.array([1, -1]), "step": np.array(0.0), "mean": np.ones(40, np.float32),
        }  # fmt: skip
        np.savez_compressed("c.npz", **{**good, **changed})
        if members is not None:
            with zipfile.ZipFile("c.npz", "w", *members[1:]) as file:
                for name, content in members[0]:
                    file.writestr(name, content)
        if change is not None:
            Path("c.npz").write_bytes(change(Path("c.npz").read_bytes()))
        assert np.array_equal(codec.Calibration.load("c.npz").mean, np.ones(40))

    return play


def plain():
    calibration()()
    np.savez("c.npz", a=np.arange(3), b=np.asfortranarray(np.ones((2, 3))))
    assert npz.read("c.npz")["b"].shape == (2, 3)


def flip(data):
    at = data.index(b"mean.npy") + len("mean.npy") + 200  # stored as it is: in the numbers
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def hide(data):
    """The first entry of the directory takes the others for its comment."""
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    length = 46 + data[at + 28] + 256 * data[at + 29]
    comment = (end - at - length).to_bytes(2, "little")
    return data[: at + 32] + comment + data[at + 34 :]


def member(descr, shape, body=b""):
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + body


def bomb():
    with zipfile.ZipFile("c.npz", "w", zipfile.ZIP_DEFLATED) as file:
        for name in ("mean", "basis", "offsets"):
            file.writestr(f"{name}.npy", member("<f4", (1 << 26,), bytes(1 << 28)))
    assert Path("c.npz").stat().st_size < 1 << 20
    codec.Calibration.load("c.npz")


def folder():
    Path("c.npz").mkdir()
    codec.Calibration.load("c.npz")


MEAN = member("<f4", (40,), np.ones(40, np.float32).tobytes())
SMALL = member("<f4", (1,), bytes(4))
ARCHIVES = {
    "written by numpy, compressed or not": plain,
    "cut short": calibration(lambda data: data[:-30]),
    "changed in one byte": calibration(flip, members=[[("mean.npy", MEAN)]]),
    "a comment that hides the arrays behind it": calibration(hide),
    "Python objects": calibration(members=[[("mean.npy", member("|O", (1,), pickle.dumps([1])))]]),
    "3 GB of zeros in 3 MB": bomb,
    "a shape of 2^50": calibration(members=[[("mean.npy", member("<f4", (1 << 50,)))]]),
    "a name that leads out of the folder": calibration(members=[[("../mean.npy", SMALL)]]),
    "the same name twice": calibration(members=[[("mean.npy", SMALL), ("mean", SMALL)]]),
    "compressed by LZMA, or encrypted": calibration(
        members=[[("mean.npy", SMALL)], zipfile.ZIP_LZMA]
    ),
    "a folder": folder,
    "a calibration of another version": calibration(head=np.array([9, -1])),
    "a calibration with NaN": calibration(mean=np.full(40, np.nan, np.float32)),
}


# Results

ROW = {"point_id": "a", "throughput_rps": 1.5}


def rows(*lines, kept=("a",), **cells):
    """What `collect` makes of a run with these lines, and a next run of it."""

    def play():
        store = Store(Path("outputs/one"))
        (store.make() / "rows.jsonl").write_text("\n".join(lines))
        assert run(["collect", "outputs/one"]) == 0
        with open("outputs/collect/results.csv", newline="") as file:
            found = list(csv.DictReader(file))
        assert [row["point_id"] for row in found] == list(kept)
        assert {name: found[0][name] for name in cells} == cells
        with store.lock():
            store.append({**ROW, "point_id": "z"})
        assert list(store.latest()) == [*kept, "z"]

    return play


def full_disk():
    store = Store(Path("outputs/one"))
    store.append(ROW)
    before = (store.folder / "rows.jsonl").read_text()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (90, usual[1]))
    try:
        store.append({**ROW, "point_id": "b"})
    except OSError as error:
        raise ValueError(str(error)) from None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert (store.folder / "rows.jsonl").read_text() == before


def changed():
    Store(Path("outputs/one")).append(ROW)
    path = Path("outputs/one/rows.jsonl")
    rows(path.read_text().replace("1.5", "7.5"), WHOLE, throughput_rps="1.5")()


def by_hand():
    rows(json.dumps({"point_id": "a", "throughput_rps": "many"}), throughput_rps="many")()
    assert list(Store(Path("outputs/one")).finished()) == ["z"]


def link():
    Path("secret").write_text(json.dumps(ROW) + "\n")
    Path("outputs/one").mkdir(parents=True)
    Path("outputs/one/rows.jsonl").symlink_to(Path("secret").resolve())
    command("collect", "outputs")()


def no_run():
    Path("outputs").mkdir()
    command("collect", "outputs")()


def command(*words):
    """A command; its refusal, one line and status 2, as a ValueError."""

    def play():
        with redirect_stderr(io.StringIO()) as said, redirect_stdout(io.StringIO()):
            status = run(list(words))
        if status == 2:
            raise ValueError(said.getvalue().removesuffix("\n"))
        assert status == 0

    return play


WHOLE = json.dumps(ROW)
OTHER = json.dumps({**ROW, "point_id": "b"})
RESULTS = {
    "a torn last line": rows(WHOLE, OTHER[:20]),
    "a torn line in the middle": rows(WHOLE, OTHER[:20], OTHER, "", kept=("a", "b")),
    "a changed line": changed,
    "lines that are no rows": rows(WHOLE, "[1]", '{"point_id": 3}', "null", OTHER, kept=("a", "b")),
    "a row that says itself which run it is of": rows(
        json.dumps({**ROW, "run": "elsewhere"}), run="outputs/one"
    ),
    "a row without a checksum, written by hand": by_hand,
    "texts that begin like a formula": rows(
        json.dumps({**ROW, "codec": "=1+1", "cut": "-1"}), codec="'=1+1", cut="-1"
    ),
    "no room on the disk": full_disk,
    "a rows.jsonl that is a link": link,
    "no run at all": no_run,
}


def line(key):
    """What the page shows, as a shell hands it on; no network is measured."""
    words = shlex.split(key.strip("`"), posix=False)
    by_hand = [] if "model=" in key or "codec" in key else ["request=by_hand"]
    return command("simulate", *by_hand, "dry_run=true", *words)


COMMAND_LINE = {key: line(key) for key in lines_of("Command line")}
PLAYED = dict(
    zip(SECTIONS, (LABELS, ANSWERS, ARRAYS, ARCHIVES, RESULTS, COMMAND_LINE), strict=True)
)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_line_of_the_page_is_played(section):
    assert list(lines_of(section)) == list(PLAYED[section])


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("section", "line"), [(section, line) for section in SECTIONS for line in PLAYED[section]]
)
def test_a_line_of_the_page_says_what_is_done(section, line):
    check(lines_of(section)[line], PLAYED[section][line])
