"""What a set of runs says for and against itself: laws, neighbours, ranges, seeds, origins."""

import math
from collections.abc import Mapping, Sequence

from sim import SystemSpec
from sim.measures.columns import STAGES
from sim.measures.laws import Check
from sim.planning.forecast.neighbour import count_senders, neighbour
from sim.planning.trust.finding import BAD, CAUTION, GOOD, Finding, Trust
from sim.radio import ns3_curves
from sim.sources.source import Sources, coarse_points, drift_of

_NEAR = 0.3
_ROUGH = 0.05
_SPREAD = 0.1
_DRIFT = 0.05
_AT_SERVER = ("server_", "decoder_", "memory_", "repair_")
_FIRM = ("measured", "published", "assumed")
_IN_LOOPS = ("measured", "scaled", "modelled")


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
            *_coarse(spec, sources),
            *_drift(sources),
            *([_latency_provenance(columns, kinds), *judge_loops(kinds)] if kinds else []),
            *(_judge_warning(text) for text in warnings),
        )
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


def _coarse(spec: SystemSpec, sources: Sources) -> list[Finding]:
    """Seconds whose medians were not narrowed down, at batches that the server may form."""
    named = [point for source in sources.values() for point in coarse_points(source)]
    used = [p for p in dict.fromkeys(named) if _batch_of(p) <= spec.server.max_batch]
    if not used:
        return []
    words = f"seconds known to less than 5 %: {', '.join(used[:5])}"
    return [Finding(name="coarse seconds", verdict=CAUTION, words=words)]


def _drift(sources: Sources) -> list[Finding]:
    """Machines that became slower or faster while they were measured."""
    drift = max((drift_of(source) for source in sources.values()), key=abs, default=0.0)
    if abs(drift) <= _DRIFT:
        return []
    words = f"a machine drifted by {100 * drift:+.0f} % while its seconds were measured"
    return [Finding(name="drift", verdict=CAUTION, words=words)]


def _batch_of(point: str) -> int:
    """The batch of `cut@batch` or `cut@batch, n new on m cached`."""
    return int(point.rpartition("@")[2].split(",")[0])


def judge_loops(kinds: Mapping[str, str]) -> list[Finding]:
    """Words for seconds that were timed part by part; they lower no grade."""
    if not any(kinds.get(name) in _IN_LOOPS for name in ("device", "server")):
        return []
    words = (
        "seconds of layers and codec come from loops of their own and are a lower bound: a real"
        " server took 30 to 55 % longer for decode and tail in turn"
    )
    return [Finding(name="separate loops", verdict=GOOD, words=words)]


def _latency_provenance(columns: Mapping[str, float], kinds: Mapping[str, str]) -> Finding:
    """The share of the mean latency that rests on numbers which nobody measured there."""
    seconds = {
        name: math.fsum(
            s for column, s in columns.items() if column in STAGES and column.startswith(at)
        )
        for name, at in (("device", "device_"), ("uplink", "link_"), ("server", _AT_SERVER))
    }
    return judge_provenance(seconds, kinds, "the mean latency")


def judge_provenance(weights: Mapping[str, float], kinds: Mapping[str, str], what: str) -> Finding:
    """The share of what the `weights` add up to that rests on numbers which nobody measured."""
    whole = math.fsum(weights.values())
    soft = {
        name: weight / whole if whole else 0.0
        for name, weight in weights.items()
        if kinds.get(name) not in _FIRM
    }
    share = math.fsum(soft.values())
    named = ", ".join(
        f"{name} {kinds[name]} {100 * part:.0f} %" for name, part in soft.items() if part >= 0.01
    )
    return Finding(
        name="scaled or modelled numbers",
        verdict=GOOD if share <= 0.25 else CAUTION,
        words=f"{100 * share:.0f} % of {what} rests on them" + (f": {named}" if named else ""),
    )
