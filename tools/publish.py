"""Make an edition of a results folder: what is published, sealed, and never rewritten.

    python tools/publish.py results/local/quick preview

It copies the plan and all that was measured to ``results/<edition>``, with the machines, writes down what the tables
take from the code of today, and the tables, checks it, and seals it: from then on ``seqbench validate`` finds every
changed digit, whatever a later version says.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import TypeAdapter, ValidationError

from seqbench.errors import BadInput
from seqbench.records.store import Store
from seqbench.report.facts import read_facts
from seqbench.report.folder import FORM, check_tables, write_tables
from seqbench.text import printable
from seqbench.values.fields import Name

PARTS = ("records", "throughput", "comparisons", "baselines", "probes", "trials", "systems")
PREVIEW = "preview"  # the one edition that may be made anew, and that nobody is to cite


def measured(source: Store) -> dict[str, list[Any]]:
    """Return all that says by which code it was measured, by kind."""
    return {
        "records": [record.provenance for record in source.records()],
        "step times": source.throughput(),
        "comparisons": source.comparisons(),
        "baselines": source.baselines(),
        "probes": source.probes(),
        "trials": source.trials(),
    }


def publish(source: Store, edition: str) -> Store:
    """Return the sealed edition."""
    manifest = source.manifest()
    target = named_edition(source, edition)
    source.check_layout()
    for kind, rows in measured(source).items():
        # An older seqbench took what it could not know for clean.
        dirty = sum(row.dirty or row.commit == "unknown" for row in rows)
        if dirty:
            raise BadInput(
                f"{source.path}: {dirty} {kind} were measured by code that was not committed"
            )
    with TemporaryDirectory(dir=target.path.parent, prefix=".") as aside:
        citable = manifest.citable and edition != PREVIEW
        update = {"edition": edition, "citable": citable, "form": FORM, "files": {}}
        made = Store(Path(aside, edition)).create(manifest.model_copy(update=update))
        for part in PARTS:
            for file in source.list_files(part):
                copy = made.path / file.relative_to(source.path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
        if plan := source.plan():
            made.write_plan(plan)
        made.write_facts(read_facts(source))
        write_tables(made)
        made.seal()
        if wrong := [*made.validate(), *check_tables(made)]:
            raise BadInput("; ".join(wrong))
        if target.exists:
            target.path.rename(Path(aside, "older"))
        made.path.rename(target.path)
    return target


def named_edition(source: Store, edition: str) -> Store:
    """Return the folder of an edition; raise where it can't be one, or is one already."""
    try:
        TypeAdapter(Name).validate_python(edition)
    except ValidationError:
        raise BadInput(
            f"an edition is named by letters, digits, '-', '_' and '.', like 2026.1; got '{edition}'"
        ) from None
    target = Store(Path("results", edition))
    if edition == "local" or target.path.resolve() == source.path.resolve():
        raise BadInput(
            f"{target.path} holds results that are not published; choose another edition"
        )
    if target.path.exists() and (edition != PREVIEW or not target.exists):
        raise BadInput(
            f"{target.path} is there already and is not rewritten; choose another edition"
        )
    return target


def main(arguments: list[str]) -> int:
    """Publish; return an exit code."""
    if len(arguments) != 2:
        print("usage: python tools/publish.py RESULTS EDITION", file=sys.stderr)
        return 2
    try:
        store = publish(Store(arguments[0]), arguments[1])
    except BadInput as error:
        print(printable(str(error)), file=sys.stderr)
        return error.exit_code
    print(f"{len(store.records())} records are published in {store.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
