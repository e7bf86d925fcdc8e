"""Write the learning rates that an edition chose into the package, for the profile ``quick``, which is a part of it.

    python tools/rates.py results/2026.2

The file ``seqbench/protocol/rates.json`` has a row for each rung that is decided: its unit, the rate of the runs that
decided it, how many of them solved, and the seconds that its first three seeds took.
"""

import json
import sys
from pathlib import Path

from seqbench.errors import BadInput
from seqbench.measure.plan import climbs_of
from seqbench.measure.select import select
from seqbench.protocol.profiles import EDITION
from seqbench.protocol.quick import RATES
from seqbench.records.spec import RunSpec
from seqbench.records.store import Store
from seqbench.text import printable


def list_rates(store: Store) -> list[dict[str, object]]:
    """Return a row for each decided rung of a folder, in the order of the ladders."""
    records = store.records()
    rows: list[dict[str, object]] = []
    for climb in climbs_of(select(RunSpec(profile=EDITION.name)), records):
        for rung, state in climb.rungs:
            if state.verdict is None:
                continue
            runs = [
                record
                for record in records
                if record.unit_id == state.unit.id and record.member.role == state.role
            ]
            rows.append(
                {
                    "ladder": rung.ladder,
                    "rung": rung.value,
                    "model": climb.model,
                    "unit": state.unit.id,
                    "rate": state.rate,
                    "solved": sum(record.verdict == "solved" for record in runs),
                    "runs": len(runs),
                    "seconds": round(sum(r.cost.seconds for r in runs if r.member.seed < 3), 1),
                }
            )
    return rows


def main(arguments: list[str]) -> int:
    """Read the command line and write the file; return an exit code."""
    if len(arguments) != 1:
        print("usage: python tools/rates.py RESULTS", file=sys.stderr)
        return 2
    try:
        rows = list_rates(Store(Path(arguments[0])))
    except BadInput as error:
        print(printable(str(error)), file=sys.stderr)
        return error.exit_code
    lines = ",\n".join(json.dumps(row) for row in rows)
    RATES.write_text(f"[\n{lines}\n]\n", "utf-8")
    print(f"{len(rows)} rates are in {RATES}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
