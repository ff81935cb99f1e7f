import pytest
import torch
from torch import nn

from burnish.gradients import onednn_products


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def net(*, bias, frozen=True):
    layers = nn.Sequential(nn.Linear(12, 20, bias=bias), nn.GELU(), nn.Linear(20, 3, bias=bias))
    for seed, weight in enumerate(layers.parameters()):
        weight.data = drawn(*weight.shape, seed=seed)
        weight.requires_grad_(not frozen)
    return layers


def run(layers, inputs):
    inputs = inputs.clone().requires_grad_()
    outputs = layers(inputs)
    (gradient,) = torch.autograd.grad(outputs[..., 1].sum(), inputs)
    return outputs.detach(), gradient


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(12,), (5, 12), (3, 4, 12), (2, 3, 4, 12)])
def test_outputs_and_gradients_are_the_usual_ones(bias, shape):
    layers, inputs = net(bias=bias), drawn(*shape, seed=9)
    wanted = run(layers, inputs)
    with onednn_products():
        found = run(layers, inputs)
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-5)


def test_frozen_layers_multiply_through_onednn_and_trained_ones_do_not():
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this PyTorch has no oneDNN")
    with onednn_products():
        rerouted = net(bias=True)(drawn(2, 12).requires_grad_()).grad_fn
        usual = net(bias=True, frozen=False)(drawn(2, 12)).grad_fn
    assert "_FrozenLinear" in rerouted.name()
    assert "_FrozenLinear" not in usual.name()


def test_gradients_of_trained_weights_still_flow():
    layers, inputs = net(bias=True, frozen=False), drawn(5, 12)
    with onednn_products():
        layers(inputs).sum().backward()
    found = [weight.grad.clone() for weight in layers.parameters()]
    layers.zero_grad()
    layers(inputs).sum().backward()
    for one, weight in zip(found, layers.parameters(), strict=True):
        assert torch.equal(one, weight.grad)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_other_precisions_go_their_usual_way(kind):
    layers, inputs = net(bias=True).to(kind), drawn(5, 12).to(kind)
    wanted = layers(inputs)
    with onednn_products():
        assert torch.equal(layers(inputs), wanted)
        assert wanted.dtype == kind


def test_autocast_is_left_to_itself():
    layers, inputs = net(bias=True), drawn(5, 12)
    with onednn_products(), torch.autocast("cpu", torch.bfloat16):
        assert layers(inputs).dtype == torch.bfloat16


def test_no_rows_give_no_rows():
    with onednn_products():
        assert net(bias=True)(drawn(0, 12)).shape == (0, 3)


def test_weights_that_change_between_products_are_seen():
    layers, inputs = net(bias=True), drawn(5, 12)
    with onednn_products():
        for _ in range(3):
            run(layers, inputs)
        with torch.no_grad():
            layers[0].weight *= 2
        found = run(layers, inputs)
    for one, other in zip(found, run(layers, inputs), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-5)


def test_every_further_product_of_a_layer_is_the_usual_one():
    layers, batches = net(bias=True), [drawn(7, 12, seed=seed) for seed in range(4)]
    wanted = [run(layers, batch) for batch in batches]
    with onednn_products():
        found = [run(layers, batch) for batch in batches]
    for ours, usual in zip(found, wanted, strict=True):
        for one, other in zip(ours, usual, strict=True):
            assert torch.allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("there", [[], [0], [2, 5], list(range(7))])
def test_rows_without_gradient_are_left_out_and_stay_zero(there):
    layers, inputs = net(bias=True), drawn(7, 12, seed=9).requires_grad_()
    outer = torch.zeros(7, 3)
    outer[there] = drawn(len(there), 3, seed=4)
    outer[there, 0] = 0  # the first column alone does not tell
    (wanted,) = torch.autograd.grad(layers(inputs), inputs, outer)
    with onednn_products():
        (found,) = torch.autograd.grad(layers(inputs), inputs, outer)
    assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-5)
    others = [row for row in range(7) if row not in there]
    assert (found[others] == 0).all()


def test_a_gradient_that_is_not_a_number_is_kept():
    layers, inputs = net(bias=True), drawn(7, 12, seed=9).requires_grad_()
    outer = torch.zeros(7, 3)
    outer[3, 1] = float("nan")
    with onednn_products():
        (found,) = torch.autograd.grad(layers(inputs), inputs, outer)
    assert found[3].isnan().all()
    assert (found[[0, 1, 2, 4, 5, 6]] == 0).all()
