"""What all parts of a page share: the results folder, and pieces of Markdown and HTML."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import punctuation

import pandas as pd

from seqbench.records.store import Store
from seqbench.report.results import Results, make_frame
from seqbench.report.table import Row, Table
from seqbench.values.variants import strip_options


@dataclass(frozen=True)
class Text:
    """A paragraph or a list, in Markdown."""

    markdown: str

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return re.sub(rf"\\([{re.escape(punctuation)}])", r"\1", self.markdown)


@dataclass(frozen=True)
class Html:
    """A piece of a page, in HTML."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


class BasePage:
    """The results folder that a page is about, and the task, if it is about one.

    Parameters
    ----------
    folder
        The results folder; it need not exist.
    task
        The name of the task.
    """

    def __init__(self, folder: str | Path, task: str | None = None) -> None:
        self.store = Store(folder)
        self.task = task

    @cached_property
    def results(self) -> Results:
        """Return the contents of the folder, read once; the folder must exist."""
        return Results.read(self.store)

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Return the reporting runs of the core, of the task if there is one; empty if nothing was measured."""
        frame = make_frame(self.results.core if self.store.exists else [])
        return frame if self.task is None else frame[frame["task"] == self.task]

    @property
    def empty(self) -> bool:
        """Whether nothing was measured."""
        return self.runs.empty

    def say_nothing_measured(self) -> Text:
        """Return the line that replaces the results where nothing was measured."""
        if self.task is None:
            return Text("*Nothing was measured yet: `nox -s bench` measures it.*")
        return Text(f"*Nothing was measured yet: `seqbench run --task {self.task}` measures it.*")

    def find_table(self, id_: str) -> Table | None:
        """Return a table of the folder; None if it has no rows."""
        if not self.store.exists or id_ not in self.results.facts.tables:
            return None
        return self.results.table(id_) or None

    def find_part(self, id_: str) -> Table | None:
        """Return a table about ladders, or the part of it that is about the task; None if it has no rows."""
        table = self.find_table(id_)
        if table is None or self.task is None:
            return table
        columns = [column.name for column in table.columns]
        part = table.select(
            columns, lambda row: strip_options(str(row["task"])) == self.task, *table.notes
        )
        return part or None

    def is_core(self, row: Row) -> bool:
        """Return whether a row of T1 is of the core, or of a model that can't read the task."""
        return self.results.is_core(str(row.get("part") or ""))
