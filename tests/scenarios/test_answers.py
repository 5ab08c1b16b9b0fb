"""`splitfleet answers`: questions from local files, judged with and without a codec."""

import csv
import json
from pathlib import Path

import pytest

from scenarios.__main__ import run

QUESTIONS = (
    {"prompt": "import num", "endings": ["py as np", "zz qq kk"], "answer": 0},
    {"prompt": "def __ini", "endings": ["@@@@@", "t__(self"], "answer": 1},
    {"prompt": "for i in ra", "endings": ["lambda", "nge("], "answer": 1},
    {"prompt": "class A:\n    def ", "endings": ["%%%", "__init__(self):"], "answer": 0},
)
PROBLEM = {"question": "What is 1 + 1?", "answer": "1 + 1 = 2\n#### 2"}


@pytest.fixture
def questions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    Path("problems.jsonl").write_text("\n".join(2 * [json.dumps(PROBLEM)]))


def rows():
    with Path("outputs/answers/answers.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("questions")
def test_what_is_sent_exactly_loses_nothing_and_what_is_crushed_costs_fewer_bytes():
    words = ["answers", "model.data=questions.jsonl", "model.samples=4", "cut=layers.1"]
    assert run([*words, "+codecs.exact={name: exact, chain: raw32}",
                "+codecs.crushed={name: crushed, chain: slicer, sparsity: 0.99}"]) == 0  # fmt: skip
    plain, exact, crushed = rows()
    # Likely endings win; the fourth question's "right" answer is the unlikely one.
    assert (plain["n"], plain["accuracy"]) == ("4", "0.75")
    assert (exact["accuracy"], exact["drop_pp"]) == ("0.75", "0.0")
    endings = [one["prompt"] + ending for one in QUESTIONS for ending in one["endings"]]
    least = sum(4 * 128 * (len(text) - 1) for text in endings) / 4
    assert least < float(exact["uplink_bytes_per_request"]) < least + 2 * 256
    assert float(crushed["uplink_bytes_per_request"]) < least / 10
    assert float(exact["drop_pp_lo"]) < 0 < float(exact["drop_pp_hi"])


@pytest.mark.usefixtures("questions")
def test_word_problems_are_generated_and_judged_by_their_number():
    words = ["answers", "model.data=problems.jsonl", "task=number", "model.samples=2"]
    assert run([*words, "cut=layers.0", "codec=raw16", "new_tokens=4"]) == 0
    plain, sent = rows()
    assert (plain["n"], sent["cut"], sent["setting"]) == ("2", "layers.0", "raw16")
    prompt = "Question: What is 1 + 1?\nAnswer:"
    least = 2 * 128 * (len(prompt) + 3)
    assert least <= float(sent["uplink_bytes_per_request"]) < least + 5 * 256


@pytest.mark.usefixtures("questions")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "model.data is empty"),
        (["model.data=nowhere.jsonl"], "model.data=nowhere.jsonl does not exist"),
        (["model.data=questions.jsonl"], "holds 4 records, 64 were asked for"),
        (["model.data=questions.jsonl", "task=essay"], "unknown task 'essay'"),
        (["model.data=questions.jsonl", "codec=jpeg"], "encodes hidden states"),
        (["model.data=questions.jsonl", "cut=layers.9"], "unknown cut 'layers.9'"),
        (["model.data=questions.jsonl", "model=digits"], "digits answers no questions in words"),
        (["model.data=questions.jsonl", "model=llama"], "holds no config.json"),
    ],
)
def test_mistakes_are_one_line(words, said, capsys):
    assert run(["answers", *words]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
