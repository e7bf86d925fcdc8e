r"""Time series: read the loads and oil temperature of an electrical transformer, then forecast the next 24 hours.

Seven values an hour, for two years: six loads and, last, the temperature of the oil. A sequence is a window of ``lag``
hours; the answer, due at its end, is the temperature in each of the 24 hours that follow. ::

    loads           5.8  5.7  5.2  …  4.1
    temperature    30.5 27.8 27.8  …  21.9      ->    y = 21.2  20.7  …  23.4
                   |________ lag ________|            |_____ 24 hours ____|

Each of the seven values is standardised by the mean and standard deviation of its training part. The parts are those of
the literature, by time: 12 months of 30 days for training, the next 4 for validation, 4 for the test. The forecast
hours lie in their part; the window may reach back into the previous one, so that every lag forecasts the same hours.
Training windows end anywhere; those of validation and test come in a fixed random order.

The score is the mean squared error, lower is better. *Chance* is the error of the training mean, which is 1 on the
training part by construction (on the test, in a cooler season, it is larger: see ``baselines``). The *threshold* is the
test error of the better of two forecasts without learning: every hour equals the last observed one, or the same hour of
the last day.

Source: Zhou et al. (2021), Informer: beyond efficient transformer for long sequence time-series forecasting: the
data set ETTh1, all seven values to one.
"""

from dataclasses import dataclass
from functools import cache
from math import inf

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.finite import choose_examples, shuffle
from seqbench.tasks.sources import locate

VALUES = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
HORIZON = DAY = 24  # hours
MONTH = 30 * DAY
PARTS = {"train": (0, 12), "validation": (12, 16), "test": (16, 20)}  # in months


@dataclass(frozen=True)
class Series(Task):
    """The next day's oil temperature, after ``lag`` hours."""

    name = "series"
    knob = "window"
    knob_unit = "hours"
    lags = range(DAY, 1_001)
    inputs = len(VALUES)
    outputs = HORIZON
    loss = "mse"
    causal = False
    measure = "mean squared error, standardised"
    score_range = (0.0, inf)
    higher_is_better = False
    graded = True
    chance = 1.0

    @property
    def threshold(self) -> float:
        """Return the error of the better of two forecasts without learning."""
        found = compute_errors()
        return min(found["last hour"], found["same hour of the last day"])

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, lag, 7)`` and y ``(N, 1, 24)``, standardised."""
        value, start = (
            read_standardised(keys.seed.device),
            list_starts(keys.split, keys.seed.device),
        )
        if keys.split == "train":
            start = start[self.lag :]  # the first hours have no window before them
        first = start[choose_examples(keys, len(start))][
            :, None
        ]  # (N, 1), the first hour to forecast
        past = torch.arange(-self.lag, 0, device=first.device)
        ahead = torch.arange(HORIZON, device=first.device)
        return Batch.all_due(value[first + past], value[first + ahead, -1][:, None])

    def score(
        self, output: Outputs, y: Float[Tensor, "E B A C"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's mean squared error."""
        each = (output - y).square().mean(dim=-1)
        return (each * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))

    def baselines(self) -> dict[str, float]:
        """Return the errors of three forecasts without learning, which do not depend on the lag."""
        return dict(compute_errors())


@cache
def read_standardised(device: torch.device) -> Float[Tensor, "hours 7"]:
    """Return the standardised values of all hours."""
    table = pd.read_csv(locate("etth1", "ETTh1.csv"), usecols=list(VALUES))[list(VALUES)].to_numpy()
    train = table[: PARTS["train"][1] * MONTH]
    return torch.tensor((table - train.mean(0)) / train.std(0), dtype=torch.float32, device=device)


@cache
def list_starts(split: str, device: torch.device) -> Int[Tensor, " n"]:
    """Return the first hour of every forecast of a split: in time order for training, else in the fixed order."""
    start, stop = (month * MONTH for month in PARTS[split])
    first = torch.arange(start, stop - HORIZON + 1)
    order = slice(None) if split == "train" else shuffle(f"etth1 {split}", len(first))
    return first[order].to(device)


@cache
def compute_errors() -> dict[str, float]:
    """Return the mean squared errors of forecasts without learning, over all forecasts of the test."""
    cpu = torch.device("cpu")
    oil, first = read_standardised(cpu)[:, -1].double(), list_starts("test", cpu)[:, None]
    ahead = torch.arange(HORIZON)
    forecasts = {
        "training mean": torch.zeros(HORIZON),
        "last hour": oil[first - 1],
        "same hour of the last day": oil[first + ahead - DAY],
    }
    truth = oil[first + ahead]
    return {name: (f - truth).square().mean().item() for name, f in forecasts.items()}
