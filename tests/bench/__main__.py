"""Run the benchmarks of this folder: `python -m tests.bench [names]`.

A benchmark is a module with `main()`, or else `run()`, that prints its table.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

from tests import bench


def names() -> list[str]:
    """The benchmarks by name, in order."""
    return sorted(
        m.name for m in pkgutil.iter_modules(bench.__path__) if not (m.ispkg or m.name[0] == "_")
    )


def main(wanted: list[str]) -> None:
    """Run the wanted benchmarks, all where none is named."""
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(names())}")
    for name in wanted or names():
        print(f"\n{name}", flush=True)
        module = importlib.import_module(f"tests.bench.{name}")
        sys.argv = [f"tests.bench.{name}"]
        (getattr(module, "main", None) or module.run)()


if __name__ == "__main__":
    main(sys.argv[1:])
