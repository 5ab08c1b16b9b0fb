"""Drawing: the figure of an answer, by a copy of this process that loads matplotlib meanwhile."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.shell import forks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = Callable[[], Callable[[Any], "Figure"]]
"""Imports what draws an answer and returns it."""


def ahead(figures: Figures, *, forked: bool) -> forks.Ahead:
    """A task that writes figure.pdf and figure.png of (answer, folder). matplotlib takes half a
    second to import: a copy does it while others look for the answer, where it may be made.
    """
    work = partial(_draw, figures)
    return forks.Ahead(partial(_prepare, figures), work, forked=forked and forks.can_fork())


def _prepare(figures: Figures) -> None:
    from plots import files

    figures()
    files.prepare()


def _draw(figures: Figures, asked: tuple[Any, Path]) -> None:
    from plots import files

    answer, folder = asked
    files.save(figures()(answer), folder)
