"""Three ways to compute the convolutions of many members (docs/adr/0016).

As the groups of one convolution, as batched products of unfolded frames, or one member after the other. All three
compute the same features, forward and backward, and are timed in turns, round by round. A ratio is the median over
rounds of the time of that way / the time of the groups, with a 95 % interval. Above 1 the groups are faster.
"""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn import functional as F

from benchmarks.decisions.rows import Device, File, Row, describe_origin, keep_rows
from benchmarks.goals.goals import TimedStep
from benchmarks.goals.paired import Median, time_in_turns
from seqbench import machine
from seqbench.models.cnn_lstm import Convolution
from seqbench.random import Keys
from seqbench.tasks.moving_shapes import SIDE, MovingShapes

MEMBERS = (1, 3, 8)
MAPS = 8
B = 32


def convolve_groups(frames: Tensor, layers: list[Convolution]) -> Tensor:
    """Return the features by one convolution with a group for each member.

    Frames are ``(BT, E, channels, h, w)``; features ``(E, BT, maps, h, w)``.
    """
    E = frames.shape[1]
    x = frames.flatten(1, 2)  # (BT, E channels, h, w)
    for layer in layers:
        W, b = layer.W.flatten(0, 1), layer.b.flatten()
        x = F.conv2d(x, W, b, stride=2, padding=1, groups=E).relu()
    return x.unflatten(1, (E, -1)).transpose(0, 1)


def convolve_products(frames: Tensor, layers: list[Convolution]) -> Tensor:
    """Return the features by one batched product: every patch of a frame is a row."""
    x = frames.transpose(0, 1)  # (E, BT, channels, h, w)
    for layer in layers:
        E, K, _, h, w = x.shape
        patches = F.unfold(x.flatten(0, 1), 3, stride=2, padding=1)  # (E BT, 9 channels, h w / 4)
        rows = patches.unflatten(0, (E, K)).transpose(2, 3).flatten(1, 2)
        y = torch.baddbmm(layer.b[:, None], rows, layer.W.flatten(2).mT).relu()
        y = y.unflatten(1, (K, -1)).transpose(2, 3)  # (E, BT, maps, h w / 4)
        x = y.unflatten(3, (-(-h // 2), -(-w // 2)))
    return x


def convolve_one_by_one(frames: Tensor, layers: list[Convolution]) -> Tensor:
    """Return the features by a convolution for each member, one after the other."""
    members = []
    for e, x in enumerate(frames.unbind(1)):
        for layer in layers:
            x = F.conv2d(x, layer.W[e], layer.b[e], stride=2, padding=1).relu()
        members.append(x)
    return torch.stack(members)


WAYS = {"groups": convolve_groups, "products": convolve_products, "alone": convolve_one_by_one}


def main(
    lag: Annotated[int, typer.Option(help="Blank frames after the motion.")] = 20,
    rounds: Annotated[int, typer.Option(help="How often each is timed.")] = 15,
    device: Device = "cpu",
    file: File = None,
) -> None:
    """Time the three ways on the frames of moving shapes."""
    machine.make_deterministic()
    origin = describe_origin(device, lag=lag, batch=B)
    keep_rows(measure(lag, rounds, device), format_row, origin, file)


def format_row(row: Row) -> str:
    """Return a row as one line."""
    ratio = "{ratio:.2f} ({low:.2f} to {high:.2f})".format_map(row)
    return f"E = {row['members']}  {row['way']:8s} {row['ms']:7.2f} ms  {ratio}"


def measure(lag: int, rounds: int, device: str) -> Iterator[Row]:
    """Yield a row for each number of members and each way."""
    for E in MEMBERS:
        step = make_step(E, lag, device)
        sides = [TimedStep(partial(step, way), device, 1, 0).measure for way in WAYS]
        times = time_in_turns(sides, rounds)
        for way, each in zip(WAYS, zip(*times, strict=True), strict=True):
            found = Median.of([time / first for time, (first, *_) in zip(each, times, strict=True)])
            yield {
                "members": E, "way": way, "ms": 1e3 * median(each),
                "ratio": found.value, "low": found.low, "high": found.high,
            }  # fmt: skip


def make_step(E: int, lag: int, device: str) -> Callable[[str], Tensor]:
    """Return a function that computes both convolutions, forward and backward, in a given way."""
    keys = Keys.span("frames", 1, "weights", 0, 0, E).to(device)
    layers = [Convolution(keys, f"conv {k}", n, MAPS) for k, n in ((1, 1), (2, MAPS))]
    task = MovingShapes(lag=lag)
    x = task.sample(task.keys("train", 0, 0, E * B)).x.to(device)  # (E B, T, 1, P, P)
    frames = x.unflatten(0, (E, B)).flatten(1, 2).transpose(0, 1)  # (BT, E, 1, P, P)
    assert frames.shape[-1] == SIDE
    parameters = [p for layer in layers for p in layer.parameters()]

    def step(way: str) -> Tensor:
        maps = WAYS[way](frames, layers)
        torch.autograd.grad(maps.square().sum(), parameters)
        return maps

    same = step("groups")
    for way in WAYS:
        torch.testing.assert_close(step(way), same)
    return step


if __name__ == "__main__":
    typer.run(main)
