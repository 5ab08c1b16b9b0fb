"""Keeps back what libraries log, print and warn of; what matters of it is said in our words."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO


@contextmanager
def silence() -> Iterator[StringIO]:
    """Nothing that the body logs, prints or warns of is seen; what it printed is handed over."""
    before, printed = logging.root.manager.disable, StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield printed
    finally:
        logging.disable(before)
