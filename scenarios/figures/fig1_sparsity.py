"""Draw how sparse intermediate features are, layer by layer, and what top-K keeps (Fig. 1c).

Above: the share of a feature's energy that its largest elements hold. Below: how magnitudes are
distributed, in units of the feature's root mean square. Real features of test samples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from plots import fig1_sparsity as sparsity
from profiles.tables.concentration import tail_share, top_energy
from scenarios.present.summary import Summary, between
from scenarios.study.figure import produce
from scenarios.study.gallery import Gallery, say_origin
from scenarios.sweep.columns import mean_columns
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from sim.specs.check import option

KEPT, MAGNITUDE = "kept", "magnitude"


@dataclass(frozen=True, kw_only=True)
class Config(Gallery):
    """The figure: what shares are kept, and the magnitudes at which the tail is read."""

    shares: list[float] = option([], "shares of the elements that top-K keeps")
    magnitudes: list[float] = option([], "magnitudes over the root mean square")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shares or min(self.shares) <= 0 or max(self.shares) > 1:
            raise ValueError(f"shares must lie in (0, 1] and be at least one, got {self.shares}")


def run(config: Config) -> int:
    """Take the features of every stage, measure their concentration, draw it."""
    from profiles.measuring.activations import stage_features

    arrays, provenance = stage_features(config.model.network(), config.model.inputs()[0])
    draw = partial(sparsity.draw, title=config.model.name)
    summarise = partial(_summary, say_origin(provenance, provenance["samples"]))
    jobs = _jobs(config, arrays, str(provenance["model_digest"]))
    return produce(config, "fig1_sparsity", jobs, draw, summarise, provenance)


def _jobs(config: Config, found: dict[str, np.ndarray], digest: str) -> Iterator[Job]:
    for cut, values in found.items():
        for panel, places in ((KEPT, config.shares), (MAGNITUDE, config.magnitudes)):
            for at in places:
                measure = top_energy if panel == KEPT else tail_share
                yield Job(
                    spec={"samples": config.model.samples},
                    digests={"model": digest},
                    labels={"model": config.model.name, "cut": cut, "panel": panel, "at": at,
                            "elements": int(values[0].size)},
                    evaluate=partial(_row, values, partial(measure, at)),
                )  # fmt: skip


def _row(features: np.ndarray, measure: partial[np.ndarray]) -> Row:
    """Mean over the samples with its 95 % interval; and the share of zeros."""
    flat = features.reshape(len(features), -1).astype(np.float64)
    values = {"value": measure(flat), "zero_share": np.mean(flat == 0, axis=1)}
    columns = [mean_columns(name, each, least=0.0, most=1.0) for name, each in values.items()]
    return columns[0] | columns[1]


def _summary(where: str, rows: Sequence[Row]) -> Summary:
    kept = [row for row in rows if row["panel"] == KEPT]
    shares = sorted({row["at"] for row in kept})
    shown = [min(shares, key=lambda at: abs(at - wanted)) for wanted in (0.1, 0.2, 0.5)]
    at = {(row["cut"], row["at"]): row for row in kept}
    cuts = list(dict.fromkeys(row["cut"] for row in kept))
    least = min(cuts, key=lambda cut: at[cut, shown[1]]["value"])
    return Summary(
        title="Sparsity of intermediate features and what top-K keeps",
        finding=(
            f"The largest {100 * shown[1]:g} % of the elements hold at least "
            f"{between(at[least, shown[1]], 'value', 100)} % of the energy ({least})."
        ),
        columns=("cut", "elements", "exact zeros %",
                 *(f"energy in {100 * share:g} % of the elements" for share in shown)),
        rows=tuple(
            (cut, f"{at[cut, shown[0]]['elements']:,}",
             between(at[cut, shown[0]], "zero_share", 100),
             *(between(at[cut, share], "value", 100) for share in shown))
            for cut in cuts
        ),
        origin=where,
    )  # fmt: skip
