"""Library: what the systems of one request cost and answer, each network measured or read once."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from profiles.tables.hardware import THIS
from profiles.tables.settings import samples_digest
from profiles.tables.split import ENDS
from scenarios.systems import answers, branched, damage, llama2, schemed
from scenarios.systems.build import choices
from scenarios.systems.by_hand import ByHand
from scenarios.systems.coders import check_kind, coders
from scenarios.systems.generations import Session
from scenarios.systems.measured import Measured
from scenarios.systems.plain import is_plain
from scenarios.systems.sheets import Codec


class Library:
    """The tables behind some configurations: one per network, with all their cuts and codecs."""

    def __init__(self, configs: Sequence[Any]) -> None:
        self._configs = configs
        self._networks: dict[str, Any] = {}
        self._known: dict[str, Measured] = {}

    def measured(self, config: Any) -> Measured:
        """What a configuration is played on.

        Raises:
            ValueError: an unknown network, cut or codec, a codec that does not encode what crosses
                a cut.
        """
        _check_trace(config)
        if config.request is not None:
            return ByHand(request=config.request)
        self.check(config)
        about = attrgetter("request", "model", "scheme", "transport", "session", "live", "trace")
        asked = [one for one in self._configs if about(one) == about(config)]
        sound = [one for one in asked if self._sound(one)]
        cuts, codecs = _collect(sound)
        mine = _collect([config])
        if any(codecs.get(name) != codec for name, codec in mine[1].items()):
            cuts, codecs = mine  # one name for several settings
        try:
            return self._measure(config, cuts, codecs, damage.ways_of(sound))
        except ValueError:  # another configuration's, unless its own fails as well
            return self._measure(config, *mine, damage.ways_of([config]))

    def asked(self, config: Any) -> str:
        """The digest of the samples and labels that a scheme is judged on."""
        return samples_digest(*self._scheme(config).samples("test", config.model.samples))

    def measured_together(self, configs: Sequence[Any]) -> Measured:
        """What configurations that differ in cuts and codecs alone are played on, all of them.

        Raises:
            ValueError: as `measured`, of any of them.
        """
        for config in configs:
            self.check(config)
        return self._measure(configs[0], *_collect(configs), damage.ways_of(configs))

    def _measure(
        self, config: Any, cuts: list[str], codecs: dict[str, Codec], ways: list[Any]
    ) -> Measured:
        key = repr(
            (
                config.model,
                config.scheme,
                config.session,
                config.live,
                config.trace,
                cuts,
                codecs,
                config.transport,
                [way.label for way in ways],
                _is_here(config),
            )
        )
        if key not in self._known:
            self._known[key] = self._put_together(config, cuts, list(codecs.values()), ways)
        return self._known[key]

    def _put_together(
        self, config: Any, cuts: Sequence[str], codecs: Sequence[Codec], ways: Sequence[Any]
    ) -> Measured:
        """A big network of layers that were timed elsewhere, or one that is at hand."""
        if not is_plain(config):
            scheme = self._scheme(config)
            own = [schemed.cut_of(scheme, cut) for cut in cuts]
            if scheme.branches:
                return branched.measure(scheme, config.model, own, ways)
            how = {"live": config.live, "here": _is_here(config), "ways": ways}
            return schemed.measure(scheme, config.model, codecs, own, **how)
        if llama2.models(config.model.name):
            return llama2.measure(config.session, codecs, live=config.live)
        return _measure(config, self._subject(config), cuts, codecs, ways)

    def _subject(self, config: Any) -> Any:
        key = repr(config.model)
        if key not in self._networks:
            chosen = [one.cut for one in choices(config).values()]
            self._networks[key] = config.model.subject(
                answers.CACHE, check=lambda: answers.check_cuts_early(config.model.name, chosen)
            )
        return self._networks[key]

    def _scheme(self, config: Any) -> Any:
        key = repr((config.model.name, config.scheme))
        if key not in self._networks:
            self._networks[key] = schemed.make(config)
        return self._networks[key]

    def check(self, config: Any) -> None:
        """Refuse what cannot be measured, before anything is timed.

        Raises:
            ValueError: as `measured`.
        """
        chosen = choices(config).values()
        damage.check(config, [one.codec for one in chosen], [one.cut for one in chosen])
        if not is_plain(config):
            self._check_scheme(config)
            return
        if llama2.models(config.model.name):
            llama2.check_cuts([one.cut for one in chosen])
            return
        subject = self._subject(config)
        for one in chosen:
            answers.check_cuts(subject, [one.cut])
            made = {str(one.codec["name"]): coders(one.codec)}
            if subject.task != "language" or one.cut not in ENDS:
                check_kind(one.cut, made, subject.kind_of_input)

    def _check_scheme(self, config: Any) -> None:
        scheme = self._scheme(config)
        for one in choices(config).values():
            cut = schemed.cut_of(scheme, one.cut)
            made = {str(one.codec["name"]): coders(one.codec)}
            check_kind(cut, made, scheme.network.kind_of_input)

    def _sound(self, config: Any) -> bool:
        try:
            self.check(config)
        except ValueError:
            return False
        return True


def _measure(
    config: Any,
    subject: Any,
    cuts: Sequence[str],
    codecs: Sequence[Codec],
    ways: Sequence[Any],
) -> Measured:
    """A network that answers once, or one that generates tokens."""
    if subject.task != "language":
        every = [*cuts, "output"] if "output" not in cuts else list(cuts)  # to pair with no codec
        how = {"live": config.live, "here": _is_here(config), "given": config.trace}
        return answers.measure(config.model, codecs, every, subject=subject, ways=ways, **how)
    text: Session = config.session
    how = {"live": config.live, "here": _is_here(config), "given": config.trace}
    return text.measure(config.model.name, codecs, cuts, **how)


def _check_trace(config: Any) -> None:
    """Refuse a trace table where nothing reads one."""
    reasons = {
        "requests by hand have their own bytes": config.request is not None,
        f"{config.model.name} takes payloads scaled from a smaller network": llama2.models(
            config.model.name
        ),
        "live=true traces here": config.live,
    }
    for reason, holds in reasons.items():
        if config.trace and holds:
            raise ValueError(f"trace={config.trace} is not read: {reason}; leave one of them out")


def _is_here(config: Any) -> bool:
    """Whether a device or the server is the machine at hand.

    Raises:
        ValueError: its GPU: that is a profile of its own.
    """
    for role in ("device", "server"):
        sheet = getattr(config, role)
        if sheet.name == THIS and sheet.processor != "cpu":
            raise ValueError(
                f"{role}=this times one thread of the processor at hand, got {role}.processor="
                f"{sheet.processor}; `splitfleet profile` measures a GPU, {role}.profile=FILE takes"
                " it"
            )
    members = [member.device for member in config.members.values()]
    return THIS in (config.device.name, config.server.name, *members)


def _collect(configs: Sequence[Any]) -> tuple[list[str], dict[str, Codec]]:
    """Cuts, and codecs by name; of two codecs of one name the first."""
    every = [one for config in configs for one in choices(config).values()]
    codecs: dict[str, Codec] = {}
    for one in every:
        codecs.setdefault(str(one.codec["name"]), one.codec)
    return list(dict.fromkeys(one.cut for one in every)), codecs
