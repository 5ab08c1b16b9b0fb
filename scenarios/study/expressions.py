"""Chains as one writes them on a command line: `ecsq`, `slicer(sparsity=0.8,entropy=rans)`."""

import ast
import re
from typing import Any

_CALL = re.compile(r"(?P<name>[\w+]+)\s*(?:\((?P<options>.*)\))?")


def expression(text: str) -> dict[str, Any]:
    """The chain and its options, as a ladder of `scenarios.study.ladder` names them.

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
