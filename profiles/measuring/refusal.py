"""Why a network cannot be exported, in one line: the operator, the line of code, what to do."""

import re
import traceback
from pathlib import Path
from types import TracebackType

import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, UnsupportedOperatorException

_DATA = (
    "its result depends on the data: replace it by torch.where or fixed shapes, "
    "or wrap the part after it in a module of its own"
)
_KERNEL = (
    "it has no fake kernel: register one with torch.library.register_fake, "
    "or replace it by torch's own operators"
)


def refusal(name: str, error: Exception, *, own: str, printed: str) -> str:
    """What stopped the export of the network `name`; frames of the file `own` are not the user's.

    Of several operators on the stack the innermost is named; without any the last one that torch
    `printed`, which is the one that made a number of data; without that the kind of the error.
    """
    last = re.findall(r"torch\.ops\.([\w.]+)", printed)[-1:]
    operator = _operator(error.__traceback__) or "".join(last) or type(error).__name__
    return f"{name} cannot be exported: {operator} stopped it{_where(error, own)}; {_advice(error)}"


def _operator(trace: TracebackType | None) -> str:
    operator = ""
    for frame, _ in traceback.walk_tb(trace):
        given = [frame.f_locals.get(name) for name in ("func", "self")]
        operator = next((str(x) for x in given if isinstance(x, torch._ops.OpOverload)), operator)
    return operator


def _where(error: Exception, own: str) -> str:
    library = str(Path(torch.__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(library) and frame.filename not in (own, __file__)
    ]
    if not frames:
        return ""
    last = frames[-1]
    return f' at {Path(last.filename).name}:{last.lineno} "{last.line}"'


def _advice(error: Exception) -> str:
    words = " ".join(str(error).split())
    kind = type(error).__name__
    if isinstance(error, DynamicOutputShapeException) or "DataDependent" in kind:
        return _DATA
    if "data-dependent" in words or "Dynamic control flow" in words:
        return _DATA
    if isinstance(error, UnsupportedOperatorException) or "fake impl" in words:
        return _KERNEL
    return f"torch says: {words[:160]}: run the network on its example input without exporting it"
