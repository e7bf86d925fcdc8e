"""Small models with weights large enough that gates and saturation matter, in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from seqbench.models import MODELS
from seqbench.random import Keys

CPU = torch.device("cpu")


@pytest.fixture
def make() -> Callable[..., Any]:
    """Return a maker of models of two members, with weights twice as large as they start."""

    def made(name: str, inputs: int, outputs: int, hidden: int = 4, **options: Any) -> Any:
        keys = Keys(name, 1, "weights", torch.tensor([0, 1]), torch.zeros(2, dtype=torch.int64))
        model = MODELS[name](keys, inputs=inputs, outputs=outputs, hidden=hidden, **options)
        model.double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2)
        return model

    return made
