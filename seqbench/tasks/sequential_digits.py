r"""Sequential digits: read 64 grey values one at a time, then classify the digit.

An image of 8 by 8 pixels is read row by row, one value in [0, 1] a step, and ``lag`` blank steps of value 0 follow.
The answer, due at the end, is the digit. ::

    value    0  0  .31  .81  .56  .06  …  .62  0  0  0   0  0  0      ->    y = 0
             |______________ 64 pixels ____________|  |_ lag _|

Blank steps are not marked: an image always has 64 pixels, so the step number already distinguishes them.

The images are the 1,797 of scikit-learn's ``load_digits``, with a fixed split into 1,197 for training (drawn with
replacement), 300 for validation and 300 for the test (in order; after 300 they start again). The most frequent digit,
3, has 183 of the 1,797 images: a constant answer is right in 183/1797 = .102 of them, the *chance*.

Source: the pixel-by-pixel images of Le, Jaitly and Hinton (2015), with the small digits of Alpaydin and Kaynak (1998)
in place of MNIST.
"""

from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task

IMAGES = 1797
PARTS = {"train": (0, 1197), "validation": (1197, 1497), "test": (1497, 1797)}


@dataclass(frozen=True)
class SequentialDigits(Task):
    """Digits by pixel, and ``lag`` blank steps."""

    name = "sequential-digits"
    knob = "blank steps"
    knob_unit = "steps"
    lags = range(100_001)
    inputs = 1
    outputs = 10
    causal = False
    chance = 183 / IMAGES
    threshold = 0.9
    graded = True

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 1)`` of grey values, y ``(N, 1)``; T = 64 + lag."""
        start, stop = PARTS[keys.split]
        if keys.split == "train":
            item = keys.integers("item", start, stop)  # (N,)
        else:
            item = start + keys.index % (stop - start)
        value, digit = read_images(keys.seed.device)
        x = F.pad(value[item], (0, self.lag))  # (N, T)
        return Batch.all_due(x[..., None], digit[item][:, None])


@cache
def read_images(device: torch.device) -> tuple[Float[Tensor, "1797 64"], Int[Tensor, "1797"]]:
    """Return the grey values and digits of all images, in the order that PARTS splits."""
    data = load_digits()
    order = Keys.span("sequential-digits", 1, "order", 0, 0, 1).permutation("images", IMAGES)[0]
    value = torch.tensor(data.data, dtype=torch.float32)[order] / 16
    return value.to(device), torch.tensor(data.target, dtype=torch.int64)[order].to(device)
