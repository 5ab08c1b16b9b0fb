"""A search's options over a scheme: its cuts, codecs and the values of its own options, each
measured or read as `splitfleet simulate` would, and predicted from whole rows.

The loss of every option is held against the best answers that any of them gives without codec and
without an early exit, sample by sample: a value of a scheme's option is another network, which may
be wrong without any codec.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.quality import paired_drop
from profiles.tables.split import Split
from scenarios.systems.schemed import Schemed
from sim.search import Options, Requests
from sim.search.problem import REQUEST_COSTS
from sim.sources.draw import Draw
from sim.sources.source import Source, rows_of

_COSTS = tuple(name for name in REQUEST_COSTS if name != "share")


class Way(NamedTuple):
    """One option: the scheme that it is of as measured, its split, and what was chosen of the
    scheme's own options, in words.
    """

    known: Schemed
    split: Split
    chosen: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SchemeTables:
    """What a search knows of a scheme: its options by their labels.

    A label is a split whose setting also names what was chosen of the scheme's own options.
    """

    scheme: str
    ways: Mapping[Split, Way]
    speaks: bool = False

    @property
    def digests(self) -> Mapping[str, str]:
        """Content hashes of all tables, for point ids."""
        every = [way.known.digests for way in self.ways.values()]
        names = dict.fromkeys(name for one in every for name in one)
        return {name: "+".join(dict.fromkeys(one[name] for one in every)) for name in names}

    def provenance(self, device: DeviceSpec, server: ServerSpec, label: Split) -> dict[str, Any]:
        """Where an option's numbers come from."""
        return self.ways[label].known.describe(device, server)

    def say(self, label: Split) -> str:
        """An option in words: `stage1/int8, threshold 0.9`."""
        way = self.ways[label]
        return ", ".join([str(way.split), *(f"{k} {v}" for k, v in way.chosen.items())])

    def name(self, label: Split) -> dict[str, Any]:
        """What an option consists of, part by part."""
        split, chosen = self.ways[label].split, self.ways[label].chosen
        setting = "none" if split.cut == "output" else split.setting
        return {"cut": split.cut, "setting": setting, "tokens": 0, "scheme": self.scheme, **chosen}

    def source(self, label: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        """What the simulator plays for an option."""
        way = self.ways[label]
        return way.known.source(way.split, device, server)

    def memory_bytes(self, label: Split) -> float:
        """What the device must hold."""
        way = self.ways[label]
        return float(way.known.memory_bytes(way.split) or 0.0)

    def options(
        self, device: DeviceSpec, server: ServerSpec, lengths: tuple[int, ...] = ()
    ) -> Options:
        """Columns of all options of one device class against one server, whole rows beside them."""
        labels = tuple(self.ways)
        rows = [self._rows(label, device, server) for label in labels]
        requests = _requests(rows)
        costs: dict[str, Any] = {name: requests.mean(getattr(requests, name)) for name in _COSTS}
        depth = {cut: rank for rank, cut in enumerate(self._cuts)}
        return Options(
            labels=labels,
            encode_s=np.zeros(len(labels)),  # in device_s
            memory_bytes=np.array([self.memory_bytes(label) for label in labels]),
            drop_pp=np.array([self._drop_pp(way) for way in self.ways.values()]),
            depth=np.array([depth[label.cut] for label in labels]),
            harshness=self._harshness(costs["payload_bytes"]),
            requests=requests,
            **costs,
        )

    def _rows(self, label: Split, device: DeviceSpec, server: ServerSpec) -> Sequence[Draw]:
        rows = rows_of(self.source(label, device, server))
        assert rows is not None  # those of a table
        return rows

    @cached_property
    def _cuts(self) -> list[str]:
        """Every cut of every network of the scheme, in order."""
        names = [way.known.profile.cut_names for way in self.ways.values()]
        every = dict.fromkeys(cut for each in names for cut in each if cut != "output")
        return [*every, "output"]

    def _harshness(self, payload_bytes: np.ndarray) -> np.ndarray:
        """Rank of each setting from the one of most bytes, means over its cuts; -1 of none."""
        sizes: dict[str, list[float]] = {}
        for label, size in zip(self.ways, payload_bytes.tolist(), strict=True):
            if label.cut != "output":
                sizes.setdefault(label.setting, []).append(size)
        order = sorted(sizes, key=lambda name: -float(np.mean(sizes[name])))
        rank = {name: number for number, name in enumerate(order)}
        return np.array([rank.get(one.setting if one.cut != "output" else "", -1)
                         for one in self.ways])  # fmt: skip

    @cached_property
    def _best(self) -> Way:
        """The option whose answers without codec are right most often."""
        return max(self.ways.values(), key=lambda way: float(way.known.whole(way.split).mean()))

    def _drop_pp(self, way: Way) -> float:
        """Upper end of the loss in percentage points; an exact copy of the best loses nothing."""
        known, split, best = way.known, way.split, self._best
        whole, right = best.known.whole(best.split), known.right(split)
        digests = {each.table.provenance["model_digest"] for each in (known, best.known)}
        if len(digests) == 1 and np.array_equal(whole, right) and _is_exact(known, split):
            return 0.0
        return 100.0 * paired_drop(whole, right).hi


def _is_exact(known: Schemed, split: Split) -> bool:
    """Whether its answers are those without codec, whatever the samples."""
    if known.early is not None and known.ends.any():
        return False
    if split.cut == "output":
        return True
    changed = "relative_l2" not in known.heard.columns or np.any(
        known.heard.cell("relative_l2", split.cut, split.setting) > 0.0
    )
    return not changed


def _requests(rows: Sequence[Sequence[Draw]]) -> Requests:
    """The rows [option][request] as columns."""
    sizes = np.array([len(each) for each in rows])
    columns = {
        name: np.array([getattr(row, name) for each in rows for row in each]) for name in _COSTS
    }
    option = np.repeat(np.arange(len(rows)), sizes)
    return Requests(option=option, share=np.repeat(1.0 / sizes, sizes), **columns)
