"""Root: where a function crosses zero.

Brent's method (1973, "Algorithms for Minimization without Derivatives", chapter 4): the secant or
inverse quadratic step where it stays well within the bracket, else the middle. Step by step that of
`scipy.optimize.brentq`, with the same bits, whose package takes a quarter of a second to import.
"""

from collections.abc import Callable

_RELATIVE = 2.0**-50  # four roundings
_MOST_STEPS = 100


def root(
    function: Callable[[float], float], low: float, high: float, *, within: float = 2e-12
) -> float:
    """The place between `low` and `high` where `function` is 0, known to `within` and a few
    roundings of it.

    Raises:
        ValueError: both ends lie on one side of 0.
    """
    before, here = low, high
    f_before, f_here = float(function(before)), float(function(here))
    if f_before == 0.0 or f_here == 0.0:
        return before if f_before == 0.0 else here
    if (f_before < 0.0) == (f_here < 0.0):
        raise ValueError(
            f"a root needs values on both sides of 0, got {f_before:g} at {low:g} and"
            f" {f_here:g} at {high:g}"
        )
    across, f_across = before, f_before  # the end on the other side of the root
    last = step = here - before
    for _ in range(_MOST_STEPS):
        if f_before != 0.0 and (f_before < 0.0) != (f_here < 0.0):
            across, f_across = before, f_before
            last = step = here - before
        if abs(f_across) < abs(f_here):  # the best one stands at `here`
            before, here, across = here, across, here
            f_before, f_here, f_across = f_here, f_across, f_here
        least = (within + _RELATIVE * abs(here)) / 2.0
        half = (across - here) / 2.0
        if f_here == 0.0 or abs(half) < least:
            return here
        last, step = _step((before, here, across), (f_before, f_here, f_across), last, step, least)
        before, f_before = here, f_here
        here += step if abs(step) > least else (least if half > 0.0 else -least)
        f_here = float(function(here))
    raise ValueError(f"no root within {_MOST_STEPS} steps between {low:g} and {high:g}")


def _step(
    places: tuple[float, float, float],
    values: tuple[float, float, float],
    last: float,
    step: float,
    least: float,
) -> tuple[float, float]:
    """The step before the next one, and the next one."""
    (before, here, across), (f_before, f_here, f_across) = places, values
    half = (across - here) / 2.0
    if abs(last) > least and abs(f_here) < abs(f_before):
        if before == across:
            tried = -f_here * (here - before) / (f_here - f_before)
        else:
            to_before = (f_before - f_here) / (before - here)
            to_across = (f_across - f_here) / (across - here)
            above = f_across * to_across - f_before * to_before
            tried = -f_here * above / (to_across * to_before * (f_across - f_before))
        if 2.0 * abs(tried) < min(abs(last), 3.0 * abs(half) - least):
            return step, tried
    return half, half
