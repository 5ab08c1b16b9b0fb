"""Chains at the error that a task bears: how methods compare where there are no answers to count.

On random weights nothing can be answered wrongly. Every chain with a knob (`topk`, `slicer`,
`ecsq`) is then set to the relative L2 at which the trained network of the same kind of task loses
1 pp (profiles/data/tolerance.csv); the fixed ones (`int8`, `int4`, `aiq`, `tabq`) keep what they
have, and every table states the error beside the method.
"""

from collections.abc import Collection, Sequence
from typing import Any

SUFFIX = "-1pp"


def settings_for(network: Any, chains: Sequence[str]) -> dict[str, Any]:
    """Codecs by setting name, `CHAIN-1pp` for each of `chains` that has a knob."""
    from codec.fitting import KNOBS
    from profiles.shipping import tolerance

    knobbed = [chain for chain in dict.fromkeys(chains) if chain in KNOBS]
    return {f"{chain}{SUFFIX}": tolerance.set_for(network, chain) for chain in knobbed}


def twin(setting: str, known: Collection[str]) -> str:
    """The setting of the same chain at that error, where the table has one; else itself."""
    equal = f"{setting}{SUFFIX}"
    return equal if equal in known else setting
