r"""Spoken digits: read the spectrum of a spoken digit frame by frame, then classify it.

Six people say each digit fifty times. A recording is divided into frames of 256 samples (32 ms at 8 kHz), one every 128
samples. The input is the power of a frame in 20 bands that are evenly spaced on the mel scale and overlap by half, in
decibels below the loudest band of the recording. A range of 60 decibels is mapped to [0, 1] and quantised to 255 steps,
so that rounding in the transform does not affect the data. ::

    band 19    .  .  .  ░  ▒  ░  .  .  .  .  0  0
    …          .  ░  ▒  ▒  ▓  ▒  ░  .  .  .  0  0
    band 0     .  ░  ▓  █  ▓  ▒  ▒  ░  .  .  0  0       ->    y = 7  (at the end)
               |_____ up to 64 frames ____|  |lag|

A recording begins at the first step and is padded with silence, or cut, to 64 frames, 1.04 s. ``lag`` more steps of
silence follow.

Recordings 0 to 4 of every speaker and digit are the test, as in the original split; 5 to 9 are for validation, 10 to 49
for training. All ten digits are equally frequent: a constant answer is right in 1/10, the *chance*. The *threshold* is
the accuracy of logistic regression on the mean of the 64 frames, which ignores their order; it is computed from the
recordings.

Source: Jackson (2016), Free Spoken Digit Dataset, release 1.0.10.
"""

from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import PurePosixPath
from zipfile import ZipFile

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.io import wavfile
from torch import Tensor
from torch.nn import functional as F

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.finite import choose_examples, shuffle
from seqbench.tasks.sources import locate

HERTZ = 8_000
FRAME, HOP = 256, 128  # samples
FRAMES, BANDS = 64, 20
DECIBELS = 60
STEPS = 255
PARTS = {"test": range(5), "validation": range(5, 10), "train": range(10, 50)}  # by recording


@dataclass(frozen=True)
class SpokenDigits(Task):
    """Spoken digits by frame, and ``lag`` silent steps."""

    name = "spoken-digits"
    knob = "silent steps"
    knob_unit = "steps"
    lags = range(100_001)
    inputs = BANDS
    outputs = 10
    causal = False
    graded = True
    chance = 1 / 10

    @property
    def threshold(self) -> float:
        """Return the accuracy of logistic regression on the mean frame."""
        return mean_frame()

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 20)`` of loudness, y ``(N, 1)``; T = 64 + lag."""
        loudness, digit = recordings(keys.split, keys.seed.device)
        item = choose_examples(keys, len(digit))
        x = F.pad(loudness[item], (0, 0, 0, self.lag))  # (N, T, 20)
        return Batch.all_due(x, digit[item][:, None])

    def baselines(self) -> dict[str, float]:
        """Return the accuracy of logistic regression on the mean frame."""
        return {"logistic regression on the mean frame": mean_frame()}


@cache
def recordings(
    split: str, device: torch.device
) -> tuple[Float[Tensor, "n 64 20"], Int[Tensor, " n"]]:
    """Return the frames and digits of a split, in its fixed order."""
    found = []
    with ZipFile(locate("fsdd", "fsdd-v1.0.10-recordings.zip")) as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".wav")):
            digit, _, number = PurePosixPath(name).stem.split("_")
            if int(number) in PARTS[split]:
                _, sound = wavfile.read(BytesIO(archive.read(name)))
                found.append((frames(sound), int(digit)))
    order = shuffle(f"fsdd {split}", len(found)).tolist()
    loudness = torch.tensor(np.stack([found[n][0] for n in order]))
    return loudness.to(device), torch.tensor([found[n][1] for n in order], device=device)


def frames(sound: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return the loudness ``(64, 20)`` of the bands, in [0, 1]."""
    sound = sound[: FRAMES * HOP + FRAME - HOP].astype(float)
    short = max(0, FRAME - len(sound))
    cut = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (0, short)), FRAME)[::HOP]
    spectrum = np.abs(np.fft.rfft(cut * np.hanning(FRAME))) ** 2  # (frames, 129)
    power = spectrum @ filters().T  # (frames, bands)
    decibels = 10 * np.log10(np.maximum(power / power.max(), 1e-12))
    level = np.clip(1 + decibels / DECIBELS, 0, 1)
    level = np.pad(level, ((0, FRAMES - len(level)), (0, 0)))
    return (np.round(STEPS * level) / STEPS).astype(np.float32)


@cache
def filters() -> NDArray[np.float64]:
    """Return the weight ``(20, 129)`` of every frequency in every band: triangles on the mel scale."""
    at = mel(np.arange(FRAME // 2 + 1) * HERTZ / FRAME)  # (129,)
    edge = np.linspace(0, at[-1], BANDS + 2)
    low, centre, high = edge[:-2, None], edge[1:-1, None], edge[2:, None]
    return np.clip(np.minimum((at - low) / (centre - low), (high - at) / (high - centre)), 0, None)


def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a frequency on the mel scale of O'Shaughnessy (1987)."""
    return 2595 * np.log10(1 + hertz / 700)


@cache
def mean_frame() -> float:
    """Return the accuracy of logistic regression on the mean of the 64 frames."""
    from sklearn.linear_model import LogisticRegression

    (x, y), (x_test, y_test) = (recordings(s, torch.device("cpu")) for s in ("train", "test"))
    model = LogisticRegression(max_iter=10_000).fit(x.double().mean(dim=1).numpy(), y.numpy())
    return float(model.score(x_test.double().mean(dim=1).numpy(), y_test.numpy()))
