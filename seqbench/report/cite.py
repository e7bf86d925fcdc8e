"""Citations of a table as BibTeX and RIS. They hold no date of access, so the same results give the same bytes."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import NamedTuple

from seqbench.text import printable, tex

# In a checkout; an installed package has its metadata instead.
CITATION = Path(__file__).parents[2] / "CITATION.cff"


class Reference(NamedTuple):
    """What identifies one table of one edition."""

    table: str
    title: str
    edition: str
    digest: str
    citable: bool  # whether the profile may be cited; local runs are never an edition

    @property
    def key(self) -> str:
        """Return the key of the BibTeX entry."""
        return f"seqbench-{self.edition}-{self.table}"

    @property
    def full_title(self) -> str:
        """Return the title with the number of the table."""
        return f"seqbench, table {self.table}: {self.title}"

    @property
    def standing(self) -> str:
        """Return the edition, whether it may be cited, and the content hash."""
        published = self.citable and self.edition != "local"
        warning = "" if published else ", not to be cited"
        return f"Edition {self.edition}{warning}. Content hash {self.digest}"

    @property
    def year(self) -> str | None:
        """Return the year that the edition names, if it names one."""
        named = re.match(r"(\d{4})\b", self.edition)
        return named[1] if named else None


def read_authors() -> str:
    """Return the authors of seqbench, from the package's metadata or else from CITATION.cff."""
    try:
        named = metadata("seqbench")["Author"]
    except PackageNotFoundError:
        named = None
    if named is None and CITATION.is_file():
        found = re.search(r"^authors:\n\s+- name: (.+)$", CITATION.read_text("utf-8"), re.MULTILINE)
        named = found[1].strip("\"'") if found else None
    return named or "The seqbench authors"


def write_bibtex(reference: Reference) -> str:
    """Return the reference as an entry of BibTeX."""
    fields = {
        "author": f"{{{tex(read_authors())}}}",
        "title": f"{{{tex(reference.full_title)}}}",
        "edition": tex(reference.edition),
        "year": reference.year,
        "note": tex(reference.standing),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{reference.key},", *lines, "}"]) + "\n"


def write_ris(reference: Reference) -> str:
    """Return the reference as a record of RIS."""
    fields = [
        ("TY", "DATA"),
        ("ID", reference.key),
        ("AU", read_authors()),
        ("TI", reference.full_title),
        ("ET", reference.edition),
        ("PY", reference.year),
        ("N1", reference.standing),
        ("ER", ""),
    ]
    return "".join(f"{tag}  - {printable(value)}\n" for tag, value in fields if value is not None)
