"""User mistakes as one line: Hydra's, OmegaConf's and our own errors in the same four words."""

import re
from collections.abc import Iterable

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from scenarios.shell.names import unknown

MISTAKES = (ValueError, HydraException, OmegaConfBaseException, OSError)
"""What a user can cause; anything else is a fault of ours and keeps its traceback."""

_FIELD = re.compile(r"Could not (?:override|append to config|delete from config).*?'([^']+)'")
_NO_FILE = re.compile(
    r"Could not find '([^']+)/([^'/]+)'\s+Available options in '[^']+':((?:\n\t\S+)*)"
)
_NO_GROUP = re.compile(r"Could not override '([^']+)'.\s+No match in the defaults list", re.S)
_EXPECTED = re.compile(r"Value '(.*)' of type '\w+' could not be converted to (\w+)")
_SYNTAX = re.compile(r"no viable alternative|mismatched input|extraneous input")
_FULL_KEY = re.compile(r"full_key: (\S+)")


def one_line(error: BaseException, keys: Iterable[str] = ()) -> str:
    """Return the message of `error` in one line: what, where, got and allowed.

    Args:
        error: what was raised; causes are searched for one of ours or of OmegaConf.
        keys: all valid override keys of the command, to name the nearest.
    """
    text = _explain(error, list(keys))
    return re.sub(r"\s+", " ", text).strip()


def _explain(error: BaseException, keys: list[str]) -> str:
    text = str(error)
    if match := _NO_GROUP.search(text):
        return unknown("field", match[1].split("@")[0], keys)
    if match := _NO_FILE.search(text):
        return unknown(match[1], match[2], match[3].split())
    if match := _FIELD.search(text):
        field = match[1].lstrip("+~")
        if "ValidationError" not in type(_innermost(error)).__name__:
            return unknown("field", field, keys)
    if _SYNTAX.search(text):
        first = text.split("\n", 1)[0]
        return f"{first}; within brackets quote what holds = or commas: ['KEY=A,B']"
    cause = _innermost(error)
    where = _FULL_KEY.search(str(cause)) or _FULL_KEY.search(text)
    first = str(cause).split("\n", 1)[0]
    if isinstance(cause, OmegaConfBaseException) and where:
        if expected := _EXPECTED.search(first):
            return f"{where[1]} must be of type {expected[2].lower()}, got {expected[1]!r}"
        return f"{where[1]}: {first}"
    return first if not isinstance(cause, OSError) else text


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ is not None and isinstance(error.__cause__, MISTAKES):
        error = error.__cause__
    return error
