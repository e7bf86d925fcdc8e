"""Publish a results folder as an edition, which is sealed and never rewritten.

    python tools/publish.py --begin 2026.2
    python tools/publish.py results/2026.2 2026.2

The first makes the folder of an edition that is to be measured, with the profile ``edition``, over many runs; it is not
citable yet. The second publishes what was measured, in that folder or in another. It copies the plan, the measurements
and the machines to ``results/<edition>``, writes the facts that the tables take from today's code (``facts.json``) and
the tables, checks everything, and seals the folder: from then on ``seqbench validate`` finds every changed digit, also
by a later version.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import TypeAdapter, ValidationError

from seqbench.errors import BadInput
from seqbench.protocol.profiles import EDITION
from seqbench.records.store import Store
from seqbench.report.facts import read_facts
from seqbench.report.folder import check_tables, write_tables
from seqbench.report.form import FORM
from seqbench.text import printable
from seqbench.values.fields import Name

PARTS = (
    "records",
    "throughput",
    "comparisons",
    "baselines",
    "probes",
    "trials",
    "systems",
    "specs",
)


def list_measured(source: Store) -> dict[str, list[Any]]:
    """Return the rows that name the code by which they were measured, by kind; each kind has a type of its own."""
    return {
        "records": [record.provenance for record in source.records()],
        "step times": source.throughput(),
        "comparisons": source.comparisons(),
        "baselines": source.baselines(),
        "probes": source.probes(),
        "trials": source.trials(),
    }


def publish(source: Store, edition: str) -> Store:
    """Publish a results folder as an edition; return the sealed edition.

    Raises BadInput where the folder can't be published, or the edition exists.
    """
    manifest = source.manifest()
    target = check_edition(source, edition)
    source.check_layout()
    for kind, rows in list_measured(source).items():
        # An older seqbench recorded an unknown commit as clean.
        dirty = sum(row.dirty or row.commit == "unknown" for row in rows)
        if dirty:
            raise BadInput(
                f"{source.path}: {dirty} {kind} were measured by code that was not committed"
            )
    with TemporaryDirectory(dir=target.path.parent, prefix=".") as folder:
        citable = manifest.citable or manifest.profile == EDITION.name
        update = {"edition": edition, "citable": citable, "form": FORM, "files": {}}
        copy = Store(Path(folder, edition)).create(manifest.model_copy(update=update))
        for part in PARTS:
            for file in source.list_files(part):
                place = copy.path / file.relative_to(source.path)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
        if plan := source.plan():
            copy.write_plan(plan)
        copy.write_facts(read_facts(source))
        write_tables(copy)
        copy.seal()
        if wrong := [*copy.validate(), *check_tables(copy)]:
            raise BadInput("; ".join(wrong))
        if target.exists:
            target.path.rename(Path(folder, "older"))
        copy.path.rename(target.path)
    return target


def check_name(edition: str) -> None:
    """Raise BadInput where an edition can't have the name."""
    try:
        TypeAdapter(Name).validate_python(edition)
    except ValidationError:
        raise BadInput(
            f"an edition is named by letters, digits, '-', '_' and '.', like 2026.1; got '{edition}'"
        ) from None


def check_edition(source: Store, edition: str) -> Store:
    """Return the folder for an edition; raise BadInput where the name is not allowed or the edition exists."""
    check_name(edition)
    target = Store(Path("results", edition))
    if edition == "local":
        raise BadInput(
            f"{target.path} holds results that are not published; choose another edition"
        )
    in_place = target.path.resolve() == source.path.resolve() and not source.manifest().files
    if target.path.exists() and not in_place:
        raise BadInput(
            f"{target.path} is there already and is not rewritten; choose another edition"
        )
    return target


def begin(edition: str) -> Store:
    """Make the folder of an edition that is to be measured; return it.

    Raises BadInput where the name is not allowed or the edition exists.
    """
    check_name(edition)
    folder = Path("results", edition)
    if folder.exists():
        raise BadInput(f"{folder} is there already; choose another edition")
    manifest = EDITION.make_manifest(edition)
    return Store(folder).create(manifest.model_copy(update={"citable": False, "form": FORM}))


def main(arguments: list[str]) -> int:
    """Read the command line and publish; return an exit code."""
    if len(arguments) != 2:
        print("usage: python tools/publish.py RESULTS EDITION, or --begin EDITION", file=sys.stderr)
        return 2
    try:
        if arguments[0] == "--begin":
            print(f"{begin(arguments[1]).path} is to be measured")
            return 0
        store = publish(Store(arguments[0]), arguments[1])
    except BadInput as error:
        print(printable(str(error)), file=sys.stderr)
        return error.exit_code
    print(f"{len(store.records())} records are published in {store.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
