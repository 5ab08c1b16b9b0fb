"""A file of the user: imported, its function called, and what goes wrong there in one line."""

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from profiles.tables.choices import unknown


def find(module: ModuleType, name: str) -> Any:
    """A function of a module.

    Raises:
        ValueError: it has none of this name.
    """
    found = getattr(module, name, None)
    if callable(found):
        return found
    raise ValueError(
        unknown("function", name, [n for n, v in vars(module).items() if _is_own(v, module)])
    )


def import_file(path: Path, source: bytes) -> ModuleType:
    """The module of a file; what it imports from its own folder is found there."""
    label = f"own_{hashlib.sha256(str(path).encode() + source).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(label, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[label] = module
    with _folder(path.parent), in_words("the file cannot be imported", path):
        spec.loader.exec_module(module)
    return module


def call(make: Any) -> Any:
    """What a function without arguments returns, drawn numbers of torch the same every time."""
    path = Path(make.__code__.co_filename) if hasattr(make, "__code__") else Path("?")
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), _folder(path.parent):
        torch.manual_seed(0)
        torch.set_num_threads(1)  # what it trains comes out the same on any number of cores
        try:
            with in_words(f"{getattr(make, '__name__', 'it')}() fails", path):
                return make()
        finally:
            torch.set_num_threads(before)


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """A folder behind all others in which Python looks for modules."""
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def in_words(what: str, path: Path) -> Iterator[None]:
    """Whatever the body raises in one line, with the line of the user's file."""
    try:
        yield
    except Exception as error:
        trace, at = error.__traceback__, ""
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(path):
                at = f" at {path.name}:{trace.tb_lineno}"
            trace = trace.tb_next
        if isinstance(error, SyntaxError):
            at = f" at {path.name}:{error.lineno}"
        first = next(iter(str(error).splitlines()), "")
        raise ValueError(f"{what}{at}: {type(error).__name__}: {first}") from None


def _is_own(value: object, module: ModuleType) -> bool:
    own = getattr(value, "__module__", None) == module.__name__
    return own and callable(value) and not isinstance(value, type)
