"""GSM8K (Cobbe et al. 2021) from a local jsonl file: word problems judged by exact match.

A line is {"question": ..., "answer": "reasoning ... #### 42"}. The prompt is the field's: worked
examples, then the question; what counts is the number behind ####, or else the last one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from profiles.models.data.records import Record, draw, jsonl_of

_MARK = "####"
_NUMBER = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")


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
    path = jsonl_of(Path(data), 'of GSM8K: {"question": ..., "answer": "... #### 42"}')
    if n_shots < 0:
        raise ValueError(f"n_shots must be >= 0, got {n_shots}")
    pairs = draw(path, n_shots + n, seed, _pair)
    solved = "".join(f"Question: {asked}\nAnswer: {told}\n\n" for asked, told in pairs[:n_shots])
    return tuple(
        Problem(
            prompt=f"{solved}Question: {asked}\nAnswer:", number=_clean(told.rpartition(_MARK)[2])
        )
        for asked, told in pairs[n_shots:]
    )


def number_in(text: str) -> str | None:
    """The number that a generated answer gives: behind ####, else the last; None without any.

    What comes after the answer, such as a next question of the network's own, does not count.
    """
    text = re.split(r"\n\s*Question:", text)[0]
    _, mark, behind = text.partition(_MARK)
    first = _NUMBER.search(behind) if mark else None
    if first is not None:
        return _clean(first.group())
    numbers = _NUMBER.findall(text)
    return _clean(numbers[-1]) if numbers else None


def _pair(record: Record) -> tuple[str, str]:
    asked, told = str(record["question"]), str(record["answer"])
    if _MARK not in told or not _NUMBER.search(told.rpartition(_MARK)[2]):
        raise ValueError(f"answer must end in {_MARK} and a number, got {told[-40:]!r}")
    return asked, told


def _clean(number: str) -> str:
    """Without currency, thousands' commas and a fraction of zeros: "$1,200.00" is "1200"."""
    plain = number.strip().replace(",", "").replace("$", "")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
