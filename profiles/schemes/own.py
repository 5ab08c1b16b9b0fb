"""A scheme from a file of the user: `scheme=path/to/file.py:make`.

    def make(model, **options):
        return Scheme(name="mine", model=model, network=..., cut="stage2", samples=..., ...)

`model` is the name that the command line gives, `options` the other keys of `scheme`.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from profiles.models.own.source import find, import_file, in_words
from profiles.schemes.scheme import Scheme
from profiles.tables import own


def make(name: str, model: str, **options: Any) -> Scheme:
    """What the user's function makes.

    Raises:
        ValueError: no such file or function, one that fails, or what it returns is no scheme.
    """
    path, function = own.place(name)
    if not path.is_file():
        raise ValueError(f"scheme={name}: no such file")
    try:
        maker = partial(_find(path.resolve(), function, path.read_bytes()), model, **options)
        with in_words(f"{function}() fails", path.resolve()):
            made = maker()
    except ValueError as error:
        raise ValueError(f"scheme={name}: {error}") from None
    if not isinstance(made, Scheme):
        raise ValueError(
            f"scheme={name}: {function}() must return a profiles.schemes.Scheme, got"
            f" {type(made).__name__}"
        )
    return made


@lru_cache(maxsize=4)
def _find(path: Path, function: str, source: bytes) -> Any:
    return find(import_file(path, source), function)
