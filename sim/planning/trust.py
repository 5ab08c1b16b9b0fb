"""Trust: how far to believe an answer, finding by finding."""

import math
from collections.abc import Mapping, Sequence

from sim import SystemSpec
from sim.measures.columns import STAGES
from sim.measures.laws import Check
from sim.planning.finding import BAD, CAUTION, GOOD, Finding, Trust, weigh
from sim.planning.levers import Gain
from sim.planning.neighbour import count_senders, neighbour
from sim.planning.regimes import Regimes
from sim.radio import ns3_curves
from sim.sources.source import Sources

_NEAR = 0.3
_ROUGH = 0.05
_SPREAD = 0.1
_AT_SERVER = ("server_", "decoder_", "memory_", "repair_")
_FIRM = ("measured", "published", "assumed")


def run_trust(
    spec: SystemSpec,
    sources: Sources,
    columns: Mapping[str, float],
    checks: Sequence[Check],
    *,
    warnings: Sequence[str] = (),
    largest_batch: int | None = None,
    kinds: Mapping[str, str] | None = None,
) -> Trust:
    """What any set of runs at `spec.fleet.n_devices` can be asked: `columns` are means over runs,
    with their intervals where there are any, `checks` the worst of each law, `kinds` those of the
    numbers behind each resource.
    """
    return Trust(
        findings=(
            *_laws(checks),
            _neighbour(spec, sources, columns),
            *_range(spec, columns, largest_batch),
            *_seeds(columns),
            *([_latency_provenance(columns, kinds)] if kinds else []),
            *(_judge_warning(text) for text in warnings),
        )
    )


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
    gains: Sequence[Gain],
    kinds: Mapping[str, str],
) -> Trust:
    """`base` with what only a search knows: its interval, its guard, its seeds, its sources.

    `gains` in falling order of what they bring; `stable` the N beyond which a queue grows,
    `given_up` the share of requests that the limited figure does not hold; `regimes` where longer
    runs show two, `calm` whether N* is that without outages, `better` a split that serves more than
    the devices' own choice.
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
        weigh(
            "seed spread",
            spread_devices <= max(2.0, 0.1 * n_star),
            f"one run alone would be off by {spread_devices:.2g} devices (1 sigma)",
        ),
        judge_regimes(collapsed, regimes),
        *_judge_calm(calm=calm),
        *judge_choice(better),
        *_judge_given_up(given_up),
        *_steady(n_star, stable),
        _judge_binding(next(gain for gain in gains if gain.resource)),
        _provenance(gains, kinds),
    )
    return Trust(findings=(*base.findings, *further))


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
    sure = first.lo > 0.0
    return Finding(
        name="binding resource",
        verdict=GOOD if sure else CAUTION,
        words=f"{first.words}: {first.devices:+.2f} [{first.lo:+.2f}, {first.hi:+.2f}] devices per"
        f" 1 % more{'' if sure else ', which may be nothing'}",
    )


def _judge_warning(text: str) -> Finding:
    """A queue that grows without end, or a loop that has stopped, spoils every mean; other warnings
    are cautions.
    """
    if any(word in text for word in ("saturated:", "stopped:", "nothing was answered")):
        return Finding(name="steady state", verdict=BAD, words=text)
    return Finding(name="warning", verdict=CAUTION, words=text)


def _laws(checks: Sequence[Check]) -> list[Finding]:
    names = {"little": "Little's law", "utilization": "utilization law"}
    return [
        Finding(
            name=names.get(check.name, check.name),
            verdict=GOOD if check.holds else BAD,
            words=f"{check.left:.6g} against {check.right:.6g}",
        )
        for check in checks
    ]


def _neighbour(spec: SystemSpec, sources: Sources, columns: Mapping[str, float]) -> Finding:
    near = neighbour(spec, sources, spec.fleet.n_devices)
    simulated_s = columns["latency_mean_s"]
    if near is None or not math.isfinite(near.latency_s) or near.latency_s <= 0.0:
        return Finding(
            name="closed-form neighbour",
            verdict=CAUTION,
            words="no closed form is near; only the simulation supports this",
        )
    if math.isnan(simulated_s):
        return Finding(
            name="closed-form neighbour",
            verdict=CAUTION,
            words=f"{near.name} {1e3 * near.latency_s:.3g} ms, the simulation has no mean",
        )
    distance = simulated_s / near.latency_s - 1.0
    least_s, most_s = near.least_s * (1.0 - _ROUGH), near.latency_s * (1.0 + _ROUGH)
    between = near.is_bound and least_s <= simulated_s <= most_s
    return Finding(
        name="closed-form neighbour",
        verdict=GOOD if between or abs(distance) <= _NEAR else CAUTION,
        words=(
            f"mean latency {1e3 * simulated_s:.3g} ms, {near.name} {1e3 * near.latency_s:.3g} ms"
            f" ({100 * distance:+.1f} %), at least {1e3 * near.least_s:.3g} ms by the demands"
        ),
    )


def _range(
    spec: SystemSpec, columns: Mapping[str, float], largest_batch: int | None
) -> list[Finding]:
    """Inside or outside what was measured or calibrated."""
    findings = []
    if spec.link.sharing == "wifi" and spec.link.contention == "ns3":
        stations, known = count_senders(spec, columns), min(c.n[-1] for c in ns3_curves())
        inside = stations <= known
        findings.append(
            Finding(
                name="contention",
                verdict=GOOD if inside else CAUTION,
                words=f"{stations:.2g} stations send at once on average; the ns-3 runs go up to"
                f" {known:.0f}",
            )
        )
    if spec.server.max_batch > 1 and largest_batch is not None:
        inside = spec.server.max_batch <= largest_batch
        findings.append(
            Finding(
                name="batch sizes",
                verdict=GOOD if inside else BAD,
                words=f"up to {spec.server.max_batch}, measured up to {largest_batch}",
            )
        )
    return findings


def _seeds(columns: Mapping[str, float]) -> list[Finding]:
    """How far the 95th percentile is known, by its interval over replications."""
    lo, hi = (columns.get(f"latency_p95_s{end}", math.nan) for end in ("_lo", "_hi"))
    reach = 0.5 * (hi - lo) / columns["latency_p95_s"]
    if math.isnan(reach):
        return []
    verdict = GOOD if reach <= _SPREAD else CAUTION
    words = f"the 95th percentile is known to +-{100 * reach:.2g} %"
    return [Finding(name="seed spread", verdict=verdict, words=words)]


def _latency_provenance(columns: Mapping[str, float], kinds: Mapping[str, str]) -> Finding:
    """The share of the mean latency that rests on numbers which nobody measured there."""
    seconds = {
        name: sum(s for column, s in columns.items() if column in STAGES and column.startswith(at))
        for name, at in (("device", "device_"), ("uplink", "link_"), ("server", _AT_SERVER))
    }
    return _judge_provenance(seconds, kinds, "the mean latency")


def _provenance(gains: Sequence[Gain], kinds: Mapping[str, str]) -> Finding:
    """The share of all dN* that rests on numbers which nobody measured on that machine."""
    weights = {gain.name: abs(gain.devices) for gain in gains}
    return _judge_provenance(weights, kinds, "the sensitivity of N*")


def _judge_provenance(weights: Mapping[str, float], kinds: Mapping[str, str], what: str) -> Finding:
    whole = sum(weights.values())
    soft = {
        name: weight / whole if whole else 0.0
        for name, weight in weights.items()
        if kinds.get(name) not in _FIRM
    }
    share = sum(soft.values())
    named = ", ".join(
        f"{name} {kinds[name]} {100 * part:.0f} %" for name, part in soft.items() if part >= 0.01
    )
    return Finding(
        name="scaled or modelled numbers",
        verdict=GOOD if share <= 0.25 else CAUTION,
        words=f"{100 * share:.0f} % of {what} rests on them" + (f": {named}" if named else ""),
    )
