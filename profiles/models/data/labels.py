"""From the name of a class to the output of the network that stands for it.

A folder of images names its classes; which of them a network's output 17 means, the names have to
say, never their place in a listing: a missing or an additional folder would shift them all.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

IMAGENET = Path(__file__).parents[2] / "data" / "classes" / "imagenet1k.txt"
LIST = "classes.txt"
_BACKGROUND = "background"
_FIRST = "tench"
_DRAWN = re.compile(r"LABEL_\d+")
_WORDNET = re.compile(r"n\d{8}")

Outputs = dict[str, int]


def outputs_of(
    names: Sequence[str], n_outputs: int, *, labels: Mapping[int, str], data: Path
) -> Outputs:
    """The output of every class in `names`, by the first way that knows all of them.

    1. `data`/classes.txt: a line per output, the class's name, or its WordNet id and more words;
    2. `labels`, the checkpoint's id2label: by whole label, or by one of its names between commas;
    3. WordNet ids, where the network has ImageNet's outputs (1,000, or a background before them);
    4. whole numbers, which are outputs, the first being 0.

    Raises ValueError in one line where no way knows all classes.
    """
    listed = data / LIST
    if listed.is_file():
        return _checked(names, _of_list(listed, n_outputs), f"line of {listed}", n_outputs)
    ways = (_of_labels(labels), _of_wordnet(n_outputs, labels), _of_numbers(names, n_outputs))
    for known in ways:
        if all(known.get(_plain(name), -1) >= 0 for name in names):
            return {name: known[_plain(name)] for name in names}
    best = max(ways, key=lambda known: sum(_plain(name) in known for name in names))
    return _checked(names, best, "output", n_outputs)


def labels_of(weights: str) -> tuple[int, dict[int, str]]:
    """Number of outputs and id2label of the checkpoint in the folder `weights`.

    ImageNet's 1,000 outputs without names where no config.json lies there (*.pth).
    Raises ValueError in one line for a config.json whose labels are not 0, 1, 2, ...
    """
    path = Path(weights) / "config.json"
    if not weights or not path.is_file():
        return len(_wordnet()), {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        given = {int(key): str(label) for key, label in (config.get("id2label") or {}).items()}
        n_outputs = len(given) or int(config.get("num_labels") or 2)  # transformers' own default
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is no readable configuration: {error}") from None
    if sorted(given) != list(range(len(given))):
        raise ValueError(f"{path}: id2label must name the outputs 0, 1, 2, ..., got {len(given)}")
    drawn = all(_DRAWN.fullmatch(label) for label in given.values())
    return n_outputs, {} if drawn else given


def _checked(names: Sequence[str], known: Outputs, where: str, n_outputs: int) -> Outputs:
    """The output of every name; ValueError that shows the first names without one."""
    strange = [name for name in names if known.get(_plain(name), -1) < 0]
    if strange:
        twice = "stands for two outputs" if _plain(strange[0]) in known else f"is no {where}"
        raise ValueError(
            f"class {strange[0]!r} {twice} ({len(strange)} of {len(names)} classes, the network "
            f"has {n_outputs:,} outputs): name the folders as the checkpoint's id2label does, by "
            f"WordNet ids or by numbers from 0, or list the classes in {LIST}, one line an output"
        )
    return {name: known[_plain(name)] for name in names}


def _of_list(path: Path, n_outputs: int) -> Outputs:
    """Every line's name, and the WordNet id that it begins with, as LOC_synset_mapping.txt does."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error.reason}") from None
    lines = [line.strip() for line in text.rstrip().split("\n")]
    if len(lines) != n_outputs or not all(lines):
        raise ValueError(
            f"{path} must have a line for each of the network's {n_outputs:,} outputs, got "
            f"{sum(map(bool, lines)):,}"
        )
    whole = _index(lines, lambda line: [line])
    return {**_index(lines, lambda line: _WORDNET.findall(line.split()[0])), **whole}


def _of_labels(labels: Mapping[int, str]) -> Outputs:
    ordered = [labels[output] for output in range(len(labels))]
    parts = _index(ordered, lambda label: label.split(",") if "," in label else [])
    return {**parts, **_index(ordered, lambda label: [label])}


def _of_wordnet(n_outputs: int, labels: Mapping[int, str]) -> Outputs:
    """ImageNet's ids where the outputs are ImageNet's; with a background they start at 1."""
    shift = n_outputs - len(_wordnet())
    if shift not in (0, 1) or (shift == 1 and _plain(labels.get(0, "")) != _BACKGROUND):
        return {}
    first = _plain(labels.get(shift, _FIRST))
    if not (first.startswith(_FIRST) or first == _plain(_wordnet()[0])):
        return {}
    return {name: output + shift for output, name in enumerate(_wordnet())}


def _of_numbers(names: Sequence[str], n_outputs: int) -> Outputs:
    numbers = {name: int(name) for name in names if name.isascii() and name.isdigit()}
    if len(set(numbers.values())) < len(numbers):  # 1 and 01
        return {}
    return {_plain(name): at for name, at in numbers.items() if at < n_outputs}


def _index(labels: Sequence[str], split: Callable[[str], list[str]]) -> Outputs:
    """Outputs by name; -1 where two have the same."""
    found: Outputs = {}
    for output, label in enumerate(labels):
        for name in {_plain(part) for part in split(label)}:
            found[name] = -1 if name in found else output
    return found


def _plain(name: str) -> str:
    """As names are compared: small letters, single blanks, no underscores or hyphens."""
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


@cache
def _wordnet() -> tuple[str, ...]:
    lines = IMAGENET.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if _WORDNET.fullmatch(line))
