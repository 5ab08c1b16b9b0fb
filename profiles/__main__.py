"""Measure anew what the repository ships: `python -m profiles [NAME ...]`, or `all`.

    python -m profiles profiles                         every network, 1 and 2 threads
    python -m profiles profiles device=cuda             those worth it, on the GPU at hand: CUDA
                                                        graphs, half precision, 50 s each;
                                                        mode=eager|compiled precision=fp32|bf16
    python -m profiles compare folder=FOLDER            against the shipped table of that GPU
    python -m profiles profiles models=digits,scenes threads=1 budget_s=30

Times are only worth keeping from a machine that does nothing else meanwhile.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from profiles import models
from profiles.shipping import comparison, language_report, portfolio
from profiles.shipping import prediction_report as errors
from profiles.shipping import products as shipped


def make_profiles(options: Mapping[str, str]) -> str:
    """Measure the profiles that are not there yet."""
    names, device = options.get("models", ""), options.get("device", "cpu")
    paths = portfolio.make(
        tuple(names.split(",")) if names else (),
        device=device,
        precision=options.get("precision", "auto"),
        mode=options.get("mode", "auto"),
        threads=tuple(int(n) for n in options.get("threads", "1,2").split(",")),
        budget_s=float(options.get("budget_s", "60" if device == "cpu" else "50")),
        machine=options.get("machine", "xeon" if device == "cpu" else ""),
        folder=_folder(options),
        say=lambda text: print(text, flush=True),
    )
    size = sum(path.stat().st_size for path in paths)
    said = f"{len(paths)} profiles, {size / 1e6:.2f} MB"
    return f"{said}\n{comparison.report(paths)}" if device == "cuda" and paths else said


def compare_profiles(options: Mapping[str, str]) -> str:
    """Compare the GPU profiles of a folder with the table of the same machine."""
    return comparison.report(sorted(_folder(options).glob("*-[a-z]*-[a-z]*.npz")))


def _folder(options: Mapping[str, str]) -> Path:
    return Path(options.get("folder", str(portfolio.DATA / "profiles")))


def _without(make: Callable[[], str]) -> Callable[[Mapping[str, str]], str]:
    return lambda options: make()


PRODUCTS: dict[str, tuple[str, Callable[[Mapping[str, str]], str]]] = {
    "profiles": (
        "every network at 1 and 2 threads, a minute each; device=, mode=, precision=, machine=,"
        " models=, threads=, budget_s=, folder=",
        make_profiles,
    ),
    "compare": ("profiles of a GPU in folder= against its shipped table", compare_profiles),
    "trace": ("600 scenes at every cut and setting, 5 repeats", _without(shipped.make_trace)),
    "accuracy": (
        "drops on 3,000 to 36,000 scenes and all 1,797 digits",
        _without(shipped.make_accuracy),
    ),
    "tolerance": ("the error at which each task loses 1 pp", _without(shipped.make_tolerance)),
    "language": (
        "bits per byte of the byte Llama, and its generations, at every cut and setting",
        _without(language_report.make),
    ),
    "published": (
        "errors against published latencies, from shipped profiles; sheets=FOLDER (conf)",
        lambda options: errors.make(options.get("sheets", "conf")),
    ),
    "law": ("codec seconds against size and depth", _without(shipped.make_law)),
}
OPTIONS = (
    "device", "mode", "precision", "models", "threads", "budget_s", "machine", "folder", "sheets",
)  # fmt: skip


def main(words: list[str]) -> int:
    """Make the products named; list them if none is."""
    names = [word for word in words if "=" not in word]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    for kind, given, known in (
        ("product", names, (*PRODUCTS, "all")),
        ("option", list(options), OPTIONS),
    ):
        for word in given:
            if word not in known:
                print(f"{kind} must be one of {', '.join(known)}; got {word!r}")
                return 2
    if not names:
        for name, (what, _) in PRODUCTS.items():
            print(f"{name:10} {what}")
        print(f"models: {', '.join(models.names())}")
    try:
        for name in PRODUCTS if "all" in names else names:
            print(f"{name}: {PRODUCTS[name][0]}", flush=True)
            print(PRODUCTS[name][1](options), flush=True)
    except ValueError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
