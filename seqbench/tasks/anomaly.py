r"""Anomaly detection: read the last hours of a series and decide whether its last hour is anomalous.

Three univariate series of hourly means: the temperature of an industrial machine that fails, the number of taxi
passengers in New York, the temperature of an office. Anomalies (a shutdown, a marathon, a storm) were labelled by
people as periods of some days. A sequence is a window of ``lag`` hours, and the answer, due at its end, is whether its
last hour lies in such a period. ::

    value    .3  .4  .2  .3  .1  -1.9 -3.2 -4.1      ->    y = 1
             |____________ lag hours __________|

A value is standardised by the mean and the standard deviation of its own series' training part. Hours without a value
are omitted. Each series is split by time: the first 60 % are the training part, up to 76 % validation, the rest the
test. All parts have anomalous hours: of the 11 periods 4 are in the first part, 2 in the second, 5 in the last. The
last hour of a window lies in its part; the window may reach back into the previous one. Training windows end anywhere;
those of validation and test come in a fixed order, drawn once.

This is supervised learning. NAB itself evaluates detectors that see no labels, with a score that rewards early alarms.
Here the score is the area under the ROC curve: the probability that an anomalous hour has a higher score than a normal
one, by the difference of the two outputs. A constant answer has 1/2, the *chance*, however rare anomalies are. The
*threshold* is the best of four detectors without learning, all computed from the series: the distance of the value from
the training mean, from an exponentially weighted mean of the past, from the hour before, and from the same hour of the
day before. With 5 periods in the test, differences of a few hundredths are noise.

Source: Lavin and Ahmad (2015), Evaluating real-time anomaly detection algorithms: the Numenta anomaly benchmark; the
periods are its ``combined_windows``.
"""

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.finite import choose_examples, shuffle
from seqbench.tasks.sources import locate

SERIES = ("machine_temperature_system_failure", "nyc_taxi", "ambient_temperature_system_failure")
PARTS = {"train": (0, 60), "validation": (60, 76), "test": (76, 100)}  # in hundredths of a series
LONGEST = 24 * 28  # hours of a window: the training part of the shortest series has 1,134
DAY = 24
HALF_LIFE = DAY  # hours, of the weights of the exponentially weighted mean


@dataclass(frozen=True)
class Anomaly(Task):
    """Whether the last of ``lag`` hours is anomalous."""

    name = "anomaly"
    knob = "window"
    knob_unit = "hours"
    lags = range(1, LONGEST + 1)
    inputs = 1
    outputs = 2
    causal = False
    measure = "area under the ROC curve"
    graded = True
    chance = 1 / 2

    @property
    def threshold(self) -> float:
        """Return the best area under the ROC curve of the detectors without learning."""
        return max(score_alarms().values())

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, lag, 1)``, standardised, and y ``(N, 1)``: 1 for an anomaly."""
        value, wrong = stack_series(keys.seed.device)
        last = list_ends(keys.split, self.lag, keys.seed.device)
        end = last[choose_examples(keys, len(last))]  # (N,)
        past = torch.arange(1 - self.lag, 1, device=end.device)
        return Batch.all_due(value[end[:, None] + past][..., None], wrong[end][:, None])

    def score(
        self, output: Outputs, y: Int[Tensor, "E B A"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's area under the ROC curve; 1/2 if there is only one class."""
        return compute_area(
            (output[..., 1] - output[..., 0]).flatten(1), y.flatten(1), mask.flatten(1)
        )

    def baselines(self) -> dict[str, float]:
        """Return the areas of the detectors without learning, which do not depend on the lag."""
        return dict(score_alarms())


def compute_area(
    alarm: Float[Tensor, "E n"], wrong: Int[Tensor, "E n"], counts: Bool[Tensor, "E n"]
) -> PerMember:
    r"""Return the area under the ROC curve, from the ranks of the anomalous hours (Mann and Whitney); ties count half.

    .. math::
        A = \frac{\sum_{i\ \mathrm{wrong}} r_i - n_1 (n_1 + 1) / 2}{n_1\, n_0}
    """
    low = alarm.masked_fill(~counts, -torch.inf)  # masked hours rank lowest
    ranked = low.sort(dim=1).values
    below = torch.searchsorted(ranked, low)
    up_to = torch.searchsorted(ranked, low, right=True)
    uncounted = (~counts).sum(dim=1, keepdim=True)
    rank = (below + up_to + 1).double() / 2 - uncounted  # (E, n), from 1; ties have their mean rank
    yes, no = ((wrong == k) & counts for k in (1, 0))
    n1, n0 = yes.sum(dim=1), no.sum(dim=1)
    pairs = n1 * n0
    wins = (rank * yes).sum(dim=1) - n1 * (n1 + 1) / 2
    return (wins / pairs.clamp(min=1)).where(pairs > 0, 0.5).to(alarm.dtype)


@cache
def read_series() -> tuple[tuple[NDArray[np.float64], NDArray[np.bool_]], ...]:
    """Return for each series its standardised hourly values, and whether each hour is anomalous."""
    periods = json.loads(locate("nab", "combined_windows.json").read_text("utf-8"))
    found = []
    for name in SERIES:
        raw = pd.read_csv(locate("nab", f"{name}.csv"), index_col=0, parse_dates=True)["value"]
        value = raw.resample("h").mean().dropna()
        wrong = np.zeros(len(value), dtype=bool)
        for start, stop in periods[f"realKnownCause/{name}.csv"]:
            wrong |= (value.index >= start) & (value.index <= stop)
        train = value.iloc[: len(value) * PARTS["train"][1] // 100]
        found.append((((value - train.mean()) / train.std(ddof=0)).to_numpy(), wrong))
    return tuple(found)


@cache
def stack_series(
    device: torch.device,
) -> tuple[Float[Tensor, " stack_series"], Int[Tensor, " stack_series"]]:
    """Return the values and labels of all series, concatenated."""
    value, wrong = (torch.tensor(np.concatenate(part)) for part in zip(*read_series(), strict=True))
    return value.float().to(device), wrong.long().to(device)


@cache
def list_ends(split: str, lag: int, device: torch.device) -> Int[Tensor, " n"]:
    """Return the index of the last hour of every window of a split, in its fixed order."""
    found, before = [], 0
    for value, _ in read_series():
        start, stop = (len(value) * part // 100 for part in PARTS[split])
        found.append(torch.arange(before + max(start, lag - 1), before + stop))
        before += len(value)
    end = torch.cat(found)
    order = slice(None) if split == "train" else shuffle(f"nab {split}", len(end))
    return end[order].to(device)


@cache
def score_alarms() -> dict[str, float]:
    """Return the areas of the detectors without learning, over all hours of the test."""
    loud: dict[str, list[NDArray[np.float64]]] = {}
    for value, _ in read_series():
        series = pd.Series(value)
        expected: dict[str, float | pd.Series[float]] = {
            "distance from the training mean": 0.0,
            "distance from an exponentially weighted mean": series.ewm(halflife=HALF_LIFE).mean().shift(),
            "change since the hour before": series.shift(),
            "change since the day before": series.shift(DAY),
        }  # fmt: skip
        start = len(value) * PARTS["test"][0] // 100
        for name, forecast in expected.items():
            loud.setdefault(name, []).append(
                np.asarray((series - forecast).abs(), dtype=np.float64)[start:]
            )
    wrong = np.concatenate([w[len(w) * PARTS["test"][0] // 100 :] for _, w in read_series()])
    y = torch.tensor(wrong, dtype=torch.long)[None]
    return {
        name: compute_area(torch.tensor(np.concatenate(parts))[None], y, y >= 0).item()
        for name, parts in loud.items()
    }
