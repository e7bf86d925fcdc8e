"""Answers of a wrong shape are a fault of the model: it is recorded as failed, and the others go on."""

import pytest
import user_defined
from torch import nn

from seqbench.measure.progress import Plain
from seqbench.measure.runs import run
from seqbench.models import MODELS
from seqbench.models.adapter import adapt


@pytest.fixture(autouse=True)
def alone():
    """Send the guests home."""
    yield
    MODELS.added.clear()


class LastState(nn.Module):
    """Gives one answer for a whole sequence, ``(B, C)``."""

    def __init__(self, inputs, outputs, hidden):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.out(self.gru(x)[0][:, -1])


class Squeezed(user_defined.Last):
    """Leaves out the axis of the answers."""

    name = "squeezed"

    def forward(self, x, answers):
        return super().forward(x, answers)[:, :, -1]


class Several(user_defined.Last):
    """Gives its state as well."""

    name = "several"

    def forward(self, x, answers):
        return super().forward(x, answers), None


class Later(user_defined.Last):
    """Gives a wrong shape where it is evaluated, and only there."""

    name = "later"

    def forward(self, x, answers):
        y = super().forward(x, answers)
        return y if self.training else y[:, :1]


SAYS = {
    "squeezed": "ValueError: model 'squeezed' gives (1, 8, 1); it must give (E, B, A, C), "
    "here (1, 8, 1, 1)",
    "several": "TypeError: model 'several' gives a tuple; it must give a tensor",
    "later": "ValueError: model 'later' gives (1, 1, 1, 1); it must give (E, B, A, C)",
    "last_state": "ValueError: the module of model 'last_state' gives (8, 1) for an input of "
    "(8, 8, 2); it must give (B, T, C), here (8, 8, 1)",
}


def test_it_is_recorded_as_failed_with_the_shape_and_the_others_go_on(tmp_path):
    models = [Squeezed, Several, Later, adapt("last_state", LastState), user_defined.Last]
    store = run(
        "smoke", tasks=["adding"], models=models, lags=[8], seeds=1,
        engine="serial", out=tmp_path / "out", listen=Plain(),
    )  # fmt: skip
    found = {record.unit.model: record for record in store.records()}
    assert found.pop("last").verdict == "not_solved"
    assert {record.verdict for record in found.values()} == {"failed"}
    for name, record in found.items():
        assert record.reason.startswith(SAYS[name])
