"""``seqbench list``: what there is."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from seqbench.catalogue import Catalogue
from seqbench.cli.app import app
from seqbench.cli.options import AsJson
from seqbench.cli.terminal import Rows, answer, complain
from seqbench.errors import BadInput, unknown
from seqbench.text import printable


def describe_entries(catalogue: Catalogue, options: bool) -> Rows:
    """Return the name and the first line of every entry, without importing it; where they are wanted, its options."""
    rows: Rows = [{"name": name, "about": catalogue.summary(name)} for name in catalogue]
    if options:
        from seqbench.values.options import list_options

        for row in rows:
            try:
                row["options"] = [o.to_row() for o in list_options(catalogue[row["name"]]).values()]
            except BadInput:  # an entry point that leads nowhere: its line says so
                row["options"] = None
    return rows


def list_models(options: bool) -> Rows:
    """Return the models."""
    from seqbench.models import MODELS

    rows = describe_entries(MODELS, options)
    for row in rows if options else ():
        try:
            row["facts"] = asdict(MODELS.facts(row["name"]))
        except BadInput:  # an entry point that leads nowhere: its line says so
            row["facts"] = None
    return rows


def list_tasks(options: bool) -> Rows:
    """Return the tasks, with what the lag of each is."""
    from seqbench.tasks import TASKS

    return [
        {"name": row["name"], "lag": TASKS.knob(row["name"]).label} | row
        for row in describe_entries(TASKS, options)
    ]


def list_profiles(options: bool) -> Rows:
    """Return the profiles, with what each measures."""
    from seqbench.protocol.profiles import PROFILES

    return [
        {
            "name": profile.name,
            "conditions": sum(1 for _ in profile.list_conditions()),
            "parts": ", ".join(profile.parts),
            "seeds": profile.seeds,
            "parameters": profile.parameters,
            "tuned": profile.tuned,
            "citable": profile.citable,
            "specification": profile.specification,
        }
        for profile in PROFILES.values()
    ]


def list_tables(options: bool) -> Rows:
    """Return the tables that were written below ``results``; of an index that is none, say so."""
    rows = []
    for index in sorted(Path("results").glob("**/tables/index.json")):
        try:
            if not index.is_file():
                raise OSError("it is no file")
            rows += [
                {
                    "folder": printable(str(index.parents[1])),
                    **{
                        key: printable(str(table[key]))
                        for key in ("id", "title", "edition", "hash")
                    },
                    "citable": table["citable"] is True,
                }
                for table in json.loads(index.read_text("utf-8"))
            ]
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            complain(f"{index} is no list of tables; write it anew with: seqbench report --write")
    return rows


def list_claims(options: bool) -> Rows:
    """Return the claims, with what decides each and how."""
    from seqbench.report.claims import CLAIMS

    return [
        {
            "id": claim.id,
            "claim": claim.sentence,
            "experiment": claim.experiment,
            "rule": claim.rule_in_words,
        }
        for claim in CLAIMS.values()
    ]


KINDS: dict[str, Callable[[bool], Rows]] = {
    "models": list_models, "tasks": list_tasks, "profiles": list_profiles, "claims": list_claims, "tables": list_tables,
}  # fmt: skip


@app.command(name="list", epilog="Example: seqbench list tasks --json")
def list_(
    kind: Annotated[
        str | None, typer.Argument(help="models, tasks, profiles, claims or tables.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the models, tasks, profiles, claims and tables there are; with --json also options, and facts of models."""
    if kind is not None and kind not in KINDS:
        raise unknown("kind of thing", kind, KINDS)
    answer({name: rows(as_json) for name, rows in KINDS.items() if kind in (None, name)}, as_json)
