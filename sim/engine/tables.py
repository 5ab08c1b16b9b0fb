"""The arrays of a run, as compiled functions see them.

A function that takes ten arrays costs 80 ns a call. What is compiled here takes one whole number
instead, the address of a list, and looks up in it the arrays that it needs: `df(p)` is the table of
devices. So rules can be functions of their own, named after their twins, and a call costs next to
nothing. `sim.engine.state` makes the list, keeps the arrays alive and renews it whenever one of
them has moved.
"""

from collections.abc import Sequence
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from sim.engine import layout
from sim.engine.indexing import Table

NAMES = (
    "f", "n", "sf", "sn", "at", "key", "ring", "hops", "hop_code", "df", "dn", "gf", "gn", "qf",
    "qn", "rows", "tails", "cf", "cn", "members", "ratios", "sizes", "waiting", "batches",
    "batch_n", "batch_at", "batch_turn", "batch_share", "gpus", "cores", "cored", "work", "parts",
    "records", "loads", "times", "radios", "law", "ways", "fades", "fading", "frames", "schemes",
    "lanes", "lane_n", "lane_of", "gains", "changes", "silences", "failures", "belts", "belt_at",
    "belt_key", "belt_head", "churns", "stays", "crew", "mates", "policies", "options", "minds",
    "talk", "talk_n", "sessions", "limits", "asked", "steps", "iterations", "knots", "together",
)  # fmt: skip
"""Of the arrays in the list, which has three words for each: address, rows and columns."""
_MANY = 1 << 40
"""Rows that no index is beyond, where nobody asks how many there are."""
ASKED = -1


def word(builder: Any, address: Any, place: int) -> Any:
    """Word number `place` at an address. The list does not change while compiled code runs, so that
    it need not be read again after every write.
    """
    base = builder.inttoptr(address, cgutils.intp_t.as_pointer())
    found = builder.load(builder.gep(base, [cgutils.intp_t(place)]))
    found.set_metadata("invariant.load", builder.module.add_metadata([]))
    return found


def table(
    name: str,
    *columns: int,
    whole: bool = False,
    rows: int = _MANY,
    names: Sequence[str] = NAMES,
) -> Any:
    """The function of the list's address that gives the array `name` of `names`, of so many columns
    if any; ASKED: as many as stand in the list.
    """
    kind = Table(types.int64 if whole else types.float64, 1 + len(columns))
    place = 3 * names.index(name)

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = args[0]
        made = make_array(kind)(context, builder)  # type: ignore[no-untyped-call]
        pointer = builder.inttoptr(word(builder, address, place), made.data.type)
        item = context.get_constant(types.intp, 8)
        shape = [
            word(builder, address, place + 1 + axis)
            if length == ASKED
            else context.get_constant(types.intp, length)
            for axis, length in enumerate((rows, *columns))
        ]
        strides = [builder.mul(item, shape[1]), item] if columns else [item]
        populate_array(  # type: ignore[no-untyped-call]
            made, pointer, shape, strides, item, None
        )
        return made._getvalue()

    @intrinsic
    def view(typing: Any, p: Any) -> Any:
        return kind(types.int64), lower

    return view


f = table("f")
n = table("n", whole=True)
sf = table("sf")
sn = table("sn", whole=True)
at = table("at", rows=ASKED)
key = table("key", 3, whole=True, rows=ASKED)
ring = table("ring", 2, whole=True, rows=ASKED)
hops = table("hops", rows=ASKED)
hop_code = table("hop_code", whole=True)
df = table("df", layout.N_DEVICE_FLOATS)
dn = table("dn", layout.N_DEVICE_WHOLE, whole=True, rows=ASKED)
gf = table("gf", layout.N_GROUP_FLOATS)
gn = table("gn", layout.N_GROUP_WHOLE, whole=True)
qf = table("qf", layout.N_SLOT_FLOATS)
qn = table("qn", layout.N_SLOT_WHOLE, whole=True)
rows = table("rows", layout.N_ROW)
tails = table("tails", ASKED)
cf = table("cf", layout.N_CELL_FLOATS)
cn = table("cn", layout.N_CELL_WHOLE, whole=True)
members = table("members", ASKED, whole=True)
ratios = table("ratios", ASKED, rows=ASKED)
sizes = table("sizes", ASKED, whole=True)
waiting = table("waiting", whole=True, rows=ASKED)
batches = table("batches", ASKED, whole=True)
batch_n = table("batch_n", whole=True)
batch_at = table("batch_at")
batch_turn = table("batch_turn", whole=True)
batch_share = table("batch_share")
gpus = table("gpus", rows=ASKED)
cores = table("cores", rows=ASKED)
cored = table("cored", whole=True, rows=ASKED)
work = table("work")
parts = table("parts")
records = table("records", ASKED, rows=ASKED)
loads = table("loads", layout.N_LOAD)
times = table("times")
radios = table("radios", layout.N_RADIO, whole=True)
law = table("law", ASKED, rows=ASKED)
ways = table("ways", layout.N_WAY)
fades = table("fades", layout.N_FADE_FLOATS)
fading = table("fading", layout.N_FADE_WHOLE, whole=True)
frames = table("frames", layout.N_FRAME, whole=True)
schemes = table("schemes", 2, rows=ASKED)
lanes = table("lanes", layout.N_LANE_FLOATS)
lane_n = table("lane_n", whole=True)
lane_of = table("lane_of", whole=True)
gains = table("gains", ASKED)
changes = table("changes", layout.N_CHANGE)
silences = table("silences", layout.N_SILENCE)
failures = table("failures", rows=ASKED)
belts = table("belts", layout.N_BELT, whole=True)
belt_at = table("belt_at", rows=ASKED)
belt_key = table("belt_key", 2, whole=True)
belt_head = table("belt_head")
churns = table("churns", layout.N_CHURN)
stays = table("stays", layout.N_STAY)
crew = table("crew", layout.N_MEMBER, whole=True)
mates = table("mates", layout.N_MATE, whole=True)
policies = table("policies", layout.N_POLICY)
options = table("options", layout.N_OPTION)
minds = table("minds", layout.N_MIND)
talk = table("talk", layout.N_TALK_FLOATS)
talk_n = table("talk_n", layout.N_TALK_WHOLE, whole=True)
sessions = table("sessions", layout.N_SESSION, whole=True)
limits = table("limits", layout.N_LIMIT)
asked = table("asked", layout.N_ASKED, whole=True)
steps = table("steps", ASKED, rows=ASKED)
iterations = table("iterations", layout.N_ITERATION)
knots = table("knots")
together = table("together", ASKED)
