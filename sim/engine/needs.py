"""What rules a system needs beyond those that all do: the rooms that are compiled for it."""

from sim.compiling import told
from sim.engine import layout as at
from sim.engine import rooms
from sim.engine.system import Arrays

_LINKS = {
    at.FIFO_LINK: "fifo",
    at.SHARED_LINK: "shared",
    at.CONTENDED_LINK: "contended",
    at.QUEUE_LINK: "queue",
    at.SCHEDULED_LINK: "scheduled",
}


def features(system: Arrays) -> set[str]:
    """What a system has, in the words of sim.engine.rooms.NEEDS."""
    sn, link = system.sn, system.spec.link
    found = {
        "adapts": sn[at.ADAPTS] == 1,
        "answers shared": sn[at.SHARED_DOWN] == 1,
        "answers vary": sn[at.VARYING_ANSWERS] == 1,
        "batches": sn[at.SERVER] != at.PLAIN,
        "churns": sn[at.CHURNS] == 1,
        "decodes": sn[at.N_DECODERS] > 0,
        "fades": sn[at.RADIO_CHANNEL] == 1,
        "fails": sn[at.FAILS] == 1,
        "gaps": bool((system.gn[:, at.KIND] > at.COMES).any()),
        "sessions": bool((system.gn[:, at.TALKS] == 1).any()),
        "varies": system.speeds is not None or link.varies,
    }
    return {name for name, holds in found.items() if holds} | {_LINKS[int(sn[at.LINK])]}


def addresses(system: Arrays) -> list[int]:
    """Where the code of every room is; compiles those that a system needs."""
    has = features(system)
    needed = [name for name, needs in rooms.NEEDS.items() if has.issuperset(needs)]
    there = all(rooms.is_compiled(name) for name in needed)
    with told(there, "rules that this system needs"):
        return [
            rooms.address(name) if name in needed else rooms.none_there(name)
            for name in rooms.NEEDS
        ]
