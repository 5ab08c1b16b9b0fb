"""Plain: systems that are a network, a cut and a codec, and what they are called."""

from collections.abc import Collection
from typing import Any

PLAIN = "split"
"""The scheme without any: a network of its own, cut where the user says."""
CODECS = {"slicer": "slicer", "rans": "aiq"}
"""Schemes that are a codec on such a network, and its chain."""


def name_of(config: Any) -> str:
    """The scheme of a configuration."""
    return str((getattr(config, "scheme", None) or {}).get("name", PLAIN))


def is_plain(config: Any) -> bool:
    """Whether there is nothing but a network, a cut and a codec."""
    return name_of(config) in (PLAIN, *CODECS)


def name_in_row(config: Any, settings: Collection[str]) -> str:
    """What a row calls the scheme whose payloads were encoded under these settings: one that is a
    codec is `split` where another one encodes.
    """
    name, codec = name_of(config), getattr(config, "codec", None) or {}
    own = codec.get("chain") == CODECS.get(name) and set(settings) == {codec.get("name")}
    return PLAIN if name in CODECS and not own else name
