"""User mistakes as one line: Hydra's, OmegaConf's and our own errors in the same four words."""

import re
import shlex
from collections.abc import Callable, Sequence

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from scenarios.shell.groups import owners
from scenarios.shell.names import unknown

MISTAKES = (ValueError, HydraException, OmegaConfBaseException, OSError)
"""What a user can cause; anything else is a fault of ours and keeps its traceback."""

_FIELD = re.compile(r"Could not (?:override|append to config|delete from config).*?'([^']+)'")
_NO_FILE = re.compile(
    r"Could not find '([^']+)/([^'/]+)'\s+Available options in '[^']+':((?:\n\t\S+)*)"
)
_NO_GROUP = re.compile(r"Could not override '([^']+)'.\s+No match in the defaults list", re.S)
_EXPECTED = re.compile(r"Value '(.*)' of type '\w+' could not be converted to (\w+)")
_SEVERAL = re.compile(r"Ambiguous value for argument '(.+)'")
_FULL_KEY = re.compile(r"full_key: (\S+)")


Keys = Callable[[], Sequence[str]]


def one_line(error: BaseException, keys: Keys = tuple) -> str:
    """Return the message of `error` in one line: what, where, got and allowed.

    Args:
        error: what was raised; causes are searched for one of ours or of OmegaConf.
        keys: tells all valid override keys of the command, to name the nearest; asked only then.
    """
    text = _explain(error, keys)
    return re.sub(r"\s+", " ", text).strip()


def _explain(error: BaseException, keys: Keys) -> str:
    text = str(error)
    if match := _NO_GROUP.search(text):
        group = match[1].split("@")[0]
        if group in keys():
            return f"this command chooses {group} itself; it takes no file of {group}"
        return unknown("field", group, keys())
    if match := _NO_FILE.search(text):
        return unknown(match[1], match[2], match[3].split())
    if match := _FIELD.search(text):
        field = match[1].lstrip("+~")
        if "ValidationError" not in type(_innermost(error)).__name__:
            return _explain_field(field, keys)
    if match := _SEVERAL.search(text):
        key, _, value = match[1].partition("=")
        whole = shlex.quote(f'{key}="{value}"')
        return f"{match[1]!r} names several values: -m plays each, {whole} is one"
    if isinstance(error, OverrideParseException):
        return _explain_word(str(error.override), keys)
    cause = _innermost(error)
    where = _FULL_KEY.search(str(cause)) or _FULL_KEY.search(text)
    first = str(cause).split("\n", 1)[0]
    if isinstance(cause, OmegaConfBaseException) and where:
        if expected := _EXPECTED.search(first):
            return f"{where[1]} must be of type {expected[2].lower()}, got {expected[1]!r}"
        return f"{where[1]}: {first}"
    return first if not isinstance(cause, OSError) else _explain_system(cause)


def _explain_field(field: str, keys: Keys) -> str:
    """A field that nothing has, or that only other choices of its group have."""
    group, _, option = field.partition(".")
    if field in keys() and (others := owners(group, option)):
        having = ", ".join(others)
        return f"the chosen {group} has no option {option}; choices of {group} with it: {having}"
    if group == "codec" and (chains := _chains_with(option)):
        return f"{field} is named in no file; chains that take +{field}=VALUE: {', '.join(chains)}"
    return unknown("field", field, keys())


def _chains_with(option: str) -> list[str]:
    from codec.chains.registry import chains_with  # numba: not needed for any other mistake

    return chains_with(option)


def _explain_word(word: str, keys: Keys) -> str:
    """A word of the command line that the grammar of overrides refuses."""
    key, sign, value = word.partition("=")
    if sign and not key.isascii():
        return unknown("field", key, keys())
    if not sign or not value:
        return f"write KEY=VALUE, got {word!r}"
    if value.startswith(("[", "{")):
        return f"cannot read {word!r}: within brackets quote what holds = or commas: ['KEY=A,B']"
    bare = value.replace('"', "")
    whole = shlex.quote(f'{key}="{bare}"')
    return (
        f"cannot read {word!r}: a value with {_odd(bare)} is written in quotes of both kinds: "
        f"{whole}"
    )


def _odd(value: str) -> str:
    """What the grammar does not take in a bare value."""
    signs = [sign for sign in "={}[]()',;<>!#&`^~" if sign in value]
    return " ".join(signs) if signs else "letters beyond a-z" if not value.isascii() else "quotes"


def _explain_system(error: OSError) -> str:
    """What the system refused, with its file in front."""
    if error.errno is None or error.filename is None:
        return str(error)
    said = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
    return f"{error.filename}: {said}"


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ is not None and isinstance(error.__cause__, MISTAKES):
        error = error.__cause__
    return error
