"""Refusal: the request has no answer, and why."""

from __future__ import annotations


class Refusal(ValueError):
    """No number of devices can be named; the one line says which constraint failed where."""
