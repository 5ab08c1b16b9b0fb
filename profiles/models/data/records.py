"""Records from a local jsonl file: one JSON object a line, drawn in an order fixed by a seed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from profiles.models.data.draws import uniforms

T = TypeVar("T")
Record = dict[str, Any]


def jsonl_of(data: Path, wanted: str) -> Path:
    """The file `data`, or the one *.jsonl in the folder `data`.

    Raises ValueError in one line that says what to put there.
    """
    if data.is_file():
        return data
    files = sorted(data.glob("*.jsonl")) if data.is_dir() else []
    if len(files) != 1:
        state = f"holds {len(files)} *.jsonl files" if data.is_dir() else "does not exist"
        raise ValueError(f"model.data={data} {state}: put one jsonl file there, {wanted}")
    return files[0]


def draw(path: Path, n: int, seed: int, parse: Callable[[Record], T]) -> tuple[T, ...]:
    """`n` records of the file without repetition, parsed; the first ones for every larger `n`.

    A file NAME-labels.lst beside NAME.jsonl (PIQA has its labels there) gives each its "label".
    Raises ValueError with the line where one is no JSON object or `parse` refuses it.
    """
    lines = list(_lines(path))
    labels = _labels(path, len(lines))
    if not 1 <= n <= len(lines):
        raise ValueError(f"{path} holds {len(lines)} records, {n} were asked for")
    order = np.argsort(uniforms(f"records/{seed}", np.arange(len(lines)), 1)[:, 0])[:n]
    return tuple(_parse(path, *lines[i], added=labels[i], parse=parse) for i in order)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error.reason}") from None
    # Not splitlines(): texts hold separators such as U+2028 that JSON leaves unescaped.
    return ((at, line) for at, line in enumerate(text.split("\n"), 1) if line.strip())


def _labels(path: Path, n: int) -> list[Record]:
    """For each record the fields that a file beside it adds."""
    beside = path.with_name(f"{path.stem}-labels.lst")
    if not beside.is_file():
        return [{}] * n
    labels = beside.read_text(encoding="utf-8").split()
    if len(labels) != n:
        raise ValueError(f"{beside} holds {len(labels)} labels for {n} records")
    return [{"label": label} for label in labels]


def _parse(path: Path, at: int, line: str, *, added: Record, parse: Callable[[Record], T]) -> T:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {at} is no JSON: {error.msg}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{path}, line {at} must be an object, got {type(record).__name__}")
    try:
        return parse({**record, **added})
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}, line {at}: {error}") from None
    except KeyError as error:
        raise ValueError(f"{path}, line {at}: {error} is missing") from None
