"""Joules per answer: what the devices draw, what the server draws, and both together."""

import math
from math import nan

import numpy as np

from sim.measures.meters import Book, select, since
from sim.places import groups_of
from sim.specs import SystemSpec


def energy_columns(spec: SystemSpec, book: Book) -> dict[str, float]:
    """Energy per answer of one run: of all devices, of all GPUs, of both; NaN where a watt is
    missing, so that no sum leaves somebody out.
    """
    n_done = len(book.done["done_s"])
    devices_j, server_j = (
        (device_energy_j(spec, book), server_energy_j(spec, book)) if n_done else (nan, nan)
    )
    each = n_done or nan
    return {
        "energy_j_per_request": (devices_j + server_j) / each,
        "device_energy_j_per_request": devices_j / each,
        "server_energy_j_per_request": server_j / each,
    }


def server_energy_j(spec: SystemSpec, book: Book) -> float:
    """Joules of all GPUs over the window; NaN without both watts.

    E = n_gpus idle_w (window) + (busy_w - idle_w) (GPU seconds): what idles is shared by all
    answers, however few. Approximation: a GPU at work draws one power, whatever its batch.
    """
    server = spec.server
    if server.power_idle_w is None or server.power_busy_w is None:
        return nan
    busy_s = book.end.server_busy_s - book.begin.server_busy_s  # of one GPU, on average
    further_w = server.power_busy_w - server.power_idle_w
    return server.n_gpus * (server.power_idle_w * book.length_s + further_w * busy_s)


def device_energy_j(spec: SystemSpec, book: Book) -> float:
    """Joules of all devices; NaN unless every group has a power sheet.

    E = idle_w (seconds present) + compute_w (processor seconds) + transmit_w (airtime), over what
    left in the window (a request's whole work counts where it left).
    """
    groups = tuple(groups_of(spec).values())
    if any(group.power is None for group in groups):
        return nan
    start_s = book.begin.time_s
    every = (book.gone, since(book.steps, start_s), since(book.rounds, start_s))
    total_j = 0.0
    for number, group in enumerate(groups):
        assert group.power is not None
        tables = [select(table, table["group"] == number) for table in every]
        worked_s = math.fsum(
            float(np.nansum(table["device_end_s"] - table["device_start_s"] + table["backward_s"]))
            for table in tables
        )
        present_s = book.end.present_s[number] - book.begin.present_s[number]
        total_j += group.power.idle_w * present_s + group.power.compute_w * worked_s
        total_j += group.power.transmit_w * math.fsum(
            float(np.sum(table["airtime_s"])) for table in (tables[0], tables[2])
        )
    return total_j
