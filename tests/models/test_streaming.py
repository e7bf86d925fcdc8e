"""Two roads: a sequence given step by step gives what it gives at once."""

import pytest
import torch

from seqbench.errors import BadInput
from seqbench.models.streaming import stream

from . import BACK_ONLY, BOTH_WAYS, make, normal, read

CLOSE = {"rtol": 1e-12, "atol": 1e-12}
T = 6

each = pytest.mark.parametrize("case", BACK_ONLY)


def moved(case):
    """Return the model of a case with every parameter off its start: peepholes start at zero, gains at one."""
    model = make(case, causal=True)
    with torch.no_grad():
        for k, p in enumerate(model.parameters()):
            p.add_(normal(*p.shape, seed=k), alpha=0.3)
    return model


@each
def test_step_by_step_is_the_whole_sequence(case):
    model, x = moved(case), read(case, T=T)
    wanted = model(x, T)
    y = torch.stack(list(stream(model, x)), dim=2)
    torch.testing.assert_close(y, wanted.detach(), **CLOSE)
    for t in range(1, T):  # the state matters at every step: this test can fail
        assert not torch.isclose(model(x[:, :, t:], T - t)[:, :, 0], wanted[:, :, t]).all()


@each
def test_two_streams_do_not_meet(case):
    model, x = moved(case), read(case, T=T)
    alone = list(stream(model, x))
    streams = zip(stream(model, x), stream(model, -x), strict=True)
    for y, (same, other) in zip(alone, streams, strict=True):
        assert torch.equal(y, same)
        assert not torch.equal(y, other)


@each
def test_a_stream_keeps_no_graph(case):
    model = moved(case)
    assert model.streams
    assert not any(y.requires_grad for y in stream(model, read(case, T=2)))


def test_what_looks_both_ways_can_not_be_streamed():
    model = make("transformer", causal=False)
    assert not model.streams
    with pytest.raises(BadInput, match="looks both ways"):
        next(stream(model, read("transformer")))
    for case in BOTH_WAYS:
        assert not make(case).streams
        with pytest.raises(BadInput, match="bilstm can't be given a sequence step by step"):
            next(stream(make(case), read(case)))
