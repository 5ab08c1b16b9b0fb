"""Questions and problems in their real formats; what a missing or damaged file gets told."""

import json

import pytest

from profiles import models
from profiles.models.data.arithmetic import number_in, problems
from profiles.models.data.questions import question_of, questions

ARC_CHOICES = [{"text": "ash", "label": "A"}, {"text": "ice", "label": "B"}]
FLAT = {"text": ["ash", "ice"], "label": ["1", "2"]}
# Lines as the public files have them, with prompt, second ending, answer, per byte.
REAL = {
    "boolq": (
        {"question": "is ice cold", "title": "Ice", "answer": True, "passage": "Ice freezes."},
        ("Ice freezes.\nQuestion: is ice cold?\nAnswer:", " yes", 1, False),
    ),
    "superglue": (
        {"question": "is ice hot", "passage": "Ice freezes.", "idx": 0, "label": False},
        ("Ice freezes.\nQuestion: is ice hot?\nAnswer:", " yes", 0, False),
    ),
    "piqa": (
        {"goal": "cool tea", "sol1": "heat it", "sol2": "wait", "label": 1},
        ("Question: cool tea\nAnswer:", " wait", 1, True),
    ),
    "hellaswag": (
        {
            "ind": 4, "activity_label": "Skating", "ctx_a": "A man skates.", "ctx_b": "he",
            "ctx": "A man skates. he", "endings": ["flies.", "turns [substeps] round."],
            "split": "val", "label": "1",
        },
        ("Skating: A man skates. He", " turns round.", 1, True),
    ),
    "arc": (
        {"id": "Mercury_1", "question": {"stem": "Cold?", "choices": ARC_CHOICES},
         "answerKey": "B"},
        ("Question: Cold?\nAnswer:", " ice", 1, True),
    ),
    "arc, flat": (
        {"id": "M", "question": "Cold?", "choices": FLAT, "answerKey": "1"},
        ("Question: Cold?\nAnswer:", " ice", 0, True),
    ),
    "openbookqa": (
        {"id": "8-343", "question_stem": "Cold is", "choices": FLAT, "answerKey": "2"},
        ("Cold is", " ice", 1, True),
    ),
    "mmlu": (
        {"question": "Cold?", "subject": "physics", "choices": ["ash", "ice"], "answer": 1},
        ("Cold?\nA. ash\nB. ice\nAnswer:", " B", 1, False),
    ),
    "mmlu, letter": (
        {"question": "Cold?", "choices": ["ash", "ice"], "answer": "A"},
        ("Cold?\nA. ash\nB. ice\nAnswer:", " B", 0, False),
    ),
    "ours": (
        {"prompt": "Cold is", "endings": [" ash", " ice"], "answer": 1},
        ("Cold is", " ice", 1, False),
    ),
}  # fmt: skip


def written(path, records):
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records))
    return str(path)


@pytest.mark.parametrize("name", REAL)
def test_each_public_format_becomes_the_one_schema(name):
    record, (prompt, ending, answer, per_byte) = REAL[name]
    found = question_of(record)
    assert found.prompts == (prompt, prompt)
    assert (found.endings[1], found.answer, found.per_byte) == (ending, answer, per_byte)


def test_winogrande_puts_each_option_into_the_prompt():
    found = question_of(
        {"qID": "3", "sentence": "The cup missed the box as the _ was big.",
         "option1": "cup", "option2": "box", "answer": "1"}
    )  # fmt: skip
    assert found.prompts == (
        "The cup missed the box as the cup",
        "The cup missed the box as the box",
    )
    assert found.endings == (" was big.", " was big.")
    assert found.answer == 0


def test_piqa_finds_its_labels_in_the_file_beside_it(tmp_path):
    given = [{"goal": f"g{i}", "sol1": "a", "sol2": "b"} for i in range(6)]
    path = written(tmp_path / "valid.jsonl", given)
    with pytest.raises(ValueError, match=r"line \d: label is missing: put it there, or the labels"):
        questions(path, 6)
    (tmp_path / "valid-labels.lst").write_text("0\n1\n0\n1\n1\n0\n")
    found = questions(str(tmp_path), 6)
    assert {one.prompts[0]: one.answer for one in found} == {
        f"Question: g{i}\nAnswer:": label for i, label in enumerate((0, 1, 0, 1, 1, 0))
    }
    (tmp_path / "valid-labels.lst").write_text("0\n1\n")
    with pytest.raises(ValueError, match="holds 2 labels for 6 records"):
        questions(path, 6)


def test_few_questions_are_the_first_of_many_and_separators_split_no_line(tmp_path):
    given = [{"prompt": f"p{i}\u2028q", "endings": [" a", " b"], "answer": 0} for i in range(9)]
    path = written(tmp_path / "own.jsonl", given)
    many = questions(path, 9)
    assert questions(path, 4) == many[:4]
    assert len({one.prompts for one in many}) == 9
    assert questions(path, 9, seed=1) != many


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": 1}', "line 1: fields a are of no known format; known: BoolQ, PIQA"),
        ("[1]", "line 1 must be an object, got list"),
        ("{", "line 1 is no JSON"),
        ('{"prompt": "p", "endings": ["a", "b"], "answer": 2}', r"answer must be in 0..1, got 2"),
        ('{"prompt": "p", "endings": ["a", "b"], "answer": ""}', "the answer is withheld"),
        ('{"prompt": "p", "endings": ["a"], "answer": 0}', "needs two endings or more"),
        ('{"prompt": "p", "endings": "ab", "answer": 0}', "endings must be a list"),
        ('{"prompt": 3, "endings": ["a", "b"], "answer": 0}', "must be texts"),
        ('{"question": 3, "passage": "p", "answer": true}', "line 1: "),
        ('{"question_stem": "q", "choices": [], "answerKey": "A"}', "answerKey must be one of"),
    ],
)
def test_a_line_that_is_no_question_is_refused_in_one_line(line, message, tmp_path):
    (tmp_path / "q.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=message) as error:
        questions(str(tmp_path), 1)
    assert "\n" not in str(error.value)


def test_a_missing_file_says_what_to_put_where(tmp_path):
    with pytest.raises(ValueError, match=r"does not exist: put one jsonl file there, of BoolQ"):
        questions(str(tmp_path / "none"), 1)
    with pytest.raises(
        ValueError, match=r"holds 0 \*.jsonl files: put one jsonl file there, of GS"
    ):
        problems(str(tmp_path), 1)
    written(tmp_path / "a.jsonl", [{}])
    with pytest.raises(ValueError, match="holds 1 records, 2 were asked for"):
        problems(str(tmp_path), 2)
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match="is no UTF-8 text"):
        problems(str(tmp_path), 1)


def test_gsm8k_problems_carry_their_number_and_worked_examples(tmp_path):
    given = [
        {"question": f"q{i}?", "answer": f"It is <<1*{i}={i}>>{i},000.\n#### {i},000"}
        for i in range(5)
    ]
    path = written(tmp_path / "test.jsonl", given)
    plain = problems(path, 5)
    assert {p.number for p in plain} == {"0000", "1000", "2000", "3000", "4000"}
    shown = problems(path, 3, n_shots=2)
    assert [one.number for one in shown] == [one.number for one in plain[2:]]
    assert shown[0].prompt.startswith(plain[0].prompt)
    assert shown[0].prompt.endswith(plain[2].prompt)
    assert shown[0].prompt.count("####") == 2
    written(tmp_path / "test.jsonl", [{"question": "q", "answer": "no mark"}])
    with pytest.raises(ValueError, match="line 1: answer must end in #### and a number"):
        problems(path, 1)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("He has 3 + 4 = 7.\n#### 7", "7"),
        ("#### $1,200.00\n\nQuestion: what is 9?", "1200"),
        ("so 3 and then 4.50 dollars", "4.5"),
        ("it falls to -12.", "-12"),
        ("nothing", None),
        ("2 apples\nQuestion: 5?", "2"),
    ],
)
def test_the_number_of_an_answer(text, number):
    assert number_in(text) == number


def test_an_option_that_data_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"data of model 'scenes' has no option 'data'; it takes"):
        models.samples("scenes", "test", 1, data="folder")
    with pytest.raises(ValueError, match="model 'digits' has no option 'weights'; it takes: fold"):
        models.create("digits", weights="folder")
