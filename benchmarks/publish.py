"""Make an edition of a results folder: what is published, sealed, and never rewritten.

    python benchmarks/publish.py results/local/quick preview

It copies the plan and all that was measured to ``results/<edition>``, with the machines, writes down what the tables
take from the code of today, and the tables, checks it, and seals it: from then on ``seqbench validate`` finds every
changed digit, whatever a later version says.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from seqbench.errors import BadInput
from seqbench.report.facts import facts_of
from seqbench.report.folder import FORM, check_tables, write_tables
from seqbench.store import Store
from seqbench.text import printable

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
    target = Store(Path("results", edition))
    for kind, rows in measured(source).items():
        # An older seqbench took what it could not know for clean.
        dirty = sum(row.dirty or row.commit == "unknown" for row in rows)
        if dirty:
            raise BadInput(
                f"{source.path}: {dirty} {kind} were measured by code that was not committed"
            )
    if target.exists and edition != PREVIEW:
        raise BadInput(f"{target.path} is published and is not rewritten; choose another edition")
    shutil.rmtree(target.path, ignore_errors=True)
    for part in PARTS:
        if (source.path / part).is_dir():
            shutil.copytree(source.path / part, target.path / part)
    if plan := source.plan():
        target.keep_plan(plan)
    citable = manifest.citable and edition != PREVIEW
    update = {"edition": edition, "citable": citable, "form": FORM, "files": {}}
    target.create(manifest.model_copy(update=update))
    target.keep_facts(facts_of(source))
    write_tables(target)
    target.seal()
    if wrong := [*target.validate(), *check_tables(target)]:
        raise BadInput("; ".join(wrong))
    return target


def main(arguments: list[str]) -> int:
    """Publish; return an exit code."""
    if len(arguments) != 2:
        print("usage: python benchmarks/publish.py RESULTS EDITION", file=sys.stderr)
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
