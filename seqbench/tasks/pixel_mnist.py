r"""Sequential MNIST: read 784 grey values one at a time, then classify the digit.

An image of 28 by 28 pixels is read row by row, one value in [0, 1] a step, and ``lag`` blank steps of value 0 follow.
The answer, due at the end, is the digit. ::

    value    0  0  …  .01  .07  .49  .99  …  0  0   0  0  0      ->    y = 5
             |______________ 784 pixels __________|  |_ lag _|

With ``permuted``, all images are read in the same random order of pixels, which separates neighbouring pixels. With
``pool`` = k, a step is the mean of k by k pixels and there are :math:`(28 / k)^2` steps: not the images of the
literature, but feasible on a CPU.

Of the 60,000 training images, the last 5,000 are the validation set; the 10,000 test images are the official ones, in a
fixed random order, so that the first thousand are a random sample of them. The most frequent digit of the test, 1, has
1,135 of them: a constant answer is right in .1135, the *chance*. The *threshold* is the accuracy of the nearest of ten
mean images, .8206 without pooling; it is fast to compute, and every worker process needs it. The usual linear baseline,
logistic regression on the same pixels, takes seconds and is among the ``baselines``.

Source: Le, Jaitly and Hinton (2015), A simple way to initialize recurrent networks of rectified linear units; the
images are those of LeCun, Bottou, Bengio and Haffner (1998).
"""

import gzip
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.tasks.finite import choose_examples, shuffle
from seqbench.tasks.sources import locate
from seqbench.values.options import OneOf

SIDE = 28
WHITE = 255
POOLS = (1, 2, 4, 7, 14)
HEADER = {"images": 16, "labels": 8}  # bytes
TRAIN = 55_000
C = 0.01  # a stronger penalty than the default 1 costs no accuracy on so many images and converges faster


@dataclass(frozen=True)
class PixelMNIST(Task):
    """MNIST by pixel, and ``lag`` blank steps."""

    permuted: Annotated[bool, Field(description="whether all pixels change places, once")] = False
    pool: Annotated[
        int, OneOf(1, 2, 4, 7, 14), Field(description="side of the squares whose mean is one pixel")
    ] = 1

    name = "pixel-mnist"
    knob = "blank steps"
    knob_unit = "steps"
    lags = range(100_001)
    inputs = 1
    outputs = 10
    causal = False
    graded = True
    chance = 1_135 / 10_000

    @property
    def threshold(self) -> float:
        """Return the share of the test images that are nearest to the mean image of their own digit."""
        return score_nearest_mean(self.pool)

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 1)`` of grey values, y ``(N, 1)``; T = (28 / pool)² + lag."""
        total, digit = read_images(keys.split, self.pool, self.permuted, keys.seed.device)
        item = choose_examples(keys, len(digit))
        value = total[item].float() / (WHITE * self.pool**2)
        x = F.pad(value, (0, self.lag))  # (N, T)
        return Batch.all_due(x[..., None], digit[item][:, None])

    def baselines(self) -> dict[str, float]:
        """Return the accuracies of the mean images and of logistic regression on the pixels."""
        return {
            "nearest mean image": score_nearest_mean(self.pool),
            "logistic regression": score_logistic_regression(self.pool),
        }


@cache
def read_official(part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the images ``(n, 784)`` and digits ``(n,)`` of ``train`` or ``t10k``, as the files have them."""
    image, label = (
        np.frombuffer(
            gzip.decompress(locate("mnist", f"{part}-{kind}-idx{d}-ubyte.gz").read_bytes()),
            np.uint8,
            offset=HEADER[kind],
        )
        for kind, d in (("images", 3), ("labels", 1))
    )
    return image.reshape(-1, SIDE * SIDE), label


@cache
def read_images(
    split: str, pool: int, permuted: bool, device: torch.device
) -> tuple[Integer[Tensor, "n pixels"], Int[Tensor, " n"]]:
    """Return the sums of pool by pool pixels, in the order in which they are read, and the digits of a split."""
    value, digit = (torch.tensor(a) for a in read_official("t10k" if split == "test" else "train"))
    if split == "test":
        order = shuffle("mnist", len(digit))
        value, digit = value[order], digit[order]
    else:
        part = slice(None, TRAIN) if split == "train" else slice(TRAIN, None)
        value, digit = value[part], digit[part]
    if pool > 1:
        cells = value.view(-1, SIDE // pool, pool, SIDE // pool, pool)
        value = cells.sum(dim=(2, 4), dtype=torch.int32).flatten(1)
    if permuted:
        value = value[:, shuffle("pixels", value.shape[1])]
    return value.to(device), digit.long().to(device)


def read_values(split: str, pool: int) -> tuple[Float[Tensor, "n pixels"], Int[Tensor, " n"]]:
    """Return the grey values and digits of a split, for what needs no order of the pixels."""
    value, digit = read_images(split, pool, False, torch.device("cpu"))
    return value.float() / (WHITE * pool**2), digit


@cache
def score_nearest_mean(pool: int) -> float:
    """Return the accuracy of the nearest of the ten mean training images, by Euclidean distance."""
    (x, y), (x_test, y_test) = read_values("train", pool), read_values("test", pool)
    mean = x.new_zeros(10, x.shape[1]).index_add_(0, y, x) / y.bincount()[:, None]
    nearest = torch.cdist(x_test, mean).argmin(dim=1)
    return (nearest == y_test).double().mean().item()


@cache
def score_logistic_regression(pool: int) -> float:
    """Return the accuracy of multinomial logistic regression on the grey values."""
    from sklearn.linear_model import LogisticRegression

    train, test = read_values("train", pool), read_values("test", pool)
    model = LogisticRegression(C=C, max_iter=1_000).fit(*(a.double().numpy() for a in train))
    return float(model.score(*(a.double().numpy() for a in test)))
