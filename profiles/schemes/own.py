"""Schemes and transports from files of the user: `scheme=path/to/file.py:make`.

    def make(model, **options):
        return Scheme(name="mine", model=model, network=..., cut="stage2", samples=..., ...)

`model` is the name that the command line gives, `options` the other keys of `scheme`. A transport
is made of the link: `transport=path/to/file.py:make`, `def make(link): return Mine(...)`.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from profiles.models.own.source import find, import_file, in_words
from profiles.tables import own


def make_own(what: str, name: str, kind: Any, *given: Any, **options: Any) -> Any:
    """What a function of the user makes, of some `kind`; `what` it is called on a command line.

    Raises:
        ValueError: no such file or function, one that fails, or what it returns is of another kind.
    """
    if not own.is_own(name):
        raise ValueError(f"{what} must be FILE.py:FUNCTION, got {name!r}")
    path, function = own.place(name)
    if not path.is_file():
        raise ValueError(f"{what}={name}: no such file")
    try:
        maker = partial(_find(path.resolve(), function, path.read_bytes()), *given, **options)
        with in_words(f"{function}() fails", path.resolve()):
            made = maker()
    except ValueError as error:
        raise ValueError(f"{what}={name}: {error}") from None
    if not isinstance(made, kind):
        raise ValueError(
            f"{what}={name}: {function}() must return a profiles.schemes.{kind.__name__}, got"
            f" {type(made).__name__}"
        )
    return made


@lru_cache(maxsize=4)
def _find(path: Path, function: str, source: bytes) -> Any:
    return find(import_file(path, source), function)
