"""Size models and loss proxies of stored tables, and options whose sizes are predicted by them."""

from dataclasses import replace

import numpy as np

from profiles.tables.theta import theta_of
from profiles.tables.trace import TraceTable
from sim.search.problem import Options
from sim.search.size import LossProxy, SizeModel


def size_models(table: TraceTable, *, prompt: bool = False) -> dict[str, SizeModel]:
    """The size model of every cut; of a generation, of its tokens or of its prompt."""
    steps = (
        (Ellipsis,) if "token" not in table.axes else (Ellipsis, 0 if prompt else slice(1, None))
    )
    found = {}
    for cut in _inner(table):
        names = _settings(table, cut)
        sizes = [table.cell("payload_bytes", cut, name)[steps].mean() for name in names]
        found[cut] = SizeModel.fit(np.array([_knobs(n) for n in names]), np.array(sizes))
    return found


def loss_proxies(table: TraceTable) -> dict[str, LossProxy]:
    """The loss proxy of every cut: answers lost against no codec, or tokens that differ."""
    column = "agree" if "token" in table.axes else "correct"
    found = {}
    for cut in _inner(table):
        names = _settings(table, cut)
        errors = np.array([table.cell("relative_l2", cut, name).mean() for name in names])
        right = np.array([table.cell(column, cut, name).mean() for name in names])
        found[cut] = LossProxy.fit(errors, 100.0 * (_whole(table) - right))
    return found


def with_predicted_sizes(table: TraceTable, options: Options) -> Options:
    """The same options, every theta's payload as its cut's size model predicts it."""
    payload_bytes = _predict(options, options.payload_bytes, size_models(table))
    first = options.first
    if first is not None:
        prompts = _predict(options, first.payload_bytes, size_models(table, prompt=True))
        first = replace(first, payload_bytes=prompts)
    return replace(options, payload_bytes=payload_bytes, first=first)


def _predict(options: Options, measured: np.ndarray, models: dict[str, SizeModel]) -> np.ndarray:
    sizes = measured.copy()
    for cut, model in models.items():
        rows = [row for row, label in enumerate(options.labels)
                if label.cut == cut and theta_of(label.setting) is not None]  # fmt: skip
        thetas = np.array([_knobs(options.labels[row].setting) for row in rows])
        sizes[rows] = model.bytes_of(thetas)
    return sizes


def _inner(table: TraceTable) -> list[str]:
    return [cut for cut in table.cuts if cut not in ("input", "output")]


def _settings(table: TraceTable, cut: str) -> list[str]:
    return [s for s in table.settings if theta_of(s) is not None and table.exists(cut, s)]


def _whole(table: TraceTable) -> float:
    """Share of right answers without a codec."""
    if "token" in table.axes:
        return 1.0
    traced = next(s for s in table.settings if table.exists("output", s))
    return float(table.cell("correct", "output", traced).mean())


def _knobs(setting: str) -> tuple[float, float, int, float]:
    theta = theta_of(setting)
    assert theta is not None
    return theta.sparsity, theta.distortion, theta.n_blocks, theta.asymmetry
