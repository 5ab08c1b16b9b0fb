"""The processor at hand, by its name."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's own name; Linux states it in /proc/cpuinfo only."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        with info.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
