"""Rules that only some systems need, each compiled by itself when a system first does.

A rule that is called by its name is compiled into the kernel and costs everybody the time for that.
A room is a rule behind an address instead: the kernel finds it in a word behind the list of arrays
(sim.engine.tables), where `sim.engine.state` writes it for a system that needs the room. The call
costs about 2 ns, so a room begins where a rule does, not within its loops.
"""

import inspect
import os
import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_void_p, cast
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sim.compiling import Addressed
from sim.engine.tables import NAMES, word

NEEDS: dict[str, tuple[str, ...]] = {
    "wait_for_gap": ("gaps",),
    "choose": ("adapts",),
    "observe": ("adapts",),
    "hold": ("sessions",),
    "go_on": ("sessions",),
    "get_in": ("sessions",),
    "break_off": ("sessions", "churns"),
    "book_session": ("sessions",),
    "begin": ("fades",),
    "hear_turn": ("fades",),
    "move": ("fades",),
    "pass_block": ("fades",),
    "arrive": ("fades",),
    "leave_line": ("fades",),
    "forget_frames": ("fades",),
    "share": ("shared",),
    "finish_shared": ("shared",),
    "withdraw_shared": ("shared", "churns"),
    "set_shared_speed": ("shared", "varies"),
    "join": ("contended",),
    "finish_air": ("contended",),
    "withdraw_radio": ("contended", "churns"),
    "set_air_speed": ("contended", "varies"),
    "queue_up": ("queue",),
    "finish_queue": ("queue",),
    "withdraw_queued": ("queue", "churns"),
    "set_queue_speed": ("queue", "varies"),
    "hand_over": ("scheduled",),
    "finish_own": ("scheduled",),
    "finish_scheduled": ("scheduled",),
    "withdraw_own": ("scheduled", "churns"),
    "set_scheduled_speed": ("scheduled", "varies"),
    "change_speed": ("varies",),
    "silence_between": ("varies",),
    "answer_end_s": ("answers vary",),
    "receive": ("answers vary",),
    "send_answer": ("answers shared",),
    "book_answer": ("answers shared",),
    "decode": ("decodes",),
    "finish_decoding": ("decodes", "batches"),
    "start_batches": ("batches",),
    "iteration_s": ("batches", "sessions"),
    "fail": ("fails",),
    "next_failure": ("fails",),
    "wait_for_repair": ("fails",),
    "hear_repair": ("fails",),
    "come": ("churns",),
    "join_fleet": ("churns",),
    "leave_fleet": ("churns",),
}
"""Of every room what a system must have, all of it, for its rules to be called
(sim.engine.needs).
"""
_KINDS = {int: types.int64, float: types.float64, bool: types.boolean, None: types.none}
_rooms: dict[str, Addressed] = {}


def room(function: Callable[..., Any]) -> Any:
    """Compile a rule of whole numbers and floats for itself, when a system first needs it. What
    other compiled functions call by its name loads the address and calls that.
    """
    name, place = function.__name__, 3 * len(NAMES) + list(NEEDS).index(function.__name__)
    shape = inspect.signature(function)
    takes = tuple(_KINDS[each.annotation] for each in shape.parameters.values())
    gives = _KINDS[shape.return_annotation]
    _rooms[name] = Addressed(function, gives(*takes))

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(
            context.get_value_type(gives), [context.get_value_type(each) for each in takes]
        )
        address = builder.inttoptr(word(builder, args[0], place), kind.as_pointer())
        made = builder.call(address, args)
        return context.get_dummy_value() if gives is types.none else made

    def call(typing: Any, *given: Any) -> Any:
        return gives(*takes), lower

    first = inspect.Parameter("typing", inspect.Parameter.POSITIONAL_ONLY)
    given = [
        inspect.Parameter(each, inspect.Parameter.POSITIONAL_ONLY) for each in shape.parameters
    ]
    call.__signature__ = inspect.Signature([first, *given])  # type: ignore[attr-defined]
    return intrinsic(call)


def is_compiled(name: str) -> bool:
    """Whether this process has a room's code."""
    return _rooms[name].is_compiled


def address(name: str) -> int:
    """Where the code of a room is; compiles it, or takes it from the disk, where it has to."""
    return _rooms[name].address


def none_there(name: str) -> int:
    """The address of what stands in place of a room that a system does not need: says so and ends
    the process, since a rule that is not there cannot be gone round.
    """
    if name not in _absent:

        def stop() -> None:
            words = f"splitfleet: rule {name} was called, which needs {' and '.join(NEEDS[name])}"
            print(words, "(sim/engine/rooms.py)", file=sys.stderr, flush=True)
            os.abort()

        _absent[name] = CFUNCTYPE(None)(stop)
    return int(cast(_absent[name], c_void_p).value or 0)


_absent: dict[str, Any] = {}
