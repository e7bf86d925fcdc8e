"""What a page of the book shows: ``Page`` has a method for every table, figure and paragraph made from results.

Where nothing was measured, one line says so and the other methods return nothing: a page never fails for want of
results. Text from the results is escaped by ``markdown`` or ``code``.
"""

from seqbench.report.page.base import Html, Text
from seqbench.report.page.figures import FigurePage
from seqbench.report.page.tables import TablePage
from seqbench.report.page.text import TextPage

__all__ = ["Html", "Page", "Text"]


class Page(TablePage, FigurePage, TextPage):
    """The results folder that a page is about, and the task, if it is about one.

    Parameters
    ----------
    folder
        The results folder; it need not exist.
    task
        The name of the task.
    """
