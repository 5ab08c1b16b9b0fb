"""SplitLLM-like (arXiv 2410.10759): dynamic programming over the layers under an SLA on latency.

Walks the cuts from the input; at each the rest stays on the device for one layer more, or the
tensor crosses under some setting and the server does the rest. f(l, t) is the least server seconds
from cut l with t ticks of the SLA left:

  f(l, t) = min( f(l + 1, t - device ticks of layer l + 1),
                 min over theta with crossing ticks <= t of decode + tail ).

One device and no contention: the SLA holds its times alone.
"""

import numpy as np

from sim.search.decision import Decision
from sim.search.lone import decide_groups
from sim.search.predict import Predictor
from sim.search.problem import Floats, Problem

_TICKS = 2000


def search(problem: Problem) -> Decision:
    """Least server seconds of one device alone within the latency limit, in 2,000 ticks."""
    return decide_groups("splitllm", problem, _plan, n_devices=1)


def _plan(predictor: Predictor) -> int | None:
    """The programme per sequence length; each option is looked at once."""
    group = predictor.problem.groups[0]
    options, limits = group.options, group.limits
    fits = (options.drop_pp <= limits.drop_pp) & (options.memory_bytes <= limits.memory_bytes)
    predictor.evaluations += len(options)
    alone, cost = predictor.alone(0), predictor.objective[0]
    sla_s = min(limits.latency_s, float(alone.max()) * 2.0)
    best: tuple[float, int] | None = None
    for tokens in np.unique(options.tokens):
        rows = np.flatnonzero((options.tokens == tokens) & fits)
        if not len(rows):
            continue
        cuts = np.unique(options.depth[options.tokens == tokens])
        head_s = np.array(
            [options.device_s[(options.tokens == tokens) & (options.depth == cut)].min()
             for cut in cuts]
        )  # fmt: skip
        at_cut = np.searchsorted(cuts, options.depth[rows])
        best_at = cheapest(head_s, at_cut, alone[rows] - head_s[at_cut], cost[rows], sla_s)
        if best_at is not None and (best is None or cost[rows[best_at]] < best[0]):
            best = (float(cost[rows[best_at]]), int(rows[best_at]))
    return None if best is None else best[1]


def cheapest(
    head_s: Floats, cut: np.ndarray, crossing_s: Floats, cost_s: Floats, sla_s: float
) -> int | None:
    """The crossing of least cost whose path fits the SLA, or None.

    `head_s` [cut] is the device's time to reach each cut, ascending; crossing i leaves at `cut[i]`
    and takes `crossing_s[i]` until the answer. Times are rounded up to ticks, so that what fits in
    ticks fits in seconds.
    """
    tick_s = sla_s / _TICKS
    layers = np.ceil(np.diff(head_s, prepend=0.0) / tick_s - 1e-9).astype(int)
    crossing = np.ceil(crossing_s / tick_s - 1e-9).astype(int)
    value = np.full(_TICKS + 1, np.inf)
    choice = np.full(_TICKS + 1, -1)
    for at in range(len(head_s) - 1, -1, -1):
        for i in np.flatnonzero(cut == at):
            if crossing[i] <= _TICKS:
                left = slice(max(0, crossing[i]), None)
                better = cost_s[i] < value[left]
                value[left][better], choice[left][better] = cost_s[i], i
        used = min(layers[at], _TICKS + 1)
        value = np.concatenate([np.full(used, np.inf), value[: _TICKS + 1 - used]])
        choice = np.concatenate([np.full(used, -1), choice[: _TICKS + 1 - used]])
    return int(choice[-1]) if choice[-1] >= 0 else None
