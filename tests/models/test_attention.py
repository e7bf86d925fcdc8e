"""The LSTM with attention against loops that look up one state at a time."""

from math import sqrt

import pytest
import torch
from torch.nn import functional as F

from seqbench.errors import BadInput
from seqbench.models.streaming import stream

from . import SEEDS, gradients, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
T, A, B, H = 6, 3, 2, 8

each_score = pytest.mark.parametrize("score", ["additive", "dot"])


def scored(scores, e, q, h):
    """Return how well a state suits a query, for one member, one vector at a time."""
    q = q @ scores.query.W[e] + scores.query.b[e, 0]
    k = h @ scores.W_k[e]
    if scores.score == "dot":
        return (q * k).sum() / sqrt(len(k))
    return (torch.tanh(q + k) * scores.v[e, :, 0]).sum()


def looked_up(scores, e, q, states):
    """Return what a query finds among states, and with which weights."""
    weights = torch.softmax(torch.stack([scored(scores, e, q, h) for h in states]), dim=0)
    return sum(w * h for w, h in zip(weights, states, strict=True)), weights


def answer(model, e, h, m):
    return torch.cat([h, m]) @ model.readout.W[e] + model.readout.b[e, 0]


def look_back(model, e, x):
    """Return outputs and weights of one sequence of one member, from states up to each step."""
    states = model.states(x[None].expand(len(SEEDS), 1, T, 3))[e, 0]
    ys, maps = [], []
    for t in range(T - A, T):
        m, weights = looked_up(model.scores, e, states[t], states[: t + 1])
        ys.append(answer(model, e, states[t], m))
        maps.append(F.pad(weights, (0, T - 1 - t)))
    return torch.stack(ys), torch.stack(maps)


def decode(model, e, x):
    """Return outputs and weights of one sequence of one member, by a decoder that begins with the encoder's last h."""
    states = model.states(x[None, None, : T - A].expand(len(SEEDS), 1, T - A, 3))[e, 0]
    cell = model.decoder
    h, c = states[-1], torch.zeros(H, dtype=torch.float64)
    ys, maps = [], []
    for t in range(T - A, T):
        m, weights = looked_up(model.scores, e, h, states)
        a = torch.cat([x[t], m]) @ cell.W_x[e] + h @ cell.W_h[e] + cell.b[e, 0]
        i, f, g, o = a.chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        ys.append(answer(model, e, h, m))
        maps.append(F.pad(weights, (0, A)))
    return torch.stack(ys), torch.stack(maps)


@each_score
@pytest.mark.parametrize("kind", ["states", "decoder"])
def test_it_looks_up_one_state_after_the_other(kind, score):
    model = make("lstm_attention", kind=kind, score=score, width=5)
    x = normal(len(SEEDS), B, T, 3).requires_grad_()
    by_hand = look_back if kind == "states" else decode
    found = [[by_hand(model, e, x[e, b]) for b in range(B)] for e in range(len(SEEDS))]
    y, maps = (
        torch.stack([torch.stack([each[part] for each in row]) for row in found]) for part in (0, 1)
    )
    torch.testing.assert_close(model(x, A), y, **CLOSE)
    torch.testing.assert_close(model.attend(x, A)[:, :, 0], maps, **CLOSE)
    leaves = [x, *model.parameters()]
    for g, wanted in zip(gradients(model(x, A), *leaves), gradients(y, *leaves), strict=True):
        torch.testing.assert_close(g, wanted, **CLOSE)


@each_score
@pytest.mark.parametrize("kind", ["states", "decoder"])
def test_the_weights_are_shares_of_what_was_seen(kind, score):
    model, x = make("lstm_attention", kind=kind, score=score), normal(len(SEEDS), B, T, 3)
    weights = model.attend(x, A)[:, :, 0]
    assert weights.shape == (len(SEEDS), B, A, T)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones_like(weights[..., 0]), **CLOSE)
    for i in range(A):
        seen = T - A + i + 1 if kind == "states" else T - A
        assert (weights[:, :, i, :seen] > 0).all()
        assert not weights[:, :, i, seen:].any()


def test_a_query_finds_the_state_that_it_is_like():
    """With keys that stand far apart, each answer gathers the one state that suits it."""
    model = make("lstm_attention", score="dot", width=H)
    with torch.no_grad():
        model.scores.query.W.copy_(torch.eye(H) * 1e7)
        model.scores.query.b.zero_()
        model.scores.W_k.copy_(torch.eye(H))
    x = normal(len(SEEDS), B, T, 3)
    h, m, weights = model.gather(x, T)
    best = (h @ h.mT).masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf).argmax(dim=-1)
    assert torch.equal(weights.argmax(dim=-1), best)
    torch.testing.assert_close(m, h.gather(2, best[..., None].expand_as(h)), rtol=0, atol=1e-3)


@each_score
def test_gradients_are_the_derivatives(score):
    for kind in ("states", "decoder"):
        model = make("lstm_attention", (3, 5), inputs=2, hidden=2, kind=kind, score=score)
        names, values = zip(*model.named_parameters(), strict=True)
        model.use_scan("reference")

        def output(x, *parameters, model=model, names=names):
            named = dict(zip(names, parameters, strict=True))
            return torch.func.functional_call(model, named, (x, 2))

        assert torch.autograd.gradcheck(output, (normal(2, 2, 4, 2).requires_grad_(), *values))


def test_a_decoder_sees_nothing_that_comes_later():
    model, x = make("lstm_attention", kind="decoder"), normal(len(SEEDS), B, T, 3)
    later = torch.cat([x[:, :, :-1], normal(len(SEEDS), B, 1, 3, seed=2)], dim=2)
    before, after = model(x, A), model(later, A)
    torch.testing.assert_close(before[:, :, :-1], after[:, :, :-1], **CLOSE)
    assert not torch.isclose(before[:, :, -1], after[:, :, -1]).any()


def test_what_a_decoder_can_not_do_is_said():
    model, x = make("lstm_attention", kind="decoder"), normal(len(SEEDS), B, T, 3)
    with pytest.raises(BadInput, match="nothing to decode where every step has an answer"):
        model(x, T)
    with pytest.raises(BadInput, match="with a decoder can't tell from a step whether"):
        next(stream(model, x))
