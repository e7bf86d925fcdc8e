"""The bidirectional LSTM against torch's own, and what it reads where a single answer is due."""

import pytest
import torch
from torch import nn

from seqbench.models import MODELS
from seqbench.models.bilstm import BiLSTM

from . import SEEDS, gradients, identities, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
T, H = 7, 8


def torchs(layers):
    torch.manual_seed(0)
    return [nn.LSTM(3, H, layers, batch_first=True, bidirectional=True).double() for _ in SEEDS]


def as_ours(net, k, part):
    """Return torch's parameters of a layer as ours: those from the start, then those from the end."""
    for end in ("", "_reverse"):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        W_ih, W_hh, b_ih, b_hh = (getattr(getattr(net, f"{n}_l{k}{end}"), part) for n in names)
        yield {"W_x": W_ih.T, "W_h": W_hh.T, "b": (b_ih + b_hh if part == "data" else b_ih)[None]}


@pytest.mark.parametrize("how", ["reference", "native", "ensemble"])
@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_torchs_bidirectional_lstm(layers, how):
    ours, theirs = make("bilstm", layers=layers, outputs=2 * H), torchs(layers)
    ours.use_scan(how)
    with torch.no_grad():
        ours.readout.W.copy_(torch.eye(2 * H))
        ours.readout.b.zero_()
        for e, net in enumerate(theirs):
            for k in range(layers):
                for cell, values in zip(
                    (ours.ahead[k], ours.back[k]), as_ours(net, k, "data"), strict=True
                ):
                    for name, value in values.items():
                        getattr(cell, name)[e] = value
    x = normal(len(SEEDS), 4, T, 3).requires_grad_()
    every = torch.stack([net(x[e])[0] for e, net in enumerate(theirs)])
    torch.testing.assert_close(ours(x, T), every, **CLOSE)
    torch.testing.assert_close(ours(x, 3), every[:, :, -3:], **CLOSE)

    # h_n has the last state of each direction, that from the end where it has come to the first step
    h_n = torch.stack([net(x[e])[1][0][-2:] for e, net in enumerate(theirs)])
    ends = h_n.transpose(1, 2).flatten(2)[:, :, None]
    torch.testing.assert_close(ours(x, 1), ends, **CLOSE)

    torch.testing.assert_close(gradients(ours(x, 1), x)[0], gradients(ends, x)[0], **CLOSE)
    ours_grads = gradients(ours(x, T), ours.back[0].W_h, ours.ahead[0].W_h)
    their_grads = gradients(every, *[net.weight_hh_l0_reverse for net in theirs])
    torch.testing.assert_close(ours_grads[0].mT, torch.stack(their_grads), **CLOSE)


@pytest.mark.parametrize("t", [0, 3, T - 1])
def test_a_single_answer_hangs_on_every_step(t):
    model, x = make("bilstm"), normal(len(SEEDS), 2, T, 3)
    other = x.clone()
    other[:, :, t] = normal(len(SEEDS), 2, 3, seed=2)
    assert not torch.isclose(model(x, 1), model(other, 1)).any()


def test_gradients_are_the_derivatives():
    model = make("bilstm", (3, 5), inputs=2, hidden=2, back=1)
    names, values = zip(*model.named_parameters(), strict=True)
    model.use_scan("reference")
    for answers in (1, 2):

        def output(x, *parameters, answers=answers):
            named = dict(zip(names, parameters, strict=True))
            return torch.func.functional_call(model, named, (x, answers))

        assert torch.autograd.gradcheck(output, (normal(2, 2, 3, 2).requires_grad_(), *values))


def test_both_ends_draw_from_streams_of_their_own():
    model = BiLSTM(identities("bilstm"), inputs=3, outputs=2, hidden=H)
    assert not torch.isclose(model.ahead[0].W_x, model.back[0].W_x).any()
    assert MODELS["bilstm"].both_ways
