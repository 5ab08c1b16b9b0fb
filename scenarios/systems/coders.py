"""From a codec as configured to the chain that encodes, under the kind of tensor that it takes."""

from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.systems.sheets import Codec


def coders(chosen: Codec) -> dict[str, Any]:
    """The codec under the kind of tensor that it encodes: images at the input, features behind."""
    import codec
    from codec.chains.images import ByteCodec

    options = {key: value for key, value in chosen.items() if key not in ("name", "chain")}
    made = codec.create(str(chosen["chain"]), **options)
    return {"input" if isinstance(made, ByteCodec) else "feature": made}


def coders_by_name(codecs: Sequence[Codec]) -> dict[str, Any]:
    """Every codec under its name in the results."""
    return {str(chosen["name"]): next(iter(coders(chosen).values())) for chosen in codecs}


def kind_of(chosen: Codec) -> str:
    """What a configured codec encodes: "input" (raw images) or "feature"."""
    return next(iter(coders(chosen)))


def check_kind(
    cut: str, settings: Mapping[str, Mapping[str, Any]], at_input: str = "input"
) -> None:
    """Refuse a cut whose tensor none of the codecs encodes; `at_input`: the kind of raw inputs."""
    kind = at_input if cut == "input" else "feature"
    if cut == "output" or any(kind in kinds for kinds in settings.values()):
        return
    sent, other = ("raw images", "jpeg") if kind == "input" else ("features", "slicer")
    sent = "numbers" if cut == "input" and kind == "feature" else sent
    raise ValueError(
        f"cut={cut} sends {sent}, which codec {', '.join(settings)} does not encode; "
        f"choose another, such as codec={other}"
    )
