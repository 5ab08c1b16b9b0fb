"""Durations in words, short enough for a line on the screen."""


def say_duration(seconds: float) -> str:
    """`12 s`, `3 min`, `2.5 h`, `40 days`; two digits, in the largest unit that they fill."""
    if seconds < 100:
        return f"{seconds:.2g} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    days = seconds / 86400
    return f"{days:.0f} days" if days < 1e4 else f"{days / 365.25:.2g} years"
