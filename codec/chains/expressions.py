"""Chains as one writes them on a command line: `ecsq`, `slicer(sparsity=0.8,entropy=rans)`."""

import ast
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_CALL = re.compile(r"(?P<name>[\w+]+)\s*(?:\((?P<options>.*)\))?")


class Rung(NamedTuple):
    """One setting of a ladder: its name in the table, the ladder's, and what was varied."""

    setting: str
    ladder: str
    option: str
    value: Any
    codec: dict[str, Any]


def rungs(ladders: Mapping[str, Mapping[str, Any]]) -> list[Rung]:
    """Every setting of every ladder.

    Raises:
        ValueError: a ladder without chain, or with two options that hold lists.
    """
    every: list[Rung] = []
    for name, ladder in ladders.items():
        if "chain" not in ladder:
            raise ValueError(f"ladder {name} must name its chain, got {dict(ladder)}")
        varied = [key for key, value in ladder.items() if isinstance(value, list)]
        if len(varied) > 1:
            raise ValueError(f"ladder {name} must vary one option, got {', '.join(varied)}")
        if not varied:
            every.append(Rung(name, name, "", None, dict(ladder)))
        for value in ladder[varied[0]] if varied else ():
            chosen = {**ladder, varied[0]: value}
            every.append(Rung(f"{name}({varied[0]}={value})", name, varied[0], value, chosen))
    return every


def expression(text: str) -> dict[str, Any]:
    """The chain and its options, the chain under "chain".

    >>> expression("klt+ecsq(relative_l2=[0.1,0.2],axis=-3)")
    {'chain': 'klt+ecsq', 'relative_l2': [0.1, 0.2], 'axis': -3}
    >>> expression("slicer(entropy=rans)")
    {'chain': 'slicer', 'entropy': 'rans'}

    Raises:
        ValueError: anything but a name with named options in brackets.
    """
    call = _CALL.fullmatch(text.strip())
    try:
        if call is None:
            raise SyntaxError
        inside = ast.parse(f"f({call['options'] or ''})", mode="eval").body
        assert isinstance(inside, ast.Call)
        if inside.args or any(word.arg is None for word in inside.keywords):
            raise SyntaxError
        options = {str(word.arg): _value(word.value) for word in inside.keywords}
    except (SyntaxError, ValueError):
        raise ValueError(
            f"a chain is written NAME or NAME(option=value,...), got {text!r}"
        ) from None
    return {"chain": call["name"], **options}


def _value(node: ast.expr) -> Any:
    """A literal; a bare word is a string."""
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "null": None}.get(node.id, node.id)
    return ast.literal_eval(node)
