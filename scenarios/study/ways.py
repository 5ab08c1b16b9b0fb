"""Ways to answer that a figure compares: SCHEME(OPTION=VALUE, ...)/CODEC/CUT, each a configuration.

Options, cut and codec may be left out: the scheme's own then.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from scenarios.study.figure import AUTO
from scenarios.sweep.axes import axes_of, keep, points
from scenarios.systems import schemed

_FORM = re.compile(
    r"(?P<scheme>[^/()]+)(\((?P<options>[^()]*)\))?(/(?P<codec>[^/()]+)(/(?P<cut>[^/()]+))?)?"
)


def check_ways(ways: Sequence[str], command: str) -> None:
    """Refuse none, what is no way, and the same one twice.

    Raises:
        ValueError: such a list of the configuration of `command`.
    """
    if not ways:
        raise ValueError(f"{command} needs ways=[SCHEME/CODEC, ...], got none")
    for way in ways:
        if _FORM.fullmatch(way) is None:
            raise ValueError(
                "ways must be SCHEME, SCHEME/CODEC or SCHEME/CODEC/CUT each, as in"
                f" sc2(method=cr_bq)/int8, got {way!r}"
            )
        if ways.count(way) > 1:
            raise ValueError(f"ways must differ, got {way!r} twice")


def configure_each(
    config: Any, ways: Sequence[str], task: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """The configurations of those that there are, and why the others are none."""
    sound: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for way in ways:
        try:
            sound[way] = configure(config, way, task)
        except ValueError as error:  # of this way alone
            reasons[way] = str(error)
    return sound, reasons


def configure(config: Any, way: str, task: str) -> Any:
    """The configuration of one way, which answers `task` alone, at its cut.

    Raises:
        ValueError: an unknown scheme, option, codec or cut; a scheme that does not answer the task;
            what a way says on the command line as well.
    """
    scheme, options, codec, cut = _read(way)
    given = {"scheme": scheme, "codec": codec, "cut": cut}
    axes = axes_of([f"{key}={value}" for key, value in given.items() if value])
    typed = {key for key, value in given.items() if value} - {axis.key for axis in axes}
    if typed:
        raise ValueError(f"ways say scheme, codec and cut; leave out {', '.join(sorted(typed))}=")
    (point,) = points(config, keep("model", axes))
    if point.error:
        raise ValueError(point.error)
    own = replace(point.config, scheme={**point.config.scheme, **options})
    own = schemed.answer_task(own, task)
    return own if own.cut != AUTO else replace(own, cut=schemed.make(own).cut)


def _read(way: str) -> tuple[str, dict[str, Any], str, str]:
    """Scheme, its options, codec and cut, empty where none is named."""
    form = _FORM.fullmatch(way)
    assert form is not None, f"a way that was not checked: {way!r}"
    text = form["options"] or ""
    try:
        options: Any = OmegaConf.to_container(OmegaConf.create(f"{{{text.replace('=', ': ')}}}"))
    except YAMLError:
        options = {}
    if len(options) != text.count("=") or (text and not options):
        raise ValueError(f"ways must have options as in sc2(method=cr_bq, width=3), got {way!r}")
    return form["scheme"], options, form["codec"] or "", form["cut"] or ""
