"""Does timing the two sides of a cut tell what the whole takes? (head + tail) / whole, paired.

One line per cut of every network that runs longer than 5 ms; the median over the rounds of one
session must lie within 0.92 .. 1.08. The overhead that no block accounts for is shown beside it.
"""

from typing import NamedTuple

import numpy as np

from profiles import ModelProfile, models
from profiles.measuring import timing
from profiles.shipping.products import DATA

SHORTEST_S, LOWEST, HIGHEST = 5e-3, 0.92, 1.08
SMALL_INPUT = 100_000


class Row(NamedTuple):
    """One cut: the whole in milliseconds, the paired ratio, the booked overhead."""

    model: str
    cut: str
    whole_ms: float
    ratio: float
    overhead: float
    holds: bool


def run() -> list[Row]:
    """Measure every vision network at batch 1 (small ones at batch 16) and print the table."""
    rows = []
    for name in models.names():
        network = models.create(name)
        if network.task != "classify":
            continue
        batch = 16 if network.example_input.numel() < SMALL_INPUT else 1
        profile = timing.measure(network, batches=(batch,), rounds=15, warmup=3)
        kept = profile.samples
        whole = kept[f"whole_b{batch}"]
        sides = kept[f"head_b{batch}"] + kept[f"tail_b{batch}"]
        ratios = np.median(sides / whole[:, None], axis=0)
        whole_s = float(np.median(whole))
        overhead = profile.layers[-1].seconds / whole_s
        for cut, ratio in zip(profile.cut_names[1:-1], ratios, strict=True):
            holds = whole_s < SHORTEST_S or LOWEST <= ratio <= HIGHEST
            rows.append(Row(name, cut, 1e3 * whole_s, float(ratio), overhead, holds))
    print(f"{'model':16}{'cut':28}{'whole ms':>9}{'ratio':>8}{'overhead':>10}")
    for row in rows:
        mark = "" if row.holds else "  outside 0.92..1.08"
        print(
            f"{row.model:16}{row.cut:28}{row.whole_ms:9.2f}{row.ratio:8.3f}"
            f"{100 * row.overhead:9.1f}%{mark}"
        )
    _compare_with_shipped()
    return rows


def _compare_with_shipped() -> None:
    """Shares of head time measured now against the shipped ones, on the same kind of machine."""
    for path in sorted((DATA / "profiles").glob("*-single-1.npz")):
        shipped = ModelProfile.load(path)
        fresh = timing.measure(models.create(shipped.model), rounds=30)
        if fresh.fingerprint["processor"] != shipped.fingerprint["processor"]:
            print(f"{shipped.model}: shipped from another processor, not compared")
            continue
        heads = [profile.head.seconds[:, 0, 0, 0] for profile in (fresh, shipped)]
        now, then = (seconds / seconds[-1] for seconds in heads)
        worst = np.abs(now - then).max()
        print(
            f"{shipped.model}: shares differ from the shipped ones by at most {100 * worst:.1f} pp"
        )


if __name__ == "__main__":
    run()
