# mypy: disable-error-code="no-untyped-call,untyped-decorator"
"""Arrays of which no index counts from the end.

Numba asks of every index that has a sign whether it is below 0, and if so counts from the end: two
or three steps more for each access, a tenth to a fifth of the kernels' time. One without a sign is
taken as it is. Here a type of array takes every index so; nothing else is different.
"""

import operator
from typing import Any

from numba import types
from numba.core.datamodel import models
from numba.core.typing.templates import signature
from numba.extending import lower_builtin, register_model


class Table(types.Array):
    """An array of 64-bit numbers in C order, and the rows that are views of it."""

    def __init__(self, dtype: Any, ndim: int, layout: Any = "C") -> None:
        super().__init__(dtype, ndim, layout, name=f"table({dtype}, {ndim}d, {layout})")

    def copy(
        self,
        dtype: Any = None,
        ndim: int | None = None,
        layout: Any = None,
        readonly: bool | None = None,
    ) -> Any:
        """The type of a view of it."""
        ndim = self.ndim if ndim is None else ndim
        return Table(dtype or self.dtype, ndim, layout or self.layout)


register_model(Table)(models.ArrayModel)


def _as_array(kind: Any) -> Any:
    """The type that Numba knows, with the same words in the same places."""
    return types.Array(kind.dtype, kind.ndim, kind.layout) if isinstance(kind, Table) else kind


def _unsigned(index: Any) -> Any:
    """An index, or several, without a sign."""
    if isinstance(index, types.BaseTuple):
        each: Any = index
        return types.Tuple([_unsigned(one) for one in each])
    return types.uintp if index == types.intp else index


@lower_builtin(operator.getitem, Table, types.Integer)
@lower_builtin(operator.getitem, Table, types.BaseTuple)
def _get(context: Any, builder: Any, asked: Any, args: Any) -> Any:
    kind, index = asked.args
    known = signature(_as_array(asked.return_type), _as_array(kind), _unsigned(index))
    return context.get_function(operator.getitem, known)(builder, args)


@lower_builtin(operator.setitem, Table, types.Integer, types.Any)
@lower_builtin(operator.setitem, Table, types.BaseTuple, types.Any)
def _set(context: Any, builder: Any, asked: Any, args: Any) -> Any:
    kind, index, value = asked.args
    known = signature(types.none, _as_array(kind), _unsigned(index), value)
    return context.get_function(operator.setitem, known)(builder, args)
