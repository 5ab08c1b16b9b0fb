"""What a search says for and against its answer: interval, guard, regimes, levers, origins."""

import math
from collections.abc import Mapping, Sequence

from sim.planning.runs.levers import Gain
from sim.planning.search.regimes import Regimes
from sim.planning.trust.finding import BAD, CAUTION, GOOD, Finding, Trust, weigh
from sim.planning.trust.run import judge_loops, judge_provenance


def plan_trust(
    base: Trust,
    *,
    n_star: int,
    half_width: float,
    target: float,
    monotone: bool,
    spread_devices: float,
    collapsed: int,
    regimes: Regimes | None,
    calm: bool,
    better: tuple[str, int] | None,
    stable: float,
    given_up: float,
    table: str,
    gains: Sequence[Gain],
    kinds: Mapping[str, str],
    machines: Finding | None = None,
) -> Trust:
    """`base` with what only a search knows: its interval, its guard, its seeds, its sources.

    `gains` in falling order of what they bring; `stable` the N beyond which a queue grows,
    `given_up` the share of requests that the limited figure does not hold; `regimes` where longer
    runs show two, `calm` whether N* is that without outages, `better` a split that serves more than
    the devices' own choice, `table`, `machines` what their errors do, `spread_devices` NaN where
    no slope says it.
    """
    further = (
        weigh(
            "interval",
            half_width <= target,
            f"+-{half_width:.2g} devices, asked for +-{target:.2g}",
        ),
        weigh(
            "isotonic guard",
            monotone,
            "the monotone fit crosses within the interval",
            "the monotone fit crosses elsewhere: the curve is not smooth in N",
        ),
        _judge_spread(spread_devices, n_star, collapses=regimes is not None),
        judge_regimes(collapsed, regimes),
        *_judge_calm(calm=calm),
        *judge_choice(better),
        *_judge_given_up(given_up),
        *_steady(n_star, stable),
        _judge_binding(next(gain for gain in gains if gain.resource)),
        _provenance(gains, kinds),
        *judge_loops(kinds),
        *([Finding(name="table", verdict=CAUTION, words=table)] if table else []),
        *([machines] if machines is not None else []),
    )
    return Trust(findings=(*base.findings, *further))


def _judge_spread(devices: float, n_star: int, *, collapses: bool) -> Finding:
    """What a single seed would be off by."""
    if math.isnan(devices):
        words = "one run alone would be off by more than the numbers of devices that were played"
        if collapses:
            words = "one run alone does not say with how many devices runs collapse"
        return Finding(name="seed spread", verdict=CAUTION, words=words)
    return weigh(
        "seed spread",
        devices <= max(2.0, 0.1 * n_star),
        f"one run alone would be off by {devices:.2g} devices (1 sigma)",
    )


def judge_regimes(collapsed: int, regimes: Regimes | None) -> Finding:
    """Whether the runs near N* are of one kind; of a system that may collapse nothing is sure."""
    if regimes is not None:
        words = f"{regimes.say_safe()}; {regimes.say_above()}"
        return Finding(name="one regime", verdict=BAD, words=words)
    return weigh(
        "one regime",
        not collapsed,
        "near N* no run lies far from the others",
        f"near N* {collapsed} runs took more than twice as long as the others, though none that was"
        " ten times as long did",
    )


def _judge_calm(*, calm: bool) -> list[Finding]:
    """An outage serves nobody, whatever the runs with it show."""
    if not calm:
        return []
    words = "N* is that of the system without its outages: no outage makes more devices served"
    return [Finding(name="outages", verdict=CAUTION, words=words)]


def judge_choice(better: tuple[str, int] | None) -> list[Finding]:
    """A device that chooses for itself does not see what its choice costs the others."""
    if better is None:
        return []
    split, n = better
    words = (
        f"where all keep to {split}, {n} devices meet the limits, more than choose for themselves"
    )
    return [Finding(name="choice", verdict=CAUTION, words=words)]


def _steady(n_star: int, stable: float) -> list[Finding]:
    """The N at which the load alone forbids more."""
    if math.isinf(stable):
        return []
    beyond = f"beyond {math.floor(stable)} devices a queue grows without end"
    if n_star < math.floor(stable):
        return [Finding(name="steady state", verdict=GOOD, words=f"{beyond}; N* is less")]
    words = f"{beyond}, though no run is long enough to show the limit exceeded: N* is at most"
    return [Finding(name="steady state", verdict=CAUTION, words=f"{words} that")]


def _judge_given_up(share: float) -> list[Finding]:
    """Turning requests away serves nobody, but a mean of the answers cannot say so."""
    if share <= 0.0:
        return []
    words = f"{100 * share:.2g} % of the requests are given up, which the limit does not count"
    return [Finding(name="requests given up", verdict=CAUTION, words=words)]


def _judge_binding(first: Gain) -> Finding:
    """Whether the resource that is named surely helps."""
    if first.by_load:
        words = (
            f"{first.words}: {first.devices:+.2f} devices per 1 % more by its load alone, for no"
            " slope of the limited figure at N* says how N* moves"
        )
        return Finding(name="binding resource", verdict=CAUTION, words=words)
    sure = first.lo > 0.0
    return Finding(
        name="binding resource",
        verdict=GOOD if sure else CAUTION,
        words=f"{first.words}: {first.devices:+.2f} [{first.lo:+.2f}, {first.hi:+.2f}] devices per"
        f" 1 % more{'' if sure else ', which may be nothing'}",
    )


def judge_machines(n_star: int, lo: int, hi: int, words: str) -> Finding | None:
    """Whether N* stays within a quarter where seconds that nobody measured are off."""
    if not words:
        return None
    return weigh(
        "machines",
        hi - lo <= 0.5 * n_star,
        f"N* lies in [{lo}, {hi}] where {words} (1 sigma)",
    )


def _provenance(gains: Sequence[Gain], kinds: Mapping[str, str]) -> Finding:
    """The share of all dN* that rests on numbers which nobody measured on that machine."""
    weights = {gain.name: abs(gain.devices) for gain in gains}
    return judge_provenance(weights, kinds, "the sensitivity of N*")
