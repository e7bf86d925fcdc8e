"""The rule of climbing, replayed from the lines of a folder by a script that shares no code with the package."""

import json
from collections import defaultdict
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from seqbench.records.store import Store
from seqbench.report.results import Results

ROOT = Path(__file__).parents[2]
FOLDERS = [
    file.parent for file in ROOT.glob("results/*/plan.jsonl") if '"rung"' in file.read_text("utf-8")
]
Rows = list[dict[str, Any]]


def read(*files: Path) -> Rows:
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def rank(rate: float, tuning: Rows) -> tuple[float, ...]:
    runs = [r for r in tuning if r["member"]["learning_rate"] == rate]
    steps = [r["steps_to_solve"] or inf for r in runs]
    losses = [inf if (last := r["curve"]["loss"][-1]) is None else last for r in runs]
    return -sum(s < inf for s in steps) / len(runs), median(steps), median(losses), rate


def replay(folder: Path) -> dict[tuple[str, str], Rows]:
    """Return, for each ladder and model, the rungs that were decided, with rate and verdict."""
    runs, ladders = defaultdict(list), defaultdict(list)
    for record in read(*folder.glob("records/*/*.jsonl")):
        runs[record["unit_id"]].append(record)
    units = {r["unit_id"]: r["unit"] for rows in runs.values() for r in rows}
    for planned in read(folder / "plan.jsonl"):
        if "rung" in planned and planned["unit"] in units.values():
            unit = planned["unit"]
            id_ = next(i for i, u in units.items() if u == unit)
            options = [f"{k}={v}" for k, v in sorted(unit["model_options"].items())]
            model = ":".join([unit["model"], *options])
            ladders[planned["rung"]["ladder"], model].append((planned["rung"]["value"], id_))
    found: dict[tuple[str, str], Rows] = defaultdict(list)
    for key, rungs in ladders.items():
        last = None
        for value, id_ in sorted(rungs):
            tuning = [r for r in runs[id_] if r["member"]["role"] == "tuning"]
            rates = sorted(
                {r["member"]["learning_rate"] for r in tuning}, key=lambda x: rank(x, tuning)
            )
            if last in rates and all(r["steps_to_solve"] is None for r in tuning):
                rates = [last, *(rate for rate in rates if rate != last)]
            verdicts = {}
            for role in ("reporting", "second"):
                seeds = {r["member"]["seed"]: r for r in runs[id_] if r["member"]["role"] == role}
                ks = [seeds[s]["verdict"] == "solved" for s in range(12) if s in seeds]
                if len(ks) == 12:
                    verdicts[role] = "pass" if sum(ks) >= 10 else "fail" if sum(ks) <= 2 else "open"
                elif len(ks) == 5 and len(set(ks)) == 1:
                    verdicts[role] = "pass" if ks[0] else "fail"
            first, second = verdicts.get("reporting"), verdicts.get("second")
            if first is None or (first == "fail" and second is None):
                break
            turned = first == "fail" and second != "fail"
            last = rates[1] if turned else rates[0]
            found[key].append({"rung": value, "rate": last, "verdict": second if turned else first})
            if found[key][-1]["verdict"] == "fail":
                break
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_horizons_verdicts_and_rates_are_those_of_the_raw_records(folder):
    results = Results.read(Store(folder))
    published = defaultdict(list)
    for row in results.table("T16").values:
        if row["verdict"] in ("pass", "fail", "open"):
            published[row["ladder"], row["model"]].append(
                {"rung": row["rung"], "rate": row["learning_rate"], "verdict": row["verdict"]}
            )
    replayed = replay(folder)
    assert {key: rows for key, rows in published.items() if rows} == dict(replayed)
    for row in results.table("T15").values:
        rungs = replayed.get((row["ladder"], row["model"]), [])
        passed = [rung["rung"] for rung in rungs if rung["verdict"] == "pass"]
        failed = [rung["rung"] for rung in rungs if rung["verdict"] == "fail"]
        assert (row["passed"], row["failed"]) == (
            max(passed, default=None),
            min(failed, default=None),
        )
