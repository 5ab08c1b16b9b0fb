"""All rungs in order, and the verdict over all comparisons."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from sim.validation import channels, churn, endings, loops, losses, queues, radios
from sim.validation.case import CONFIDENCE, Case, Row

SEEDS = tuple(range(1, 11))
LEAST_INSIDE = 0.93

Task = Callable[[], list[Row]]
Play = Callable[[Iterable[Task]], Iterable[list[Row]]]


def cases() -> list[Case]:
    """The whole ladder, simplest first."""
    return [
        *loops.cycles(),
        *queues.single_queues(),
        *losses.buffers(),
        *losses.without_queue(),
        *queues.bursts(),
        *queues.tandem(),
        *queues.ages(),
        *queues.sharing(),
        *loops.networks(),
        *loops.repairmen(),
        *queues.batches(),
        *loops.contention(),
        *channels.outages(),
        *channels.retransmissions(),
        *endings.endings(),
    ]


def validate(
    seeds: Sequence[int] = SEEDS,
    *,
    play: Play | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Play the ladder under every seed; rows in the order of seeds and rungs.

    Systems without randomness are played under the first seed only. `play` may run the tasks
    elsewhere and returns their rows in order; `progress(done, total)` is called after each.
    """
    tasks = list(_tasks(seeds))
    results = play(tasks) if play is not None else (task() for task in tasks)
    rows: list[Row] = []
    for number, result in enumerate(results, start=1):
        rows += result
        if progress is not None:
            progress(number, len(tasks))
    return rows


def _tasks(seeds: Sequence[int]) -> Iterable[Task]:
    ladder = cases()
    for sent in radios.SENT:
        yield partial(radios.compare_grid, *sent, seeds[0])
    for seed in seeds:
        for case in ladder:
            fixed = all(metric.kind == "equal" for metric in case.metrics)
            if seed == seeds[0] or not fixed:
                yield partial(case.play, seed)
        yield partial(channels.slots, seed)
        for rung in churn.RUNGS:
            yield partial(churn.compare, rung, seed)
        for rung in radios.RUNGS:
            yield partial(radios.compare, rung, seed)


class Verdict(NamedTuple):
    """How many comparisons there were, which failed, and what may be said of all."""

    n_rows: int
    inside_share: float
    outside_all: tuple[Row, ...]
    missed_exact: tuple[Row, ...]
    above_bound: tuple[Row, ...]

    @property
    def holds(self) -> bool:
        """>= 93 % in their 95 % intervals, all in the Bonferroni interval, bounds kept."""
        failed = self.outside_all or self.missed_exact or self.above_bound
        return not failed and self.inside_share >= LEAST_INSIDE

    def __str__(self) -> str:
        """One line for people."""
        word = "holds" if self.holds else "FAILS"
        return (
            f"{word}: {self.inside_share:.1%} of {self.n_rows} comparisons inside their 95 %"
            f" intervals, {len(self.outside_all)} outside the Bonferroni interval,"
            f" {len(self.missed_exact)} exact cases missed, {len(self.above_bound)} bounds exceeded"
        )


def verdict(rows: Sequence[Row]) -> Verdict:
    """Judge the rows; share and Bonferroni level (1 - 0.05 / n) count interval rows alone."""
    compared = [row for row in rows if row.kind == "interval"]
    level = 1.0 - (1.0 - CONFIDENCE) / max(1, len(compared))
    inside = sum(row.inside for row in compared)
    return Verdict(
        n_rows=len(compared),
        inside_share=inside / len(compared) if compared else 1.0,
        outside_all=tuple(row for row in compared if not row.within(level)),
        missed_exact=tuple(row for row in rows if row.kind == "equal" and not row.inside),
        above_bound=tuple(row for row in rows if row.kind == "at_most" and not row.inside),
    )
