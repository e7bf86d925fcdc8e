"""The transformer against torch's own encoder layers, and its positions against other ways to compute them."""

from cmath import exp
from math import cos, sin, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from seqbench.models.transformer import angles, rotate, sinusoids

from . import SEEDS, gradients, make, normal

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
T, H = 6, 8


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_it_is_torchs_encoder(heads, causal):
    ours = make(
        "transformer", causal=causal, heads=heads, feedforward=10, positions="none", inputs=H
    )
    with torch.no_grad():  # gains and shifts are ones and zeros at the start
        for k, p in enumerate(ours.parameters()):
            p.add_(normal(*p.shape, seed=k), alpha=0.3)
    theirs = [torchs(ours, e, heads) for e in range(len(SEEDS))]
    mask = nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64)
    x = normal(len(SEEDS), 4, T, H).requires_grad_()
    h_theirs = []
    for e, (embed, layers, end) in enumerate(theirs):
        h = embed(x[e])
        for layer in layers:
            h = layer(h, src_mask=mask if causal else None, is_causal=causal)
        h_theirs.append(end(h))
    wanted = torch.stack(h_theirs)
    torch.testing.assert_close(ours(x, T), wanted, **CLOSE)
    torch.testing.assert_close(ours(x, 2), wanted[:, :, -2:], **CLOSE)

    reached = [layers[0].self_attn.in_proj_weight for _, layers, _ in theirs]
    grad, *in_proj = gradients(wanted, x, *reached)
    grad_ours, qkv = gradients(ours(x, T), x, ours.blocks[0].mixer.qkv.W)
    torch.testing.assert_close(grad_ours, grad, **CLOSE)
    torch.testing.assert_close(qkv.mT, torch.stack(in_proj), **CLOSE)


def torchs(ours, e, heads):
    """Return member e made of torch's modules: what comes before the layers, the layers, what comes after."""

    def linear(part):
        module = nn.Linear(*part.W.shape[1:])
        module.weight.data, module.bias.data = part.W[e].T.clone(), part.b[e, 0].clone()
        return module

    def norm(part):
        module = nn.LayerNorm(H)
        module.weight.data, module.bias.data = (
            part.gain[e, 0, 0].clone(),
            part.shift[e, 0, 0].clone(),
        )
        return module

    layers = []
    for block in ours.blocks:
        layer = nn.TransformerEncoderLayer(
            H, heads, 10, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        qkv = linear(block.mixer.qkv)
        layer.self_attn.in_proj_weight.data = qkv.weight.data
        layer.self_attn.in_proj_bias.data = qkv.bias.data
        layer.double().self_attn.out_proj.load_state_dict(linear(block.mixer.out).state_dict())
        layer.linear1, layer.linear2 = linear(block.up), linear(block.down)
        layer.norm1, layer.norm2 = norm(block.norm_1), norm(block.norm_2)
        layers.append(layer)
    return linear(ours.embed), layers, nn.Sequential(norm(ours.norm), linear(ours.readout))


def test_angles_of_a_long_sequence_are_exact_in_bfloat16_too():
    angle = angles(2000, 4, normal(1).bfloat16())
    assert angle.dtype == torch.float32
    assert angle[:, 0].tolist() == list(range(2000))


def test_sines_are_those_of_the_paper():
    width = 6
    table = sinusoids(angles(9, width, normal(1)))
    for t in range(9):
        for k in range(width // 2):
            angle = t / 10_000 ** (2 * k / width)
            assert table[t, 2 * k].item() == pytest.approx(sin(angle), abs=1e-12)
            assert table[t, 2 * k + 1].item() == pytest.approx(cos(angle), abs=1e-12)


def test_a_rotation_multiplies_by_a_complex_number_of_length_one():
    width = 6
    q = normal(9, width)
    turned = rotate(q, angles(9, width, q))
    for t in range(9):
        for k in range(width // 2):
            number = complex(q[t, k], q[t, k + width // 2])
            number *= exp(1j * t / 10_000 ** (2 * k / width))
            assert turned[t, k].item() == pytest.approx(number.real, abs=1e-12)
            assert turned[t, k + width // 2].item() == pytest.approx(number.imag, abs=1e-12)


@given(t=st.integers(0, 40), s=st.integers(0, 40), shift=st.integers(0, 40))
@settings(max_examples=20, deadline=None)
def test_rotated_products_know_only_the_distance(t, s, shift):
    q, k = (normal(4, seed=seed).expand(81, 4) for seed in (1, 2))
    angle = angles(81, 4, q)
    q, k = rotate(q, angle), rotate(k, angle)
    torch.testing.assert_close(q[t] @ k[s], q[t + shift] @ k[s + shift], **CLOSE)


def test_only_positions_tell_the_order():
    """Looking both ways without them, a transformer sees a bag of steps."""
    x, order = normal(len(SEEDS), 2, T, 3), [3, 0, 2, 1, 4, 5]  # the last two stay
    for positions in ("none", "rotary", "sinusoidal"):
        model = make("transformer", causal=False, positions=positions)
        same = torch.isclose(model(x, 1), model(x[:, :, order], 1))
        assert same.all() if positions == "none" else not same.any()


def test_the_start_lets_symbols_be_told_apart_and_keeps_the_stream_small():
    model = make("transformer", inputs=64, hidden=32, layers=2)
    assert model.embed.W.std().item() == pytest.approx(1, abs=0.02)
    for block in model.blocks:
        for part, fan in ((block.mixer.qkv, 32), (block.up, 32)):
            assert part.W.abs().max().item() == pytest.approx(1 / sqrt(fan), rel=0.02)
        for part, fan in ((block.mixer.out, 32), (block.down, 16)):
            assert part.W.abs().max().item() == pytest.approx(1 / sqrt(fan) / 2, rel=0.02)
        assert (block.norm_1.gain == 1).all()
        assert not block.norm_1.shift.any()
