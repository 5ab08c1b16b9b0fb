"""Size models and loss proxies of stored tables, and options whose sizes are predicted by them."""

from dataclasses import replace

import numpy as np

from profiles.tables.theta import theta_of
from scenarios.searching.options import Tables
from sim.search import Options
from sim.search.size import LossProxy, SizeModel


def size_models(known: Tables, *, prompt: bool = False) -> dict[str, SizeModel]:
    """The size model of every cut; of a generation, of its tokens or of its prompt."""
    steps = (Ellipsis,) if not known.speaks else (Ellipsis, 0 if prompt else slice(1, None))
    found = {}
    for cut in _inner(known):
        names = _settings(known, cut)
        sizes = [known.table.cell("payload_bytes", cut, name)[steps].mean() for name in names]
        found[cut] = SizeModel.fit(np.array([_knobs(n) for n in names]), np.array(sizes))
    return found


def loss_proxies(known: Tables) -> dict[str, LossProxy]:
    """The loss proxy of every cut: answers lost against no codec, or tokens that differ."""
    table, column = known.table, "agree" if known.speaks else "correct"
    found = {}
    for cut in _inner(known):
        names = _settings(known, cut)
        errors = np.array([table.cell("relative_l2", cut, name).mean() for name in names])
        right = np.array([table.cell(column, cut, name).mean() for name in names])
        found[cut] = LossProxy.fit(errors, 100.0 * (_whole(known) - right))
    return found


def with_predicted_sizes(known: Tables, options: Options) -> Options:
    """The same options, every theta's payload as its cut's size model predicts it."""
    payload_bytes = _predicted(options, options.payload_bytes, size_models(known))
    first = options.first
    if first is not None:
        prompts = _predicted(options, first.payload_bytes, size_models(known, prompt=True))
        first = replace(first, payload_bytes=prompts)
    return replace(options, payload_bytes=payload_bytes, first=first)


def _predicted(options: Options, measured: np.ndarray, models: dict[str, SizeModel]) -> np.ndarray:
    sizes = measured.copy()
    for cut, model in models.items():
        rows = [row for row, label in enumerate(options.labels)
                if label.cut == cut and theta_of(label.setting) is not None]  # fmt: skip
        thetas = np.array([_knobs(options.labels[row].setting) for row in rows])
        sizes[rows] = model.bytes_of(thetas)
    return sizes


def _inner(known: Tables) -> list[str]:
    return [cut for cut in known.table.cuts if cut not in ("input", "output")]


def _settings(known: Tables, cut: str) -> list[str]:
    table = known.table
    return [s for s in table.settings if theta_of(s) is not None and table.exists(cut, s)]


def _whole(known: Tables) -> float:
    """Share of right answers without a codec."""
    if known.speaks:
        return 1.0
    table = known.table
    traced = next(s for s in table.settings if table.exists("output", s))
    return float(table.cell("correct", "output", traced).mean())


def _knobs(setting: str) -> tuple[float, float, int, float]:
    theta = theta_of(setting)
    assert theta is not None
    return theta.sparsity, theta.distortion, theta.n_blocks, theta.asymmetry
