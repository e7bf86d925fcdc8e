"""How large a model is, and the sizes that give it a number of parameters.

Models are compared at equal parameters, within 2 %. A model says by ``size_options`` what sets its size;
``match_sizes`` turns that up until the count is met.

What is counted is a choice (``counting``). ``"all"`` counts every parameter. ``"inner"`` leaves out embedding and
readout, which grow with the number of symbols and not with what a model can remember: language models are compared so
(Kaplan et al., 2020).
"""

from bisect import bisect_right
from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any, Final, get_args

from torch import nn

from seqbench.errors import BadInput, unknown
from seqbench.models import MODELS
from seqbench.models.base import Model
from seqbench.random import Keys
from seqbench.records.schema import Counting

TOLERANCE = 0.02  # by which the sizes of compared models may differ from the common one


def count(model: nn.Module) -> int:
    """Return P, the numbers in all parameters of one member."""
    return sum(prod(parameter.shape[1:]) for parameter in model.parameters())


def count_inner(model: Model) -> int:
    """Return the numbers in the parameters of one member beyond embedding and readout (``Model.outer``)."""
    return sum(prod(parameter.shape[1:]) for parameter in model.list_inner())


COUNTS: Final[dict[str, Callable[[Model], int]]] = {"all": count, "inner": count_inner}


def choose_count(counting: str) -> Callable[[Model], int]:
    """Return the function that counts so; raise BadInput where there is none."""
    if counting not in COUNTS:
        raise unknown("counting", counting, get_args(Counting))
    return COUNTS[counting]


@cache
def common_size(
    models: tuple[str, ...],
    parameters: int,
    *,
    inputs: int | tuple[int, int, int],
    outputs: int,
    causal: bool = True,
    counting: Counting = "all",
) -> int:
    """Return the count nearest to ``parameters`` that each of these models can have within 2 %.

    Models whose only size is the hidden width can have some counts and not others: a unit more or less is 2 / H of
    an LSTM's parameters. The counts within a tenth of the one asked for are tried; where no count suits all models,
    the one that suits best is taken. Models with a second size (see ``match_sizes``) can have any count.
    """
    shape: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "causal": causal}
    each = (counts_of_hidden(MODELS[name], 1.2 * parameters, counting, **shape) for name in models)
    sizes = [counts for counts in each if counts]

    def worst(P: int) -> float:
        return max((min(abs(count - P) for count in counts) / P for counts in sizes), default=0.0)

    tenth = parameters // 10
    near = sorted(
        range(parameters - tenth, parameters + tenth + 1), key=lambda P: (abs(P - parameters), P)
    )
    return next((P for P in near if worst(P) <= TOLERANCE), min(near, key=worst))


def counts_of_hidden(
    model: type[Model], most: float, counting: Counting = "all", **shape: Any
) -> list[int]:
    """Return the counts up to ``most`` that a model's hidden width can give it; none if it has another size, too."""
    if list(model.size_options()) != ["hidden"]:
        return []
    nobody = Keys.span(model.name, 1, "weights", 0, 0, 0)
    count_numbers = choose_count(counting)
    counts: list[int] = []
    while not counts or counts[-1] < most:
        counts.append(count_numbers(model(nobody, hidden=len(counts) + 1, **shape)))
    return counts


def match_sizes(
    model: str | type[Model],
    parameters: int,
    *,
    inputs: int | tuple[int, int, int],
    outputs: int,
    counting: Counting = "all",
    **options: Any,
) -> dict[str, int]:
    """Return the sizes that give a model as nearly as can be so many parameters a member.

    A model says by ``size_options(**options)`` what sets its size: ``{"hidden": 8, "feedforward": 1}`` turns
    ``hidden`` up in steps of 8 as far as it fits, then ``feedforward`` for the rest. Every try is a model of no
    members: it has shapes, and no numbers to be drawn.

    Parameters
    ----------
    model
        A name, or the class itself.
    parameters
        The count to be matched. What remains is at most half of what one step of the last size adds; a hidden unit
        more or less is about 2 / H of an LSTM or GRU.
    counting
        Whether all parameters are counted, or those beyond embedding and readout (``"inner"``).
    options
        What else the model is given: layers, causal and its own options. A size among them stays as it is.

    Raises
    ------
    BadInput
        Where the smallest size has too many.
    """
    cls: type[Model] = MODELS[model] if isinstance(model, str) else model
    if any("dials" in vars(base) for base in cls.__mro__):  # the name of the method in version 0.1
        raise BadInput(f"model '{cls.name}' has a method 'dials'; its name is 'size_options' now")
    nobody, count_numbers = Keys.span(cls.name, 1, "weights", 0, 0, 0), choose_count(counting)

    def size(sizes: dict[str, int]) -> int:
        return count_numbers(cls(nobody, inputs=inputs, outputs=outputs, **options, **sizes))

    near: list[dict[str, int]] = [{}]
    for name, step in cls.size_options(**options).items():
        if name in options:
            continue
        top = 1
        while top < parameters and size(near[0] | {name: top * step}) <= parameters:
            top *= 2
        tries = [near[0] | {name: n * step} for n in range(1, top + 1)]
        fits = bisect_right(tries, parameters, key=size)
        near = tries[max(fits - 1, 0) : fits + 1]  # the largest that fits, and the next
    least = size(near[0])
    if near[0] and least > parameters:
        beyond = " beyond embedding and readout" if counting == "inner" else ""
        raise BadInput(
            f"{cls.name} has at least {least} parameters{beyond} here; {parameters} are too few"
        )
    return min(near, key=lambda sizes: abs(size(sizes) - parameters))
