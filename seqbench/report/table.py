"""A table: columns and rows, written as CSV, JSON, LaTeX and HTML, and its citation.

A value is rounded once, to text, and every format writes this text. So all files have the same digits, and the same
rows give the same bytes.
"""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import StringIO
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

from seqbench.errors import unknown
from seqbench.records.schema import Manifest, digest
from seqbench.report import cite
from seqbench.text import csv_cell, html, printable, tex

Value = str | int | float | None
Row = dict[str, Value]
EMPTY = ("missing", "N/A", "beyond the horizon")  # the status of a row without numbers


def to_shortest(value: Value) -> str:
    """Return the shortest text of a value."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def to_decimals(digits: int) -> Callable[[Value], str]:
    """Return a function that writes numbers with this many digits after the point."""
    return lambda value: f"{value:.{digits}f}"


def to_significant(digits: int) -> Callable[[Value], str]:
    """Return a function that writes numbers with this many significant digits, without an exponent."""

    def written(value: Value) -> str:
        number = np.float64(value or 0.0)
        text = np.format_float_positional(
            number, digits, unique=False, fractional=False, trim="k", min_digits=digits
        )
        return text.rstrip(".")

    return written


class Column(NamedTuple):
    """A column: its name in the files, its heading, and its description.

    Attributes
    ----------
    form
        Writes a value as text.
    group
        Adjacent columns of one group have a common heading.
    css
        CSS classes in HTML.
    key
        Whether it identifies the row: such columns come first, and repeated values are printed faintly in HTML.
    files_only
        Whether it is left out of LaTeX and HTML.
    """

    name: str
    heading: str
    about: str
    form: Callable[[Value], str] = to_shortest
    group: str = ""
    css: str = ""
    key: bool = False
    files_only: bool = False

    def write_text(self, row: Row) -> str:
        """Return the text of this column in a row."""
        value = row.get(self.name)
        return "" if value is None else self.form(value)

    def write_csv(self, row: Row) -> str:
        """Return the text for CSV; a number may begin with a sign, other text is escaped."""
        text = self.write_text(row)
        return csv_cell(text) if isinstance(row.get(self.name), str) else text

    def round_value(self, row: Row) -> Value:
        """Return the value as rounded for printing."""
        value, text = row.get(self.name), self.write_text(row)
        if value is None or isinstance(value, str):
            return value and printable(value)
        return int(text) if text.lstrip("-").isdigit() else float(text)


class Content(NamedTuple):
    """The title, columns, rows and notes of a table.

    Attributes
    ----------
    rows
        In printed order. A row whose ``status`` is one of ``EMPTY`` has no numbers.
    notes
        Notes for the reader, a sentence each.
    """

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """A table of an edition, under a stable id; a table without rows is falsy.

    Attributes
    ----------
    title, columns, rows, notes
        Its ``Content``.
    whole
        The table that this one is a part of.
    """

    id: str
    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    manifest: Manifest
    notes: tuple[str, ...] = ()
    whole: "Table | None" = None

    @classmethod
    def make(cls, id_: str, name: str, content: Content, manifest: Manifest) -> "Table":
        """Return the table with this content."""
        title, columns, rows, notes = content
        return cls(id_, name, title, columns, tuple(rows), manifest, tuple(notes))

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def values(self) -> list[Row]:
        """Return the rows as printed, with rounded numbers."""
        return [{c.name: c.round_value(row) for c in self.columns} for row in self.rows]

    @property
    def frame(self) -> pd.DataFrame:
        """Return the printed values as a frame."""
        return pd.DataFrame(self.values, columns=[c.name for c in self.columns])

    @property
    def displayed_columns(self) -> list[Column]:
        """Return the columns of LaTeX and HTML."""
        return [c for c in self.columns if not c.files_only]

    @cached_property
    def digest(self) -> str:
        """Return the content hash: of the column names and printed values of the whole table."""
        if self.whole is not None:
            return self.whole.digest
        return digest({"columns": [c.name for c in self.columns], "rows": self.values})

    @property
    def reference(self) -> cite.Reference:
        """Return the citation of the table."""
        return cite.Reference(
            self.id, self.title, self.manifest.edition, self.digest, self.manifest.citable
        )

    def select(self, columns: Iterable[str], keep: Callable[[Row], bool], *notes: str) -> "Table":
        """Return the part with these columns and the kept rows, with its own notes."""
        names = set(columns)
        return replace(
            self,
            columns=tuple(c for c in self.columns if c.name in names),
            rows=tuple(filter(keep, self.rows)),
            notes=notes,
            whole=self if self.whole is None else self.whole,
        )

    def select_tasks(self, tasks: Sequence[str]) -> "Table":
        """Return the part about these tasks; raise if one has no rows. A table without tasks is returned unchanged."""
        if "task" not in (column.name for column in self.columns):
            return self
        there = list(dict.fromkeys(str(row["task"]) for row in self.rows))
        for task in tasks:
            if task not in there:
                raise unknown("task", task, there, f"table '{self.name}'")
        columns = [column.name for column in self.columns]
        return self.select(columns, lambda row: row["task"] in tasks, *self.notes)

    def csv(self) -> str:
        """Return the table as CSV, with a header line."""
        out = StringIO()
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(c.name for c in self.columns)
        lines.writerows([c.write_csv(row) for c in self.columns] for row in self.rows)
        return out.getvalue()

    def json(self) -> str:
        """Return the table as JSON, with the descriptions of its columns."""
        head = {
            "id": self.id,
            "name": self.name,
            "title": self.title,
            "edition": self.manifest.edition,
            "citable": self.manifest.citable,
            "profile": self.manifest.profile,
            "specification": self.manifest.specification,
            "hash": self.digest,
            "notes": [printable(note) for note in self.notes],
            "columns": [{"name": c.name, "about": c.about} for c in self.columns],
            "rows": self.values,
        }
        return json.dumps(head, indent=1, ensure_ascii=False) + "\n"

    def tex(self) -> str:
        """Return the table for LaTeX; its second line names the packages it needs."""
        shown = self.displayed_columns
        spec = "".join("l" if is_text(c, self.rows) else "r" for c in shown)
        caption = tex(f"{self.title}. {self.reference.standing}.")
        lines = [
            printable(f"% {self.reference.full_title}. {self.reference.standing}."),
            "% It needs the packages booktabs and longtable.",
            f"\\begin{{longtable}}{{{spec}}}",
            f"\\caption{{{caption}}}\\label{{tab:seqbench-{self.id}}}\\\\",
            "\\toprule",
            *write_tex_head(shown),
            "\\midrule",
            "\\endhead",
            *(write_tex_row(shown, row) for row in self.rows),
            "\\bottomrule",
            "\\end{longtable}",
        ]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """Return the table as HTML: a plain ``<table>`` with the notes below."""
        shown = self.displayed_columns
        part = "" if self.whole is None else "Part of "
        above = [None, *self.rows]
        lines = [
            f'<div class="seqbench-table {html(self.name)}">',
            '<table class="dataframe">',
            f'<caption><span class="number">{part}{self.id}</span> {html(self.title)} '
            f'<span class="standing">{html(self.reference.standing)}</span></caption>',
            "<thead>",
            *write_html_head(shown),
            "</thead>",
            "<tbody>",
            *(
                write_html_row(shown, row, last)
                for row, last in zip(self.rows, above, strict=False)
            ),
            "</tbody>",
            "</table>",
            *(f'<p class="note">{html(note)}</p>' for note in self.notes),
            "</div>",
        ]
        return "\n".join(lines) + "\n"

    def bibtex(self) -> str:
        """Return the citation as a BibTeX entry."""
        return cite.write_bibtex(self.reference)

    def ris(self) -> str:
        """Return the citation as a RIS record."""
        return cite.write_ris(self.reference)

    def __repr__(self) -> str:
        return f"{self.reference.full_title}. {self.reference.standing}.\n\n{self.csv()}"

    _repr_html_ = html  # the display in a notebook


class Format(NamedTuple):
    """A file format of a table or of its citation: name, file ending, and the function that writes it."""

    name: str
    ending: str
    write: Callable[[Table], str]


FORMATS = {
    "csv": Format("CSV", "csv", Table.csv),
    "json": Format("JSON", "json", Table.json),
    "latex": Format("LaTeX", "tex", Table.tex),
    "html": Format("HTML", "html", Table.html),
    "bibtex": Format("BibTeX", "bib", Table.bibtex),
    "ris": Format("RIS", "ris", Table.ris),
}
REFERENCES = ("bibtex", "ris")


def is_text(column: Column, rows: Sequence[Row]) -> bool:
    """Return whether a column holds text, and is set flush left."""
    return any(isinstance(row.get(column.name), str) for row in rows)


def group_columns(shown: Iterable[Column]) -> list[tuple[str, list[Column]]]:
    """Return the columns by group; a column without a group forms its own, with an empty name."""
    found = groupby(shown, key=lambda c: c.group or f"\0{c.name}")
    return [("" if name.startswith("\0") else name, list(members)) for name, members in found]


def write_html_head(shown: list[Column]) -> list[str]:
    """Return one line of headings, or two where columns are grouped."""
    found = group_columns(shown)
    grouped = any(name for name, _ in found)
    lines: list[list[str]] = [[], []]
    for name, members in found:
        if name:
            lines[0].append(f'<th colspan="{len(members)}" class="group">{html(name)}</th>')
        for c in members:
            span = ' rowspan="2"' if grouped and not name else ""
            css = f' class="{c.css}"' if c.css else ""
            cell = f'<th{css}{span} title="{html(c.about)}">{html(c.heading)}</th>'
            lines[1 if name else 0].append(cell)
    return [f"<tr>{''.join(line)}</tr>" for line in lines if line]


def write_html_row(shown: list[Column], row: Row, above: Row | None) -> str:
    """Return a line of the body; keys that repeat the line above are marked, a status replaces all numbers."""
    cells = []
    same = above is not None
    for i, c in enumerate(shown):
        if not c.key and row.get("status") in EMPTY:
            status = html(str(row["status"]))
            cells.append(f'<td class="status" colspan="{len(shown) - i}">{status}</td>')
            break
        same = same and c.key and above is not None and row.get(c.name) == above.get(c.name)
        text = c.write_text(row)
        names = [*c.css.split(), *(["same"] if same else []), *([] if text else ["none"])]
        css = f' class="{" ".join(names)}"' if names else ""
        cells.append(f"<td{css}>{html(text)}</td>")
    lead = shown[0].name
    first = above is None or row.get(lead) != above.get(lead)
    start = '<tr class="first">' if first else "<tr>"
    return f"{start}{''.join(cells)}</tr>"


def write_tex_head(shown: list[Column]) -> list[str]:
    """Return one line of headings, or two where columns are grouped."""
    found = group_columns(shown)
    lower = " & ".join(tex(c.heading) for c in shown) + " \\\\"
    if not any(name for name, _ in found):
        return [lower]
    upper, rules, at = [], [], 1
    for name, members in found:
        upper.append(f"\\multicolumn{{{len(members)}}}{{c}}{{{tex(name)}}}" if name else "")
        if name:
            rules.append(f"\\cmidrule(lr){{{at}-{at + len(members) - 1}}}")
        at += len(members)
    return [" & ".join(upper) + " \\\\", " ".join(rules), lower]


def write_tex_row(shown: list[Column], row: Row) -> str:
    """Return a line of the body."""
    cells = [tex(c.write_text(row)) for c in shown]
    if row.get("status") in EMPTY:
        keys = sum(c.key for c in shown)
        status = f"\\multicolumn{{{len(shown) - keys}}}{{l}}{{{tex(str(row['status']))}}}"
        cells = [*cells[:keys], status]
    return " & ".join(cells) + " \\\\"
