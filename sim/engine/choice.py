"""Which engine plays a system: the compiled one what it knows, SimPy the rest.

SimPy is the reference and the place where new behaviour is written first.
"""

from collections.abc import Sequence

from sim.engine.talks import knows
from sim.places import groups_of
from sim.sources.branched import mixes_tails
from sim.sources.draw import Draw
from sim.sources.sizes import SizedSessions
from sim.sources.source import ExponentialSource, Source, Sources, rows_of
from sim.specs import SystemSpec

AUTO, SIMPY, COMPILED = ENGINES = ("auto", "simpy", "compiled")

SHARING = ("dedicated", "fifo", "ps", "weighted", "wifi", "cellular")
DISCIPLINES = ("fifo", "take_all", "dynamic", "edf", "continuous")
KINDS = ("closed", "gamma", "mmpp", "periodic", "poisson", "replay")
POLICIES = ("fixed", "fastest", "search")
"""What has a twin in the kernel; a rule that is added to the model is SimPy's until it has one."""
LARGEST_BATCH = 1024
"""The seconds of a batch of every size are known to the kernel beforehand."""


def refusal(spec: SystemSpec, sources: Sources) -> str:
    """What of a system the compiled engine does not know, by its name; empty where it knows all."""
    server = spec.server
    most = server.max_batch
    found = [
        (f"link.sharing={spec.link.sharing}", spec.link.sharing not in SHARING),
        (f"server.discipline={server.discipline}", server.discipline not in DISCIPLINES),
        (f"server.max_batch={most} above {LARGEST_BATCH}", most > LARGEST_BATCH),
    ]
    for name, group in groups_of(spec).items():
        workload = group.workload or spec.workload
        found += [
            (f"workload.kind={workload.kind}", workload.kind not in KINDS),
            (f"workload.adapt_rounds={workload.adapt_rounds}", workload.adapt_rounds > 0),
            (f"policy={group.policy}", group.policy not in POLICIES),
        ]
        wanted = (group.source or name, *group.alternatives)
        for source in [sources[each] for each in wanted if each in sources]:
            talks, chooses = hasattr(source, "session"), group.policy != "fixed"
            known = knows(source) if talks else rows_known(source) is not None
            sized = isinstance(source, SizedSessions) and workload.kind == "replay"
            found += [
                (f"sources of kind {type(source).__name__}", not known),
                (f"policy={group.policy} for sessions of recorded sizes", sized and chooses),
                ("batches of several branches", mixes_tails(source) and not server.plain),
            ]
    return next((name for name, holds in found if holds), "")


def rows_known(source: Source) -> Sequence[Draw] | None:
    """The rows of which a source hands out any, or one whose server seconds are drawn; None: it
    draws otherwise.
    """
    return [source.typical] if isinstance(source, ExponentialSource) else rows_of(source)


def choose(engine: str, spec: SystemSpec, sources: Sources) -> tuple[str, str]:
    """The engine that plays a system, and why where it is not the compiled one.

    Raises:
        ValueError: the compiled one is asked for and does not know all of the system.
    """
    if engine == SIMPY:
        return SIMPY, "asked for"
    why = refusal(spec, sources)
    if not why:
        return COMPILED, ""
    if engine == COMPILED:
        raise ValueError(f"engine=compiled does not know {why}; engine=auto takes SimPy for it")
    return SIMPY, f"the compiled engine does not know {why}"
