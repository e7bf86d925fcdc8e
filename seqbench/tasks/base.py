"""The base class of tasks: a pure function from identities to sequences and answers, with a score and a threshold.

A task knows nothing of members, devices or models. It draws N sequences from N identities at once, with whole-tensor
operations on the device of the identities; the trainer reshapes N = E * B into members and batches.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from seqbench.axes import Outputs, PerMember
from seqbench.errors import BadInput, DataMissing
from seqbench.random import Keys
from seqbench.tasks.knobs import Knob
from seqbench.values.options import check_options, list_options
from seqbench.values.variants import spell

Split = Literal["train", "validation", "test"]
Loss = Literal["cross_entropy", "mse", "binary_cross_entropy"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


@dataclass(frozen=True)
class Batch:
    """N sequences and their answers.

    Attributes
    ----------
    x
        ``(N, T)`` int64 symbols, ``(N, T, D)`` float32 values or ``(N, T, channels, height, width)`` frames.
    y
        ``(N, A)`` int64 classes or ``(N, A, C)`` float32 values, due at the *last* A of the T steps: A = 1 asks
        for one answer at the end, A = T for one at every step.
    mask
        ``(N, A)`` bool: which of these answers count.
    """

    x: Shaped[Tensor, "N T *D"]
    y: Shaped[Tensor, "N A *C"]
    mask: Bool[Tensor, "N A"]

    @classmethod
    def all_due(cls, x: Tensor, y: Tensor) -> "Batch":
        """Return a batch in which every answer counts."""
        return cls(x, y, torch.ones(y.shape[:2], dtype=torch.bool, device=y.device))


@dataclass(frozen=True)
class Task(ABC):
    """One task at one lag.

    A run stops after three consecutive validations at or above the threshold (but see ``graded``), so the lengths of
    the validation split decide how long a model is trained. By default they are the training lengths, and a trained
    model is tested at other lengths through ``at``. A task whose own test has other lengths says in its docstring which
    of the two decide, and draws the split ``"validation"`` accordingly. For the built-in ones the training lengths
    decide, so that the test lengths are new to the model. Such a run may have steps to solve and still not be solved in
    the test.

    Attributes
    ----------
    name, version
        The stable id, and a number that is raised whenever the data or the score of the task change.
    knob, knob_unit
        What ``lag`` is for this task, a short noun such as "delay", and its unit in the plural, such as "steps". A knob
        that is itself a number of something ends with the unit: "blank frames" and "frames".
    lags
        The allowed values of ``lag`` if no option is given.
    inputs
        D, the features of a step or the size of the alphabet; for video ``(channels, height, width)``. It may depend
        on the lag or on an option.
    outputs
        C, the number of classes or of output values.
    loss
        ``"cross_entropy"`` over C classes, ``"mse"`` over C values, or ``"binary_cross_entropy"`` over C independent
        values, each 0 or 1.
    causal
        Whether an answer may depend only on earlier input. If all answers are due at the end, or need later input, a
        bidirectional model is allowed (False).
    measure, higher_is_better
        The name of the score, and its direction.
    score_range
        The lowest and the highest possible score, ``inf`` if unbounded; a score outside is an error. None means 0 to 1,
        the range of a share, if higher is better, and no bounds if lower is.
    chance
        The score of the best answer that ignores the input; derived in the task's docstring.
    threshold
        The score from which a run counts as solved.
    graded
        Whether scores beyond the threshold matter, as on real data: such a run uses its whole budget, others stop once
        they are solved.
    """

    lag: int

    name: ClassVar[str]
    version: ClassVar[int] = 1
    knob: ClassVar[str] = "lag"
    knob_unit: ClassVar[str] = ""
    lags: ClassVar[range] = range(1, 100_001)
    loss: ClassVar[Loss] = "cross_entropy"
    causal: ClassVar[bool] = True
    measure: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    score_range: ClassVar[tuple[float, float] | None] = None
    graded: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if type(self.lag) is not int:
            raise BadInput(
                f"the lag of {self.name} is a whole number; got a {type(self.lag).__name__}"
            )
        given = {option: getattr(self, option) for option in list_options(type(self))}
        check_options("task", self.name, type(self), given)
        lags = self.list_lags()
        if self.lag not in lags:
            name = self.name if lags == self.lags else spell(self.name, given)
            raise BadInput(
                f"{name} can't have lag {self.lag} ({Knob(self.knob, self.knob_unit).label}); "
                f"choose from {lags.start} to {lags[-1]}"
            )

    def list_lags(self) -> range:
        """Return the lags that the task can have with its options: by default ``lags``, whatever they are."""
        return self.lags

    def at(self, lag: int) -> "Task":
        """Return the same task with test sequences of another lag, on which a trained model is tested without training.

        Its sequences have the features, classes and score of this task, and its test has the chance and the threshold
        of that lag.

        Raises
        ------
        BadInput
            Where the task can't have this lag.
        """
        return replace(self, lag=lag)

    # A task sets these four as class attributes, or as properties where they depend on its lag, options or data.

    @property
    @abstractmethod
    def inputs(self) -> int | tuple[int, int, int]:
        """Return D, the features of a step or the size of the alphabet; for video the size of a frame."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Return C, the number of classes or of output values."""

    @property
    @abstractmethod
    def chance(self) -> float:
        """Return the score of the best answer that ignores the input."""

    @property
    @abstractmethod
    def threshold(self) -> float:
        """Return the score from which a run counts as solved."""

    @abstractmethod
    def sample(self, keys: Keys) -> Batch:
        """Return the sequences of these identities; the same identity always gives the same bits."""

    def keys(self, split: Split, seed: int, start: int, stop: int) -> Keys:
        """Return the identities ``start … stop - 1`` of a split."""
        return Keys.span(self.name, self.version, split, seed, start, stop)

    def score(
        self, output: Outputs, y: Shaped[Tensor, "E B A *C"], mask: Bool[Tensor, "E B A"]
    ) -> PerMember:
        """Return each member's share of right answers among those due."""
        right = self.right(output, y) & mask
        return right.sum(dim=(1, 2)) / mask.sum(dim=(1, 2))

    def right(self, output: Outputs, y: Shaped[Tensor, "E B A *C"]) -> Bool[Tensor, "E B A"]:
        """Return which answers are right: by default, those whose most probable class is the true one.

        A task with another loss than the cross-entropy overrides ``right`` or ``score``.
        """
        if self.loss != "cross_entropy":
            raise TypeError(
                f"task '{self.name}' has no classes to be right about; with the loss '{self.loss}' "
                "it needs a 'right' or a 'score' of its own"
            )
        return output.argmax(dim=-1) == y

    def baselines(self) -> dict[str, float]:
        """Return the scores of methods without a network on the test part, by name, in the measure of ``score``."""
        return {}

    def is_solved(self, score: float, margin: float = 0.0) -> bool:
        """Return whether a run with this score counts as solved.

        Parameters
        ----------
        margin
            How far beyond the threshold the score must be, as a share of the way to the best possible score. Without
            effect where that is not bounded.
        """
        best = self.best_score
        threshold = self.threshold
        if isfinite(best):
            threshold += margin * (best - threshold)
        return score >= threshold if self.higher_is_better else score <= threshold

    @property
    def best_score(self) -> float:
        """Return the best possible score, infinite if there is none."""
        lowest, highest = self.score_range or ((0.0, 1.0) if self.higher_is_better else (-inf, inf))
        return highest if self.higher_is_better else lowest

    @property
    def reads_symbols(self) -> bool:
        """Return whether a sequence consists of symbols, not of values; data that are missing count as values."""
        try:
            return not self.sample(self.keys("train", 0, 0, 1)).x.is_floating_point()
        except DataMissing:
            return False
