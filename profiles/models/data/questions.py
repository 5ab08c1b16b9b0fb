"""Multiple choice from local jsonl files: seven public formats, one schema, told by their fields.

| data | fields of a line | prompt |
|---|---|---|
| BoolQ | question, passage, answer (or label) | passage, question; endings no, yes |
| PIQA | goal, sol1, sol2, label (or FILE-labels.lst) | Question: goal |
| HellaSwag | activity_label, ctx_a, ctx_b (or ctx), endings, label | the context |
| ARC | question.stem and .choices (or question, choices), answerKey | Question: stem |
| OpenBookQA | question_stem, choices, answerKey (its older files are ARC's format) | the stem |
| Winogrande | sentence with _, option1, option2, answer (or label) | sentence to _, with option |
| MMLU | question, choices, answer (a number or a letter), or its csv | question with A. B. C. D. |
| ours | prompt, endings, answer (a number) | as it stands |

The prompts are those of Gao et al.'s lm-evaluation-harness, without examples before them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from profiles.models.data.records import Record, draw, file_of

FORMATS = "BoolQ, PIQA, HellaSwag, ARC, OpenBookQA, Winogrande, MMLU or prompt, endings, answer"


@dataclass(frozen=True, kw_only=True)
class Question:
    """Endings to choose from, each behind its own prompt (the same one but in Winogrande).

    `per_byte`: whether the field divides an ending's log-likelihood by its length in bytes.
    Raises ValueError where there are fewer than two endings, or the answer is none of them.
    """

    prompts: tuple[str, ...]
    endings: tuple[str, ...]
    answer: int
    per_byte: bool = False

    def __post_init__(self) -> None:
        if len(self.endings) < 2 or len(self.prompts) != len(self.endings):
            sizes = f"{len(self.prompts)} prompts, {len(self.endings)} endings"
            raise ValueError(
                f"a question needs two endings or more, each with a prompt, got {sizes}"
            )
        for text in (*self.prompts, *self.endings):
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"prompts and endings must be texts, none of them blank, "
                                 f"got {text!r}")  # fmt: skip
            if any("\ud800" <= letter <= "\udfff" for letter in text):
                raise ValueError(f"half of a letter in {text[:40]!r}")
        if self.answer not in range(len(self.endings)):
            raise ValueError(f"answer must be in 0..{len(self.endings) - 1}, got {self.answer}")


def questions(data: str, n: int, seed: int = 0) -> tuple[Question, ...]:
    """`n` questions of the jsonl file (or the folder with one) `data`.

    Raises ValueError in one line for a missing file, an unknown format or a line without answer.
    """
    path = file_of(Path(data), f"of {FORMATS}")
    return draw(path, n, seed, question_of)


def question_of(record: Record) -> Question:
    """One line of any of the formats.

    Raises ValueError (or KeyError) where the fields are of none, or the answer is withheld.
    """
    for fields, parse in _FORMATS:
        if fields <= record.keys():
            return parse(record)
    for fields, what in _OTHERS:
        if fields <= record.keys():
            raise ValueError(what)
    have = ", ".join(sorted(record))
    raise ValueError(f"fields {have} are of no known format; known: {FORMATS}")


def _ours(record: Record) -> Question:
    return _ask_once(record["prompt"], record["endings"], _number(record["answer"]))


def _boolq(record: Record) -> Question:
    answer = record["label"] if "label" in record else record["answer"]
    question = record["question"].rstrip("?")
    prompt = f"{record['passage']}\nQuestion: {question}?\nAnswer:"
    return _ask_once(prompt, (" no", " yes"), _number(answer))


def _piqa(record: Record) -> Question:
    if "label" not in record:
        raise ValueError("label is missing: put it there, or the labels into FILE-labels.lst")
    endings = [f" {record[name]}" for name in ("sol1", "sol2")]
    answer = _number(record["label"])
    return _ask_once(f"Question: {record['goal']}\nAnswer:", endings, answer, per_byte=True)


def _hellaswag(record: Record) -> Question:
    told = record["ctx"]
    if "ctx_a" in record and "ctx_b" in record:
        told = f"{record['ctx_a']} {record['ctx_b'].capitalize()}"
    prompt = _plain(f"{record['activity_label']}: {told}")
    endings = [f" {_plain(ending)}" for ending in record["endings"]]
    return _ask_once(prompt, endings, _number(record["label"]), per_byte=True)


def _arc(record: Record) -> Question:
    asked = record["question"]
    nested = isinstance(asked, dict)
    texts, answer = _read_choices(
        asked["choices"] if nested else record["choices"], record["answerKey"]
    )
    stem = asked["stem"] if nested else asked
    return _ask_once(f"Question: {stem}\nAnswer:", texts, answer, per_byte=True)


def _openbookqa(record: Record) -> Question:
    texts, answer = _read_choices(record["choices"], record["answerKey"])
    return _ask_once(record["question_stem"], texts, answer, per_byte=True)


def _winogrande(record: Record) -> Question:
    before, gap, after = record["sentence"].partition("_")
    if not gap or not after.strip():
        raise ValueError(f"sentence must hold _ before its end, got {record['sentence']!r}")
    prompts = tuple(before + record[name] for name in ("option1", "option2"))
    ending = f" {after.strip()}"
    answer = _number(record.get("answer") or record["label"])
    if "label" in record and _number(record["label"]) != answer:
        raise ValueError(f"answer {answer} and label {record['label']} differ")
    return Question(prompts=prompts, endings=(ending,) * 2, answer=answer - 1)


def _mmlu(record: Record) -> Question:
    letters = "ABCDEFGHIJ"[: len(record["choices"])]
    listed = [f"{key}. {text}" for key, text in zip(letters, record["choices"], strict=True)]
    prompt = "\n".join([record["question"].strip(), *listed, "Answer:"])
    answer = record["answer"]
    if isinstance(answer, str) and len(answer) == 1 and answer in letters:
        answer = letters.index(answer)
    return _ask_once(prompt, [f" {key}" for key in letters], _number(answer))


# The first format whose fields a line has is its format, so that the more special ones come first.
_FORMATS: tuple[tuple[frozenset[str], Callable[[Record], Question]], ...] = (
    (frozenset({"prompt", "endings", "answer"}), _ours),
    (frozenset({"passage", "question"}), _boolq),
    (frozenset({"goal", "sol1", "sol2"}), _piqa),
    (frozenset({"activity_label", "endings"}), _hellaswag),
    (frozenset({"sentence", "option1", "option2"}), _winogrande),
    (frozenset({"question_stem", "choices"}), _openbookqa),
    (frozenset({"question", "answerKey"}), _arc),
    (frozenset({"question", "choices", "answer"}), _mmlu),
)

_OTHERS = (
    (
        frozenset({"task_id", "prompt", "canonical_solution", "test"}),
        "HumanEval is not offered: its answers are programs that would have to be run",
    ),
    (
        frozenset({"task_id", "text", "code", "test_list"}),
        "MBPP is not offered: its answers are programs that would have to be run",
    ),
    (frozenset({"question", "answer"}), "a question without choices: GSM8K needs task=number"),
)
"""What people try, and what is said of it."""


def _ask_once(
    prompt: str, endings: Sequence[str], answer: int, *, per_byte: bool = False
) -> Question:
    if isinstance(endings, str):
        raise ValueError(f"endings must be a list, got {endings!r}")
    prompts = (prompt,) * len(endings)
    return Question(prompts=prompts, endings=tuple(endings), answer=answer, per_byte=per_byte)


def _number(answer: object) -> int:
    """A label as the formats write it: 3, "3" or true; what is withheld reads "" or -1."""
    if isinstance(answer, bool | int) and answer >= 0:
        return int(answer)
    if isinstance(answer, str) and answer.isdecimal():
        return int(answer)
    raise ValueError(f"the answer is withheld or no number, got {answer!r}: take a labelled split")


def _read_choices(choices: object, key: str) -> tuple[list[str], int]:
    """Endings and the answer's place, of [{text, label}, ...] or {text: [...], label: [...]}."""
    if isinstance(choices, dict):
        texts, labels = choices["text"], choices["label"]
    elif isinstance(choices, list):
        texts, labels = [c["text"] for c in choices], [c["label"] for c in choices]
    else:
        raise ValueError(f"choices must be a list or an object, got {type(choices).__name__}")
    if key not in labels:
        raise ValueError(f"answerKey must be one of {', '.join(labels)}, got {key!r}")
    return [f" {text}" for text in texts], labels.index(key)


def _plain(text: str) -> str:
    """HellaSwag's texts without the marks of their source (WikiHow's [title], [step])."""
    text = re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". "))
    return text.replace("  ", " ").strip()
