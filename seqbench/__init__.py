"""seqbench: a reproducible benchmark of sequence models on long-dependency tasks.

Nothing heavy is imported here, so that ``seqbench list`` answers at once: torch comes with the first task or model
that is loaded.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

HOME = {
    "TASKS": "seqbench.tasks",
    "MODELS": "seqbench.models",
    "RunSpec": "seqbench.records.spec",
    "run": "seqbench.measure.runs",
    "load_results": "seqbench.report.results",
}
__all__ = ["MODELS", "TASKS", "RunSpec", "__version__", "load_results", "run"]


def __getattr__(name: str) -> Any:
    if name in HOME:
        return getattr(import_module(HOME[name]), name)
    raise AttributeError(f"module 'seqbench' has no attribute '{name}'")
