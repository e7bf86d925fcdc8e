"""The rates that ship with the package are those that the edition chose."""

import json
import sys
from importlib import import_module
from pathlib import Path

from seqbench.protocol.quick import RATES
from seqbench.records.store import Store

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))
rates = import_module("rates")
FACTS = ("ladder", "rung", "model", "rate", "solved", "runs")


def test_they_are_what_the_records_of_the_edition_give():
    found = {row["unit"]: row for row in rates.list_rates(Store(ROOT / "results" / "2026.2"))}
    shipped = json.loads(RATES.read_text("utf-8"))
    assert shipped
    for row in shipped:
        assert {name: row[name] for name in FACTS} == {
            name: found[row["unit"]][name] for name in FACTS
        }
