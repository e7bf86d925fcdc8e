"""Records made by hand, for the tests of what reads and writes them."""

from typing import Any

from seqbench.ledger.rows import Online
from seqbench.records.schema import (
    Baseline,
    Budget,
    Comparison,
    Cost,
    Curve,
    Manifest,
    Member,
    Probe,
    Provenance,
    Record,
    Roofline,
    Scale,
    Side,
    System,
    Throughput,
    Trial,
    Unit,
)

BUDGET = Budget(steps=100, batch=8, clip=1.0, validate_every=20, validation_size=16, test_size=32)
UNIT = Unit(
    task="adding",
    task_version=1,
    lag=8,
    model="lstm",
    model_version=1,
    parameters=1000,
    layers=1,
    budget=BUDGET,
)
SYSTEM = System(
    processor="abacus",
    cores=2,
    memory=2**30,
    accelerator=None,
    operating_system="none",
    python="3.11.0",
    versions={"torch": "2.13.0"},
)
PROVENANCE = Provenance(
    commit="0" * 40,
    dirty=False,
    profile="smoke",
    specification="f" * 16,
    system=SYSTEM.id,
    device="cpu",
    threads=1,
    deterministic=True,
    flush_denormal=True,
)
MANIFEST = Manifest(
    schema_version=1, edition="local", profile="smoke", specification="f" * 16, citable=False
)


def record(seed: int = 0, rate: float = 1e-2, unit: Unit = UNIT, **changes: Any) -> Record:
    """Return a record of a run that solved its task, with changes."""
    fields = {
        "unit_id": unit.id,
        "unit": unit,
        "member": Member(seed=seed, learning_rate=rate, role=changes.pop("role", "reporting")),
        "verdict": "solved",
        "score": 0.96875,
        "test_loss": 0.012,
        "scale": Scale(measure="share", higher_is_better=True, chance=0.078, threshold=0.9),
        "steps": 80,
        "steps_to_solve": 40,
        "curve": Curve(
            step=[20, 40, 60, 80], loss=[0.3, 0.02, 0.02, 0.01], score=[0.1, 0.95, 0.96, 1.0]
        ),
        "sizes": {"hidden": 14},
        "parameters": 1003,
        "scan": "native",
        "provenance": PROVENANCE,
        "cost": Cost(seconds=1.5, peak_memory=2**28, finished="2026-01-01T00:00:00+00:00"),
    }
    return Record(**(fields | changes))


def throughput(**changes: Any) -> Throughput:
    """Return the time of a step, with changes."""
    fields = {
        "model": "lstm",
        "model_version": 1,
        "phase": "training",
        "scan": "native",
        "precision": "float32",
        "device": "cpu",
        "members": 3,
        "batch": 32,
        "length": 50,
        "parameters": 1000,
        "sizes": {"hidden": 14},
        "seconds_per_token": 1e-6,
        "quartiles": (0.9e-6, 1.2e-6),
        "rounds": 9,
        "peak_memory": 2**20,
        "floor": Roofline(
            flops=2**30, bytes=2**20, flops_per_second=2.0**36, bytes_per_second=2.0**34
        ),
        "commit": "0" * 40,
        "dirty": False,
        "system": SYSTEM.id,
        "threads": 1,
    }
    return Throughput(**(fields | changes))


def comparison(**changes: Any) -> Comparison:
    """Return what was measured for a goal, with changes."""
    fields = {
        "goal": "cells",
        "what": "GRU: auto / nn.GRU",
        "aim": ">= 1.7",
        "measured": 2.5,
        "interval": (2.25, 2.75),
        "rounds": 9,
        "met": True,
        "ours": Side(seconds=(0.002,), peak_memory=(2**21,), precision="float32"),
        "theirs": Side(seconds=(0.005,), peak_memory=(2**20,), precision="float32"),
        "note": "",
        "device": "cpu",
        "commit": "c" * 40,
        "dirty": False,
        "system": SYSTEM.id,
        "threads": 1,
    }
    return Comparison(**(fields | changes))


def baseline(**changes: Any) -> Baseline:
    """Return what a method without a network reached, with changes."""
    fields = {
        "task": "adding",
        "task_version": 1,
        "lag": 8,
        "name": "guess",
        "score": 0.5,
        "scale": record().scale,
        "commit": "c" * 40,
        "dirty": False,
        "system": SYSTEM.id,
    }
    return Baseline(**(fields | changes))


def probe(seed: int = 0, unit: Unit = UNIT, **changes: Any) -> Probe:
    """Return what an instrument saw at the end of a member that solved its task, with changes."""
    fields = {
        "instrument": "gradient",
        "unit_id": unit.id,
        "unit": unit,
        "member": Member(seed=seed, learning_rate=1e-2),
        "verdict": "solved",
        "moment": "end",
        "series": {"hidden": [1.0, 0.5, None]},
        "device": "cpu",
        "commit": "c" * 40,
        "dirty": False,
        "system": SYSTEM.id,
        "threads": 1,
    }
    return Probe(**(fields | changes))


def trial(row: Online, seed: int = 0, **changes: Any) -> Trial:
    """Return a trial of a row of the ledger that succeeded, with changes."""
    fields = {
        "experiment": row.id,
        "protocol": row.protocol,
        "seed": seed,
        "success": True,
        "sequences": 30_000,
        "budget": row.budget,
        "wrong": 1,
        "tested": 2560,
        "parameters": 156,
        "commit": "c" * 40,
        "dirty": False,
        "system": SYSTEM.id,
        "device": "cpu",
        "threads": 1,
        "cost": record().cost,
    }
    return Trial(**(fields | changes))
