r"""Moving shapes: a video of a shape that circles, clockwise or counter-clockwise, followed by blank frames.

A square, a plus or a ring of 3 by 3 pixels moves along a circle of 16 places, one a frame, for 8 frames, from a place
drawn uniformly; every pixel has a little noise. ``lag`` blank frames follow. The answer, due at the last frame, is the
direction of the motion: 0 clockwise, 1 counter-clockwise. ::

    . . . .     . # . .     . . # .     . . . .
    # . . .     . . . .     . . . .     . . . #    …  blank frames    ->    y = 0
    . . . .     . . . .     . . . .     . . . .

*Chance* is 1/2, and a model that ignores the order of the frames can't exceed it. A clockwise video is drawn, including
its noise; the answer is drawn independently, and if it is 1 the 8 moving frames are shown in reverse, which is a
counter-clockwise video. So the set of frames, and with it the frame average, is the same under both answers:
:math:`P(y \mid \text{set of frames}) = P(y) = 1/2`. A single frame is uninformative as well: in either class the k-th
frame shows the shape at one of the 16 places with equal probability. Only the order of two frames is informative.

With ``label="shape"`` the same videos are asked for the shape: 0 square, 1 plus, 2 ring, drawn uniformly, so that
chance is 1/3. Any one of the moving frames shows it, in any order.

Source: made for this benchmark, in the spirit of the bouncing digits of Srivastava, Mansimov and Salakhutdinov (2015)
and of models that put a recurrence on top of a convolution (Donahue et al., 2015).
"""

from dataclasses import dataclass
from functools import cache
from math import cos, pi, sin
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from seqbench.random import Keys
from seqbench.tasks.base import Batch, Task
from seqbench.values.options import OneOf

SIDE = 12  # P, the height and width of a frame
RADIUS = 4
PLACES = 16
MOVING = 8  # frames
NOISE = 0.2  # the shape has the rest of the range [0, 1]
SHAPES = (("###", "###", "###"), (".#.", "###", ".#."), ("###", "#.#", "###"))  # square, plus, ring
LABELS = {"order": 2, "shape": len(SHAPES)}  # the question, and its number of classes


@dataclass(frozen=True)
class MovingShapes(Task):
    """Direction of a circular motion, or the moving shape, seen ``lag`` frames ago."""

    label: Annotated[str, OneOf("order", "shape"), Field(description="what is asked for")] = "order"

    name = "moving-shapes"
    knob = "blank frames"
    knob_unit = "frames"
    inputs = (1, SIDE, SIDE)
    causal = False
    threshold = 0.95

    @property
    def outputs(self) -> int:
        """Return the number of directions or of shapes."""
        return LABELS[self.label]

    @property
    def chance(self) -> float:
        """Return the share of any one class."""
        return 1 / self.outputs

    def sample(self, keys: Keys) -> Batch:
        """Return x ``(N, T, 1, P, P)`` of frames in [0, 1], y ``(N, 1)``; T = 8 + lag."""
        video = keys.integers("video", 0, 2 * PLACES * len(SHAPES), 1)  # (N, 1): all three choices
        sense, start, shape = video % 2, video // 2 % PLACES, video // (2 * PLACES)
        t = torch.arange(MOVING, device=start.device)
        clockwise = pictures(start.device)[shape, (start + t) % PLACES]  # (N, 8, 1, P, P)
        clockwise += noise(keys)
        order = (t - (MOVING - 1) * sense).abs()  # (N, 8): 0 to 7, or 7 to 0 where the sense is 1
        moving = clockwise[torch.arange(len(keys), device=t.device)[:, None], order]
        x = F.pad(moving, (0, 0) * 3 + (0, self.lag))  # time is fourth from the end
        return Batch.all_due(x, sense if self.label == "order" else shape)


def noise(keys: Keys) -> Float[Tensor, "N T 1 P P"]:
    """Return noise in [0, .2) from one byte per pixel; a random word gives four, which saves most of the time."""
    words = keys.words("noise", MOVING * SIDE * SIDE // 4)  # (N, words)
    pixels = words.to(torch.int32).view(torch.uint8).view(-1, MOVING, 1, SIDE, SIDE)
    return pixels.to(torch.float32).mul_(NOISE / 256)


@cache
def pictures(device: torch.device) -> Float[Tensor, "shapes places 1 P P"]:
    """Return every shape at every place, numbered clockwise; .8 where the shape is."""
    table = torch.zeros(len(SHAPES), PLACES, 1, SIDE, SIDE, dtype=torch.float32)
    for k in range(PLACES):
        angle = 2 * pi * k / PLACES
        row = SIDE // 2 + round(RADIUS * sin(angle))  # rows grow downwards: this is clockwise
        column = SIDE // 2 + round(RADIUS * cos(angle))
        for s, drawing in enumerate(SHAPES):
            pixels = torch.tensor([[mark == "#" for mark in line] for line in drawing])
            table[s, k, 0, row - 1 : row + 2, column - 1 : column + 2] = pixels.to(torch.float32)
    table *= 1 - NOISE
    return table.to(device)
