"""The trace table: real payloads and real answers, the one contract with the simulator.

Rows are samples; the same `sample_id` stands at every cut and setting, so that settings are
paired and a policy may switch. Every column declares a unit and its dimensions, in the order of
`DIMS`. A (cut, setting) that does not exist is NaN in all of its rows.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from profiles.tables import archive, choices

DIMS = ("sample", "cut", "setting", "branch", "task", "channel", "token")
_UNITS = ("B", "s", "1", "nat", "bit")
_NOUN = {"B": "size", "s": "time"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """Unit ("B", "s", "1" for fractions and truth values, "nat", "bit") and dimensions."""

    unit: str
    dims: tuple[str, ...]

    def __post_init__(self) -> None:
        choices.position("column.unit", self.unit, _UNITS)
        order = [choices.position("column.dims", dim, DIMS) for dim in self.dims]
        if order != sorted(set(order)):
            raise ValueError(f"column.dims must follow the order {DIMS}, got {self.dims}")


@dataclass(frozen=True, kw_only=True, eq=False)
class TraceTable(archive.Stored):
    """Columns over (sample, cut, setting, ...) of one network.

    `axes` names the labels of the further dimensions (branch, task, channel, token);
    `provenance` holds the model's digest, the codec spec of every setting, the machine.

    Raises:
        ValueError: a column without schema or of a wrong shape, an infinite or negative byte or
            second, a NaN where the combination exists.
    """

    _KIND: ClassVar = "trace table"
    _VERSION: ClassVar = 1

    model: str
    cuts: tuple[str, ...]
    settings: tuple[str, ...]
    sample_ids: np.ndarray
    columns: Mapping[str, np.ndarray]
    schema: Mapping[str, Column]
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = np.array(self.sample_ids, np.int64)
        ids.setflags(write=False)
        object.__setattr__(self, "sample_ids", ids)
        if ids.ndim != 1 or not len(ids) or len(np.unique(ids)) != len(ids):
            raise ValueError(f"trace.sample_ids must be distinct and at least 1, got {ids.shape}")
        if set(self.schema) != set(self.columns):
            odd = sorted(set(self.schema) ^ set(self.columns))
            raise ValueError(f"trace.schema must name exactly the columns, differs in {odd}")
        columns = {name: self._check(name) for name in self.columns}
        object.__setattr__(self, "columns", columns)
        self._check_existence()

    def size(self, dim: str) -> int:
        """Length of a dimension."""
        lengths = {
            "sample": len(self.sample_ids),
            "cut": len(self.cuts),
            "setting": len(self.settings),
            **{name: len(labels) for name, labels in self.axes.items()},
        }
        return lengths[tuple(lengths)[choices.position("trace dimension", dim, tuple(lengths))]]

    def cell(self, column: str, cut: str, setting: str) -> np.ndarray:
        """Values of `column` at (cut, setting), shape [sample, ...]; all NaN where it is absent.

        A column without the cut or setting dimension is returned as it is.

        Raises:
            ValueError: an unknown column, cut or setting, with the nearest names.
        """
        names = tuple(self.columns)
        name = names[choices.position("trace column", column, names)]
        at = {
            "cut": choices.position("cut", cut, self.cuts),
            "setting": choices.position("setting", setting, self.settings),
        }
        index = tuple(at.get(dim, slice(None)) for dim in self.schema[name].dims)
        return np.asarray(self.columns[name][index])

    def exists(self, cut: str, setting: str) -> bool:
        """Whether rows were traced at (cut, setting)."""
        return not np.isnan(self.cell("payload_bytes", cut, setting)).any()

    def require(self, *, model_digest: str, codecs: Mapping[str, str], codec_version: int) -> None:
        """Refuse a table that was traced with another network or codec.

        Raises:
            ValueError: one line that says what has changed and what to do.
        """
        wanted = {
            "model digest": (self.provenance.get("model_digest"), model_digest),
            "codec format": (self.provenance.get("codec_version"), codec_version),
            "codec settings": (self.provenance.get("codecs"), dict(codecs)),
        }
        for what, (stored, given) in wanted.items():
            if stored != given:
                raise ValueError(
                    f"trace of {self.model}: its {what} was {stored!r} and is now {given!r};"
                    " trace it again"
                )

    def join(self, other: "TraceTable", settings: Sequence[str]) -> "TraceTable":
        """This table with further settings of another, at the cuts that both have.

        Raises:
            ValueError: other samples, or columns that do not fit.
        """
        if not np.array_equal(self.sample_ids, other.sample_ids):
            raise ValueError("trace.join needs a table of the same samples")
        cuts = tuple(cut for cut in self.cuts if cut in other.cuts)
        kept = tuple(name for name in self.settings if name not in settings)
        columns = {}
        for name, column in self.schema.items():
            mine = self._take(name, cuts, kept)
            if "setting" in column.dims:
                more = other._take(name, cuts, settings)
                mine = np.concatenate([mine, more], axis=column.dims.index("setting"))
            columns[name] = mine
        codecs = {
            name: spec
            for table, wanted in ((self, kept), (other, settings))
            for name, spec in table.provenance["codecs"].items()
            if name.partition("@")[0] in wanted
        }
        return replace(
            self,
            cuts=cuts,
            settings=(*kept, *settings),
            columns=columns,
            provenance={**self.provenance, "codecs": codecs},
        )

    def _take(self, name: str, cuts: Sequence[str], settings: Sequence[str]) -> np.ndarray:
        values, dims = self.columns[name], self.schema[name].dims
        for dim, known, wanted in (
            ("cut", self.cuts, cuts),
            ("setting", self.settings, settings),
        ):
            if dim in dims:
                values = np.take(values, [known.index(one) for one in wanted], dims.index(dim))
        return values

    def means(self) -> Iterator[dict[str, Any]]:
        """Means over samples (and tokens) of what is known at every cut and setting that exist."""
        names = [name for name, column in self.schema.items() if "setting" in column.dims]
        for cut, setting in itertools.product(self.cuts, self.settings):
            if self.exists(cut, setting):
                means = {name: float(np.mean(self.cell(name, cut, setting))) for name in names}
                known = {name: value for name, value in means.items() if not np.isnan(value)}
                yield {"model": self.model, "cut": cut, "setting": setting, **known}

    @classmethod
    def _build(cls, header: archive.Header, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(
            model=header["model"],
            cuts=tuple(header["cuts"]),
            settings=tuple(header["settings"]),
            sample_ids=arrays["sample_ids"],
            columns={
                name.removeprefix("column_"): array
                for name, array in arrays.items()
                if name.startswith("column_")
            },
            schema={
                name: Column(unit=column["unit"], dims=tuple(column["dims"]))
                for name, column in header["schema"].items()
            },
            axes={name: tuple(labels) for name, labels in header["axes"].items()},
            provenance=header["provenance"],
        )

    def _header(self) -> archive.Header:
        return {
            "model": self.model,
            "cuts": list(self.cuts),
            "settings": list(self.settings),
            "schema": {
                name: {"unit": column.unit, "dims": list(column.dims)}
                for name, column in self.schema.items()
            },
            "axes": {name: list(labels) for name, labels in self.axes.items()},
            "provenance": dict(self.provenance),
        }

    def _arrays(self) -> dict[str, np.ndarray]:
        named = {f"column_{name}": values for name, values in self.columns.items()}
        return {"sample_ids": self.sample_ids, **named}

    def _check(self, name: str) -> np.ndarray:
        column = self.schema[name]
        values = np.array(self.columns[name], np.float64)
        shape = tuple(self.size(dim) for dim in column.dims)
        if values.shape != shape:
            raise ValueError(f"trace column {name} must have shape {shape}, got {values.shape}")
        if np.isinf(values).any():
            raise ValueError(
                f"trace column {name} must be finite, got {values[np.isinf(values)][0]}"
            )
        if column.unit in ("B", "s") and (values < 0).any():
            raise ValueError(f"trace column {name} must be >= 0, got {values[values < 0][0]}")
        values.setflags(write=False)
        return values

    def _check_existence(self) -> None:
        """A byte or a second is NaN exactly where its (cut, setting) was never traced."""
        absent = np.isnan(self.columns["payload_bytes"]).any(axis=0) if self._is_paired() else None
        for name, column in self.schema.items():
            missing = np.isnan(self.columns[name])
            if column.unit not in ("B", "s") or "channel" in column.dims:
                continue  # not every setting reads what a channel damages
            if column.dims[:3] != ("sample", "cut", "setting") or absent is None:
                legal = not missing.any()
            else:
                wide = absent.reshape((*absent.shape[:2], -1)).any(axis=2)
                spread = wide.reshape(wide.shape + (1,) * (missing.ndim - 3))
                legal = bool((missing == spread[None]).all())
            if not legal:
                raise ValueError(
                    f"trace column {name} holds a NaN {_NOUN[column.unit]} where the row exists"
                )

    def _is_paired(self) -> bool:
        column = self.schema.get("payload_bytes")
        return column is not None and column.dims[:3] == ("sample", "cut", "setting")
