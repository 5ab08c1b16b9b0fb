"""Measure anew what the repository ships: `python -m profiles [NAME ...]`, or `all`.

Times are only worth keeping from a machine that does nothing else meanwhile.
"""

import sys
from collections.abc import Callable

from profiles import models, shipped

PRODUCTS: dict[str, tuple[str, Callable[[], str]]] = {
    "profiles": ("every model at 1 and 2 threads", shipped.make_profiles),
    "trace": ("600 scenes at every cut and setting, 5 repeats", shipped.make_trace),
    "accuracy": ("drops on 3,000 to 36,000 scenes and all 1,797 digits", shipped.make_accuracy),
    "law": ("codec seconds against size and depth", shipped.make_law),
}


def main(names: list[str]) -> int:
    """Make the products named; list them if none is."""
    unknown = [name for name in names if name not in (*PRODUCTS, "all")]
    if unknown:
        print(f"product must be one of {', '.join(PRODUCTS)}, all; got {unknown[0]!r}")
        return 2
    if not names:
        for name, (what, _) in PRODUCTS.items():
            print(f"{name:10} {what}")
        print(f"models: {', '.join(models.names())}")
    for name in PRODUCTS if "all" in names else names:
        print(f"{name}: {PRODUCTS[name][0]}", flush=True)
        print(PRODUCTS[name][1](), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
