"""The conditions of the profile ``quick``: a part of the edition, at the learning rates that the edition chose.

The rates are in ``rates.json``, which ``tools/rates.py`` writes from the records of the edition. So nobody's first
result rests on an untuned rate, and each can be compared with the edition's, seed by seed.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from seqbench.protocol.ladders import Ladder
from seqbench.protocol.settings import CORE, Setting

RATES = Path(__file__).with_name("rates.json")


def read_rates() -> dict[str, float]:
    """Return the learning rate that the edition chose for each unit, by its id."""
    return {row["unit"]: row["rate"] for row in json.loads(RATES.read_text("utf-8"))}


def take_rungs(
    ladders: tuple[Ladder, ...], wanted: Mapping[str, Mapping[int, tuple[str, ...]]]
) -> Iterator[Setting]:
    """Yield the settings of some rungs.

    Parameters
    ----------
    wanted
        The models at each rung, by the name of the ladder.
    """
    by_name = {ladder.name: ladder for ladder in ladders}
    for name, rungs in wanted.items():
        for rung, models in rungs.items():
            yield replace(by_name[name].setting(rung), models=models, part=CORE)
