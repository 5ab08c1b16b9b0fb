"""What must be said of the figures of a run, or of their means over runs."""

from collections.abc import Mapping

from sim.request import COMPLETE, ENDINGS


def cautions(values: Mapping[str, float]) -> tuple[str, ...]:
    """Sentences about columns that a reader would misread; empty where there is nothing to say."""
    return (*_say_unanswered(values), *_say_truncated(values), *_say_training(values))


def _say_unanswered(values: Mapping[str, float]) -> list[str]:
    """Nothing was answered, so that there is nothing to average."""
    if values["n_requests"] > 0.0:
        return []
    return ["nothing was answered in the window: horizon_s is too short, or nothing gets through"]


def _say_truncated(values: Mapping[str, float]) -> list[str]:
    """Sessions that were cut short have not been served."""
    share = values.get("truncated_share", 0.0)
    if not share > 0.0:
        return []
    causes = {
        name: values[f"truncated_share_{name}"]
        for number, name in enumerate(ENDINGS)
        if number != COMPLETE
    }
    said = ", ".join(f"{name} {100 * part:.3g} %" for name, part in causes.items() if part > 0.0)
    return [f"{100 * share:.3g} % of the sessions were cut short and count as not served ({said})"]


def _say_training(values: Mapping[str, float]) -> list[str]:
    """Devices that still trained made no requests in a part of the window."""
    share = values.get("adapt_window_share", 0.0)
    if not share > 0.0:
        return []
    return [
        f"devices trained for {100 * share:.3g} % of the window, in which they made no requests:"
        " warmup_s beyond their training measures requests alone"
    ]
