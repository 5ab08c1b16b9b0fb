"""Records from a local file: JSON objects, one a line or in one array, or a csv of MMLU's.

They are drawn in an order fixed by a seed. What a file is, its beginning says, not its name.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from profiles.models.data.draws import uniforms

T = TypeVar("T")
Record = dict[str, Any]

_ENDINGS = ("jsonl", "json", "csv")
_OTHERS = {b"PAR1": "Parquet", b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip archive"}
_MMLU = ("question", "A", "B", "C", "D", "answer")
_COCO = {"images", "annotations", "categories"}


class Place(NamedTuple):
    """A record, not parsed yet where it is text, and where it stands: "line 3"."""

    where: str
    content: str | Record


def file_of(data: Path, wanted: str) -> Path:
    """The file `data`, or the one *.jsonl (else *.json, else *.csv) in the folder `data`.

    Raises ValueError in one line that says what to put there.
    """
    if data.is_file():
        return data
    if (data / "annotations").is_dir():
        raise ValueError(f"model.data={data} looks like COCO, whose boxes are not offered")
    found = [sorted(data.glob(f"*.{ending}")) for ending in _ENDINGS] if data.is_dir() else []
    files = next((each for each in found if each), [])
    if len(files) == 1:
        return files[0]
    if data.is_dir() and any("humaneval" in path.name.lower() for path in data.iterdir()):
        raise ValueError(f"model.data={data}: HumanEval is not offered, its answers are programs")
    ending = files[0].suffix if files else ".jsonl"
    state = f"holds {len(files)} *{ending} files" if data.is_dir() else "does not exist"
    told = "name one of them" if files else f"put one jsonl file there, {wanted}"
    raise ValueError(f"model.data={data} {state}: {told}")


def draw(path: Path, n: int, seed: int, parse: Callable[[Record], T]) -> tuple[T, ...]:
    """`n` records of the file without repetition, parsed; the first ones for every larger `n`.

    A file NAME-labels.lst beside NAME.jsonl (PIQA and Winogrande have their labels there) gives
    each its "label".
    Raises ValueError with the line where one is no JSON object or `parse` refuses it.
    """
    places = _places(path)
    labels = _labels(path, len(places))
    if not 1 <= n <= len(places):
        raise ValueError(f"{path} holds {len(places)} records, {n} were asked for")
    order = np.argsort(uniforms(f"records/{seed}", np.arange(len(places)), 1)[:, 0])[:n]
    return tuple(_parse(path, places[i], added=labels[i], parse=parse) for i in order)


def _places(path: Path) -> list[Place]:
    """Every record of the file."""
    text = _text(path)
    if path.suffix.lower() == ".csv":
        return _rows(path, text)
    if text.lstrip().startswith("["):
        return _array(path, text)
    # Not splitlines(): texts hold separators such as U+2028 that JSON leaves unescaped.
    lines = [(at, line) for at, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) > 1 and lines[0][1].strip() == "{":
        raise ValueError(f"{path} holds one object over many lines: write one object a line")
    return [Place(f"line {at}", line) for at, line in lines]


def _text(path: Path) -> str:
    data = path.read_bytes()
    for start, what in _OTHERS.items():
        if data.startswith(start):
            raise ValueError(f"{path} is {what}: write its records as jsonl, one object a line")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error.reason}") from None


def _array(path: Path, text: str) -> list[Place]:
    """The records of a JSON array."""
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno} is no JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    for at, each in enumerate(records, 1):
        if not isinstance(each, dict):
            kind = type(each).__name__
            raise ValueError(f"{path}, record {at} must be an object, got {kind}")
    return [Place(f"record {at}", each) for at, each in enumerate(records, 1)]


def _rows(path: Path, text: str) -> list[Place]:
    """MMLU's files: question, four choices and a letter, without a header or with that one."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    places = []
    try:
        for row in reader:
            where = f"line {reader.line_num}"
            if not row or [cell.strip() for cell in row] == list(_MMLU):
                continue
            if len(row) != len(_MMLU) or row[-1].strip() not in ("A", "B", "C", "D"):
                raise ValueError(
                    f"{path}, {where} must be MMLU's question, four choices and A, B, C or D, got "
                    f"{len(row)} cells, the last {row[-1][:20]!r}"
                )
            record = {"question": row[0], "choices": row[1:5], "answer": row[-1].strip()}
            places.append(Place(where, record))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num} is no csv: {error}") from None
    return places


def _labels(path: Path, n: int) -> list[Record]:
    """For each record the fields that a file beside it adds."""
    beside = path.with_name(f"{path.stem}-labels.lst")
    if not beside.is_file():
        return [{}] * n
    labels = _text(beside).split()
    if len(labels) != n:
        raise ValueError(f"{beside} holds {len(labels)} labels for {n} records")
    return [{"label": label} for label in labels]


def _parse(path: Path, place: Place, *, added: Record, parse: Callable[[Record], T]) -> T:
    where, record = place
    if isinstance(record, str):
        try:
            record = json.loads(record)
        except (json.JSONDecodeError, RecursionError) as error:
            reason = getattr(error, "msg", "nested too deeply")
            raise ValueError(f"{path}, {where} is no JSON: {reason}") from None
    if not isinstance(record, dict):
        raise ValueError(f"{path}, {where} must be an object, got {type(record).__name__}")
    if record.keys() >= _COCO:
        raise ValueError(f"{path} is of COCO, whose boxes are not offered")
    try:
        return parse({**record, **added})
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}, {where}: {error}") from None
    except KeyError as error:
        raise ValueError(f"{path}, {where}: {error} is missing") from None
