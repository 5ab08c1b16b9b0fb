"""Questions and problems in their real formats; what a missing or damaged file gets told."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles import models
from profiles.models.data import arithmetic
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
        ("[1]", "record 1 must be an object, got int"),
        ('["a"]', "record 1 must be an object, got str"),
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
    assert {p.number for p in plain} == {"0", "1000", "2000", "3000", "4000"}
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
        ("#### 42 apples", "42"),
        ("#### 25%", "25"),
        ("#### .5", "0.5"),
        ("#### 0.50", "0.5"),
        ("#### 70,000 dollars", "70000"),
        ("so 10-4", "4"),
        ("10 - 4 = 6", "6"),
        ("10 -4", "-4"),
        ("#### -$5", "-5"),
        ("#### $-5", "-5"),
        ("#### \N{MINUS SIGN}3", "-3"),
        ("covid-19", "19"),
        ("#### 007", "7"),
        ("#### -0.0", "0"),
        ("#### 1e3 m", "1000"),
        ("1,00,000 rupees", "100000"),
        ("the numbers 1,2", "2"),
        ("#### 3.", "3"),
        ("#### 1,2345", "1"),
        ("#### no\n7", "7"),
    ],
)
def test_the_number_of_an_answer(text, number):
    assert number_in(text) == number


_AMOUNTS = st.decimals(-(10**9), 10**9, places=2, allow_nan=False)


@given(
    value=_AMOUNTS | st.integers(-(10**12), 10**12).map(Decimal),
    write=st.sampled_from(["{}", "{:,}", "${}", "{} apples", "{}%", "{:,} dollars", "{}.", "= {}"]),
    around=st.sampled_from(["", "\n", " so it is", "\n\nQuestion: what is 9?"]),
)
def test_whoever_repeats_the_right_answer_is_right_however_it_is_written(value, write, around):
    told = f"First 3 and 10-4. #### {write.format(value)}{around}"
    _, _, number = arithmetic._pair({"question": "q", "answer": told})
    assert Decimal(number) == value
    assert number_in(told) == number
    assert number_in(f"#### {number}") == number_in(f"It is {number}.") == number
    assert number_in(f"#### {number} apples") == number


@given(text=st.text(alphabet="0123456789,.-$%e# \n²٣abc", max_size=30))
def test_any_text_has_one_number_or_none(text):
    number = number_in(text)
    assert number is None or number_in(f"#### {number}") == number
    assert number is None or str(float(number)) != "nan"


OWN = [{"prompt": f"p{i}", "endings": [" a", " b"], "answer": i % 2} for i in range(5)]


def test_a_byte_order_mark_an_array_and_a_json_file_are_read(tmp_path):
    plain = questions(written(tmp_path / "a.jsonl", OWN), 5)
    lines = (tmp_path / "a.jsonl").read_text()
    for name, text in (
        ("b.jsonl", "\ufeff" + lines), ("c.jsonl", json.dumps(OWN)), ("d.json", json.dumps(OWN)),
        ("e.jsonl", "\n" + json.dumps(OWN, indent=1)), ("f.jsonl", lines.replace("\n", "\r\n\r\n")),
    ):  # fmt: skip
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        assert questions(str(tmp_path / name), 5) == plain
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone/dev.json").write_text(json.dumps(OWN))
    assert questions(str(tmp_path / "alone"), 5) == plain


MMLU = 'Cold?,ash,ice,"tea, hot",sun,B\n"Two\nlines?",a,b,c,d,D\n'


@pytest.mark.parametrize("header", ["", "question,A,B,C,D,answer\n", "\ufeff"])
def test_mmlus_csv_is_read(tmp_path, header):
    (tmp_path / "astronomy_test.csv").write_text(header + MMLU, encoding="utf-8")
    found = {one.prompts[0]: one.answer for one in questions(str(tmp_path), 2)}
    assert found == {
        "Cold?\nA. ash\nB. ice\nC. tea, hot\nD. sun\nAnswer:": 1,
        "Two\nlines?\nA. a\nB. b\nC. c\nD. d\nAnswer:": 3,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,c\n", "line 1 must be MMLU's question, four choices and A, B, C or D, got 3 cells"),
        ("q,a,b,c,d,E\n", "got 6 cells, the last 'E'"),
        ("id,q,a,b,c,d,A\n", "got 7 cells"),
        ('q,a,"b\n', "line 1 is no csv"),
        ("q,a,,c,d,A\n", None),
        ("", "holds 0 records"),
    ],
)
def test_another_csv_is_refused_by_line(tmp_path, text, said):
    (tmp_path / "x.csv").write_text(text)
    if said is None:  # MMLU asks for a letter, so that a blank choice is a choice
        assert questions(str(tmp_path), 1)[0].answer == 0
        return
    with pytest.raises(ValueError, match=said) as error:
        questions(str(tmp_path), 1)
    assert "\n" not in str(error.value)


def test_winogrande_finds_its_labels_in_the_file_beside_it(tmp_path):
    given = [{"sentence": f"x{i} _ y", "option1": "a", "option2": "b"} for i in range(4)]
    path = written(tmp_path / "dev.jsonl", given)
    with pytest.raises(ValueError, match="'label' is missing"):
        questions(path, 4)
    (tmp_path / "dev-labels.lst").write_text("\ufeff1\n2\n2\n1\n", encoding="utf-8")
    found = {one.prompts[0]: one.answer for one in questions(path, 4)}
    assert found == {"x0 a": 0, "x1 a": 1, "x2 a": 1, "x3 a": 0}
    written(tmp_path / "dev.jsonl", [{**one, "answer": "1"} for one in given])
    with pytest.raises(ValueError, match="answer 1 and label 2 differ"):
        questions(path, 4)


HUMANEVAL = {"task_id": "HumanEval/0", "prompt": "def f", "canonical_solution": "", "test": ""}
COCO = {"images": [], "annotations": [], "categories": []}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(HUMANEVAL), "line 1: HumanEval is not offered: its answers are programs"),
        (json.dumps({"task_id": 1, "text": "", "code": "", "test_list": []}), "MBPP is not off"),
        (json.dumps(COCO), "is of COCO, whose boxes are not offered"),
        (json.dumps({"question": "q", "answer": "#### 4"}), "GSM8K needs task=number"),
        (json.dumps(OWN[0], indent=2), "holds one object over many lines"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('[{"a": 1},\n]', "line 2 is no JSON"),
        ("PAR1\0\0", "is Parquet: write its records as jsonl"),
        (json.dumps({**OWN[0], "endings": ["a", " "]}), "none of them blank, got ' '"),
        (json.dumps({**OWN[0], "prompt": "\n"}), "none of them blank"),
        (json.dumps({"goal": "g", "sol1": "", "sol2": "b", "label": 0}), "none of them blank"),
        ('{"prompt": "\\ud800", "endings": ["a", "b"], "answer": 0}', "half of a letter"),
    ],
)
def test_what_is_not_offered_says_what_it_is(tmp_path, content, said):
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(ValueError, match=said) as error:
        questions(str(tmp_path / "x.jsonl"), 1)
    assert "\n" not in str(error.value)


def test_a_folder_of_many_files_or_of_humaneval_says_so(tmp_path):
    for subject in "ab":
        (tmp_path / f"{subject}_test.csv").write_text(MMLU)
    with pytest.raises(ValueError, match=r"holds 2 \*\.csv files: name one of them"):
        questions(str(tmp_path), 1)
    (tmp_path / "HumanEval.jsonl.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(ValueError, match="HumanEval is not offered, its answers are programs"):
        questions(str(tmp_path), 1)
    with pytest.raises(ValueError, match="is gzip: write its records as jsonl"):
        questions(str(tmp_path / "HumanEval.jsonl.gz"), 1)


def test_a_folder_of_coco_is_said_to_be_one(tmp_path):
    (tmp_path / "annotations").mkdir()
    with pytest.raises(ValueError, match="looks like COCO, whose boxes are not offered"):
        questions(str(tmp_path), 1)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=150)
@given(data=st.data())
def test_any_damaged_record_is_read_or_refused_in_one_line(tmp_path_factory, data):
    record = dict(data.draw(st.sampled_from([record for record, _ in REAL.values()])))
    for name in data.draw(st.sets(st.sampled_from(sorted(record)), min_size=1)):
        if data.draw(st.booleans()):
            del record[name]
        else:
            record[name] = data.draw(_VALUES)
    path = tmp_path_factory.mktemp("odd") / "x.jsonl"
    path.write_text(json.dumps(record))
    for read in (questions, problems):
        try:
            read(str(path), 1)
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_an_option_that_data_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"data of model 'scenes' has no option 'data'; it takes"):
        models.samples("scenes", "test", 1, data="folder")
    with pytest.raises(ValueError, match="model 'digits' has no option 'weights'; it takes: fold"):
        models.create("digits", weights="folder")
