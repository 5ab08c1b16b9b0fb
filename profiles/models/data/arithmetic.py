"""GSM8K (Cobbe et al. 2021) from a local jsonl file: word problems judged by exact match.

A line is {"question": ..., "answer": "reasoning ... #### 42"}. The prompt is the field's: worked
examples, then the question; what counts is the number behind ####, or else the last one. The right
answer and the network's are read by the same rule, so that whoever repeats it is right.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from profiles.models.data.records import Record, draw, file_of

_MARK = "####"
_NUMBER = re.compile(
    r"((?<![\w)\]])[-\N{MINUS SIGN}])?[$€£]?"  # behind a number or a word it subtracts or joins
    r"(\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\w)\.\d+)"
    r"((?:[eE][-+]?\d{1,2})(?!\w))?"
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the network reads, and the number that it must find."""

    prompt: str
    number: str


def problems(data: str, n: int, seed: int = 0, *, n_shots: int = 0) -> tuple[Problem, ...]:
    """`n` problems of the jsonl file (or the folder with one) `data`.

    With `n_shots` that many other problems of the file stand solved before each of them.
    Raises ValueError in one line for a missing file, or a line of another format.
    """
    path = file_of(Path(data), 'of GSM8K: {"question": ..., "answer": "... #### 42"}')
    if n_shots < 0:
        raise ValueError(f"n_shots must be >= 0, got {n_shots}")
    pairs = draw(path, n_shots + n, seed, _pair)
    solved = "".join(f"Question: {asked}\nAnswer: {told}\n\n" for asked, told, _ in pairs[:n_shots])
    return tuple(
        Problem(prompt=f"{solved}Question: {asked}\nAnswer:", number=number)
        for asked, _, number in pairs[n_shots:]
    )


def number_in(text: str) -> str | None:
    """The number that an answer gives: behind ####, else the last; None without any.

    Currency, units, thousands' commas, leading and trailing zeros do not count: "$1,200.00" and
    "1200 dollars" are "1200", ".5" is "0.5", "25%" is "25". What comes after the answer, such as a
    next question of the network's own, does not count either.
    """
    text = re.split(r"\n\s*Question:", text)[0]
    _, mark, behind = text.partition(_MARK)
    first = _NUMBER.search(behind) if mark else None
    if first is not None:
        return _plain(first)
    numbers = list(_NUMBER.finditer(text))
    return _plain(numbers[-1]) if numbers else None


def _pair(record: Record) -> tuple[str, str, str]:
    """Question, worked answer, and its number."""
    asked, told = str(record["question"]), str(record["answer"])
    behind = told.partition(_MARK)[2]
    number = number_in(told)
    if number is None or not _NUMBER.search(behind):
        raise ValueError(f"answer must end in {_MARK} and a number, got {told[-40:]!r}")
    return asked, told, number


def _plain(number: re.Match[str]) -> str:
    """The one way to write a number: "-0.50" is "-0.5", "007" is "7", "1e3" is "1000"."""
    sign, digits, exponent = number.groups("")
    value = Decimal(digits.replace(",", "") + exponent)
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"-{text}" if sign and value else text
