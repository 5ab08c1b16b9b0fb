"""Known: what a network and its samples are, remembered so that nobody loads torch to say it.

Most commands read shipped tables. Of the network they need its name, its stages and the digests of
its weights and samples, which take seconds to find out: torch, scikit-learn, the weights. So they
are kept in a folder, under a key of everything that they depend on: the text of all code that makes
networks and samples, the shipped weights, the versions of the libraries, the processor. Whoever
makes the network after all finds out whether what was remembered holds.

Networks and data of the user are never remembered: their files may change at any time.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from profiles.measuring.processor import processor
from profiles.tables.settings import samples_digest

_HOME = Path(__file__).parents[2]
_CODE = ("profiles/models", "profiles/tables", "npz")
_WEIGHTS = Path("profiles/data")
_PACKAGES = ("torch", "numpy", "scikit-learn", "pillow", "scipy")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of a network what its name, its cuts and its tables go by; see `profiles.models.Network`."""

    name: str
    stages: tuple[str, ...]
    digest: str
    task: str
    kind_of_input: str
    origin: str = ""


class Subject:
    """A network of which the facts are known; it is made when it is to be run."""

    def __init__(self, facts: Facts, make: Callable[[], Any]) -> None:
        self._facts, self._make = facts, make
        self.name, self.stages, self.digest = facts.name, facts.stages, facts.digest
        self.task, self.kind_of_input, self.origin = facts.task, facts.kind_of_input, facts.origin

    def __repr__(self) -> str:
        return f"Subject({self.name}, digest {self.digest})"

    @cached_property
    def network(self) -> Any:
        """The network itself.

        Raises:
            ValueError: it is not what was remembered of it.
        """
        made = self._make()
        if facts_of(made) != self._facts:
            raise ValueError(
                f"network {self.name}: its digest is {made.digest}, remembered was {self.digest};"
                " remove the files known-*.json in outputs/cache"
            )
        return made


def facts_of(network: Any) -> Facts:
    """What is remembered of a network."""
    return Facts(
        name=network.name, stages=tuple(network.stages), digest=network.digest, task=network.task,
        kind_of_input=network.kind_of_input, origin=network.origin,
    )  # fmt: skip


def subject(network: Any) -> Subject:
    """A network that was made already."""
    return Subject(facts_of(network), lambda: network)


def recall(folder: Path, name: str, make: Callable[[], Any]) -> Subject | None:
    """The shipped network of that name, by what `folder` keeps of it; None where it keeps nothing.

    `make` makes the network where it is to be run.
    """
    try:
        kept = json.loads(_path(folder, name).read_text(encoding="utf-8"))
        return Subject(Facts(**{**kept, "stages": tuple(kept["stages"])}), make)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(folder: Path, name: str, network: Any) -> Subject:
    """A shipped network that was made, after a note of what it is."""
    _keep(_path(folder, name), asdict(facts_of(network)))
    return subject(network)


def remember_samples(folder: Path, name: str, count: int, draw: Callable[[], Any]) -> str:
    """The digest of the first test samples of shipped data, by what `folder` keeps, else drawn."""
    path = _path(folder, name, f"-{count}")
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["samples_digest"])
    except (OSError, ValueError, KeyError, TypeError):
        digest = samples_digest(*draw())
        _keep(path, {"samples_digest": digest})
        return digest


@cache
def _key(name: str) -> str:
    """Digest of all that makes the network of that name and its samples what they are."""
    total = hashlib.sha256(f"{name}|{platform.system()}|{processor()}|".encode())
    for package in _PACKAGES:
        total.update(f"{package}={_version(package)}|".encode())
    files = [file for folder in _CODE for file in (_HOME / folder).rglob("*.py")]
    files += (_HOME / _WEIGHTS / "weights").glob(f"{name}[.-]*")
    files += (_HOME / _WEIGHTS / "classes").glob("*")
    for file in sorted(files):
        content = file.read_bytes()
        total.update(f"{file.relative_to(_HOME).as_posix()}|{len(content)}|".encode())
        total.update(content)
    return total.hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _path(folder: Path, name: str, count: str = "") -> Path:
    return folder / f"known-{name}-{_key(name)}{count}.json"


def _keep(path: Path, content: dict[str, Any]) -> None:
    """Write it whole or not at all; where nothing can be written it is found out every time."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
