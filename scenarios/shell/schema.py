"""From dataclasses to Hydra's schema and back: the one place that knows OmegaConf's ways."""

import copyreg
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from scenarios.shell.names import unknown

# Hydra's launchers pickle the schemas whole. Two marks in them are compared by identity: that of a
# required field, and that of a field as such, without which the schema would have no fields there.
copyreg.pickle(type(dataclasses.MISSING), lambda _: "MISSING")
copyreg.pickle(type(dataclasses._FIELD), lambda mark: mark.name)  # type: ignore[attr-defined]


_type_hints = lru_cache(maxsize=256)(get_type_hints)
_EXPONENT = re.compile(r"\d+(\.\d*)?[eE]\+?\d{1,2}")


class Field(NamedTuple):
    """One field of a schema as the command line names it."""

    key: str
    type: str
    default: Any
    unit: str
    help: str


class _Store(dict[str, Any]):
    """Hydra's store of schemas. It is copied whole for every composition, although what is loaded
    from it is copied once more; so it stands for its own copy.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Store":
        return self


def register(name: str, schema: type) -> None:
    """Make `schema` known to Hydra as `NAME_schema`, for the defaults list of conf/NAME.yaml."""
    store = ConfigStore.instance()
    if not isinstance(store.repo, _Store):
        store.repo = _Store(store.repo)
    store.store(name=f"{name}_schema", node=thaw(schema))


def thaw(schema: type) -> DictConfig:
    """Return the structured node of a frozen dataclass, writable so that overrides can reach it.

    OmegaConf marks nodes made from frozen dataclasses read-only, also those that it makes later
    for a new key of a dict. The node is therefore made from a writable twin of the dataclass; the
    spec built at the end (`to_spec`) is the frozen one again.
    """
    node: DictConfig = OmegaConf.structured(_twin(schema))
    return node


@cache
def _twin(schema: type) -> type:
    """A dataclass of the same fields that is neither frozen nor checks itself."""
    hints = get_type_hints(schema)
    columns: list[Any] = [
        (f.name, _twin_type(hints[f.name]), _twin_field(f)) for f in dataclasses.fields(schema)
    ]
    twin = dataclasses.make_dataclass(schema.__name__, columns, kw_only=True)
    twin.__spec__ = schema  # type: ignore[attr-defined]
    return twin


def _twin_type(kind: Any) -> Any:
    """The annotation with every spec in it replaced by its twin."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return Union[tuple(_twin_type(each) for each in inner)]  # noqa: UP007 (made at run time)
    if origin in (dict, list):
        return origin[tuple(_twin_type(each) for each in inner)]
    is_spec: bool = dataclasses.is_dataclass(kind)
    return _twin(kind) if is_spec else kind


def _twin_field(field: dataclasses.Field[Any]) -> Any:
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return dataclasses.field()
    return dataclasses.field(default_factory=lambda: _convert(_default(field), _twin))


def _convert(value: Any, kind: Callable[[type], type]) -> Any:
    """A value with every dataclass in it rebuilt as `kind` of its class."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        content = {
            f.name: _convert(getattr(value, f.name), kind) for f in dataclasses.fields(value)
        }
        return kind(type(value))(**content)
    if isinstance(value, dict):
        return {key: _convert(each, kind) for key, each in value.items()}
    if isinstance(value, list):
        return [_convert(each, kind) for each in value]
    return value


def to_spec(config: DictConfig) -> Any:
    """Return the frozen dataclass that a composed configuration describes, validated.

    Raises:
        ValueError: what a spec's own `__post_init__` refused, or a required field without value.
    """
    missing = OmegaConf.missing_keys(config)
    if missing:
        raise ValueError(f"{sorted(missing)[0]} has no value and no default; set it")
    return _convert(OmegaConf.to_object(config), lambda twin: twin.__spec__)  # type: ignore[attr-defined]


def defaults(name: str) -> DictConfig:
    """Compose conf/NAME.yaml as it stands, without the command line; its schema is registered."""
    with hydra.initialize_config_module("conf", version_base="1.3"):
        return hydra.compose(name)


def fields(schema: type, prefix: str = "") -> Iterator[Field]:
    """Yield every leaf field below a dataclass with its key, type, default, unit and help."""
    hints = get_type_hints(schema)
    for field in dataclasses.fields(schema):
        key, kind = f"{prefix}{field.name}", hints[field.name]
        inner = spec_type(kind)
        if inner is not None and get_origin(kind) not in (dict, list):
            yield from fields(inner, f"{key}.")
            continue
        meta = field.metadata
        yield Field(
            key, _type_name(kind), _default(field), meta.get("unit", ""), meta.get("help", "")
        )


def spec_type(kind: Any) -> type | None:
    """The dataclass that a field of this type holds; None where it holds something else."""
    candidates = [kind, *get_args(kind)]
    return next(
        (c for c in candidates if isinstance(c, type) and dataclasses.is_dataclass(c)), None
    )


def _type_name(kind: Any) -> str:
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    return str(kind).replace("typing.", "").rsplit(".", 1)[-1] if spec_type(kind) else str(kind)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None


def replace_all(spec: Any, values: Mapping[str, Any]) -> Any:
    """Return `spec` with all dotted keys replaced at once, so that only the whole is validated.

    An int is accepted where the field is a float, and 1e4 where it is an int, as on the command
    line.

    Raises:
        ValueError: for an unknown key, or what a spec refused.
    """
    here: dict[str, Any] = {}
    below: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        head, _, rest = key.partition(".")
        if rest:
            below.setdefault(head, {})[rest] = value
        else:
            here[head] = value
    if isinstance(spec, dict):
        inner = {head: replace_all(_member(spec, head), rest) for head, rest in below.items()}
        return {**spec, **here, **inner}
    for head in here:
        _member(spec, head)
    kind: Any = type(spec)
    kinds = _type_hints(kind)
    changed = {head: _fit(value, kinds[head]) for head, value in here.items()}
    inner = {head: replace_all(_member(spec, head), rest) for head, rest in below.items()}
    return dataclasses.replace(spec, **changed, **inner)


def _fit(value: Any, kind: Any) -> Any:
    """A whole number as the field of this type wants it."""
    if type(value) is int and kind is float:
        return float(value)
    if type(value) is float and _counts(kind) and value.is_integer():
        return int(value)
    return value


def write_whole(schema: type, arguments: Sequence[str]) -> list[str]:
    """The arguments with 1e8 written out where a field of `schema` is an int: OmegaConf takes
    KEY=1e8 for a float.
    """
    counts = {key for key, kind in _kinds(schema) if _counts(kind)}
    written = []
    for word in arguments:
        key, sign, values = word.partition("=")
        if sign and key.lstrip("+") in counts:
            word = key + sign + ",".join(_write_out(value) for value in values.split(","))
        written.append(word)
    return written


def _write_out(text: str) -> str:
    if not _EXPONENT.fullmatch(text):
        return text
    value = float(text)
    return str(int(value)) if value.is_integer() else text


def _counts(kind: Any) -> bool:
    return kind is int or int in get_args(kind)


def _kinds(schema: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The type of every leaf field."""
    for name, kind in _type_hints(schema).items():
        inner = spec_type(kind)
        if inner is not None and get_origin(kind) not in (dict, list):
            yield from _kinds(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind


def check_key(spec: Any, key: str) -> None:
    """Raise ValueError, with the nearest names, if no field stands at the dotted `key`."""
    for part in key.split("."):
        spec = _member(spec, part, key)


def _member(spec: Any, name: str, key: str = "") -> Any:
    """The value of a field or dict entry; a dict may get new entries only of plain values."""
    kind: Any = type(spec)
    known = spec if isinstance(spec, dict) else field_names(kind)
    if name not in known:
        before = key.split(name)[0] if key else ""  # the path that leads to it
        raise ValueError(unknown("field", key or name, [f"{before}{other}" for other in known]))
    return spec[name] if isinstance(spec, dict) else getattr(spec, name)


@lru_cache(maxsize=256)
def field_names(kind: type) -> tuple[str, ...]:
    """Names of a dataclass's fields; none of another type."""
    return tuple(f.name for f in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()
