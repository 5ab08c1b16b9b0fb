"""Train a network or a scheme by its recipe and compare it with the weights that are shipped.

The recipe (epochs, rate, seed, data) is fixed in profiles/models and profiles/schemes; the result
is kept in outputs/cache under the recipe's hash, the shipped weights stay as they are.
`scheme=early_exit model=digits` trains what that scheme needs for these data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.systems import schemed
from scenarios.systems.plain import is_plain
from scenarios.systems.scenario import Model
from sim.specs.check import option


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which network."""

    name: str = "train"
    model: Model = option(Model, "digits (15 s), scenes or bytellama (minutes)")
    scheme: dict[str, Any] = option({}, "scheme, split: the network itself; see group scheme")
    codec: dict[str, Any] = option({}, "that of a scheme; training does not read it")


def run(config: Config) -> int:
    """Train, and print both accuracies on the same test samples."""
    called, fresh, shipped = _network(config) if is_plain(config) else _scheme(config)
    for what, found in (("trained here", fresh), ("shipped", shipped)):
        made = f"(torch {found['torch']}, weights {found['digest']})"
        text = f"{called}, {what}: {_quality(found)} on {found['n_test']} test samples {made}"
        print(text)
    return 0


Figures = Mapping[str, Any]


def _network(config: Config) -> tuple[str, Figures, Figures]:
    """A network as it is."""
    from profiles.models.training import train
    from profiles.models.weights import SHIPPED, read_provenance

    model = config.model.name
    _, fresh = train(model)
    stem = "digits-0" if model == "digits" else model
    return model, fresh, read_provenance(SHIPPED / f"{stem}.npz")


def _scheme(config: Config) -> tuple[str, Figures, Figures]:
    """What a scheme trains."""
    from profiles import schemes

    scheme = schemed.make(config)
    options = schemes.training_options(scheme)
    _, fresh = schemes.train(scheme.name, scheme.model, **options)
    about = scheme.provenance  # of a searched network the accuracy is that of what was found
    shipped = {**about, "accuracy": about.get("accuracy_trained", about["accuracy"])}
    said = "".join(f" {name}={value}" for name, value in options.items() if value is not None)
    return f"{scheme.name} on {scheme.model}{said}", fresh, shipped


def _quality(found: Figures) -> str:
    if "bits_per_byte" in found:
        return f"{found['bits_per_byte']:.4f} bits per byte"
    early = f", early {100 * found['accuracy_early']:.2f} %" if "accuracy_early" in found else ""
    if "accuracy_frozen" in found:
        early += f", without adapter {100 * found['accuracy_frozen']:.2f} %"
    return f"{100 * found['accuracy']:.2f} % right{early}"
