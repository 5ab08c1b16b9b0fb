"""The arrays of a plain loop, as compiled functions see them (sim.engine.tables)."""

from functools import partial
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from sim.engine import layout as of_all
from sim.engine import tables
from sim.engine.loops import layout
from sim.engine.tables import ASKED

NAMES = (
    "f", "sf", "sn", "mf", "mn", "loops", "loop_n", "slots", "slot_n", "free", "costs", "shared",
    "kinds", "tails", "cf", "cn", "due", "tags", "turns", "members", "lots", "stretches", "chains",
    "list_at", "list_key", "sort_at", "sort_key", "sort_n", "row_u", "drawn", "core_at", "core_who",
    "back_at", "back_who", "gpus", "cores", "batch_n", "batch_at", "batch_end", "work", "parts",
    "records",
)  # fmt: skip

table = partial(tables.table, names=NAMES)

_TO_WRITE, _TO_STAY, _OF_DATA = 1, 3, 1


def _fetch(typing: Any, rows: Any, row: Any, column: Any) -> Any:
    """Have the cache line of an entry of a table come, so that it is there when it is needed."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        made = make_array(kind)(context, builder, args[0])  # type: ignore[no-untyped-call]
        strides = cgutils.unpack_tuple(builder, made.strides)  # type: ignore[no-untyped-call]
        offset = builder.add(builder.mul(args[1], strides[0]), builder.mul(args[2], strides[1]))
        byte = builder.bitcast(made.data, cgutils.voidptr_t)
        word, whole = ir.IntType(32), [cgutils.voidptr_t, *3 * [ir.IntType(32)]]
        called = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, ir.FunctionType(ir.VoidType(), whole), "llvm.prefetch.p0"
        )
        how = [ir.Constant(word, each) for each in (_TO_WRITE, _TO_STAY, _OF_DATA)]
        builder.call(called, [builder.gep(byte, [offset]), *how])
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64), lower


fetch: Any = intrinsic(_fetch)


f = table("f")
sf = table("sf")
sn = table("sn", whole=True)
mf = table("mf")
mn = table("mn", whole=True)
loops = table("loops", layout.N_LOOP, rows=ASKED)
loop_n = table("loop_n", layout.N_LOOP, whole=True)
slots = table("slots", layout.N_SLOT, rows=ASKED)
slot_n = table("slot_n", layout.N_SLOT, whole=True)
free = table("free", whole=True)
costs = table("costs", layout.N_COST)
shared = table("shared", layout.N_SHARED)
kinds = table("kinds", layout.N_KIND)
tails = table("tails", ASKED)
cf = table("cf", of_all.N_CELL_FLOATS)
cn = table("cn", of_all.N_CELL_WHOLE, whole=True)
due = table("due", rows=ASKED)
tags = table("tags", ASKED)
turns = table("turns", ASKED, whole=True)
members = table("members", ASKED, whole=True)
lots = table("lots", layout.N_LOTS)
stretches = table("stretches", ASKED)
chains = table("chains", whole=True, rows=ASKED)
list_at = table("list_at", rows=ASKED)
list_key = table("list_key", whole=True)
sort_at = table("sort_at", rows=ASKED)
sort_key = table("sort_key", whole=True)
sort_n = table("sort_n", whole=True)
row_u = table("row_u")
drawn = table("drawn", 2 * layout.N_DRAWN, rows=ASKED)
core_at = table("core_at", rows=ASKED)
core_who = table("core_who", whole=True)
back_at = table("back_at", rows=ASKED)
back_who = table("back_who", whole=True)
gpus = table("gpus", rows=ASKED)
cores = table("cores", rows=ASKED)
batch_n = table("batch_n", whole=True)
batch_at = table("batch_at")
batch_end = table("batch_end", rows=ASKED)
work = table("work")
parts = table("parts")
records = table("records", layout.N_KEPT, rows=ASKED)
