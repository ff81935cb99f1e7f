from __future__ import annotations

import pytest
import torch

from burnish.codecs.errors import LayoutMismatch, NotFinite
from burnish.methods.cg_fedllm.layout import LoraLayout

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")


def llama_shapes(layers: int, d: int, kv: int, rank: int) -> dict[str, tuple[int, int]]:
    """What PEFT makes of Llama's attention; the output of o is d wide, so is its input."""
    found = {}
    for layer in reversed(range(layers)):
        for module in MODULES:
            stem = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            found[f"{stem}.lora_B.weight"] = (kv if module in "k_proj v_proj" else d, rank)
            found[f"{stem}.lora_A.weight"] = (rank, d)
    return found


def drawn(layout: LoraLayout, seed: int = 0) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    pairs = zip(layout.names, layout.shapes, strict=True)
    return {name: torch.randn(shape, generator=draw) for name, shape in pairs}


def by_hand(tensors: dict[str, torch.Tensor], layers: int, width: int) -> torch.Tensor:
    """The image: for square weights side by side, else flattened block by block."""
    blocks = []
    for layer in range(layers):
        for module in MODULES:
            stem = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            a, b = tensors[f"{stem}.lora_A.weight"], tensors[f"{stem}.lora_B.weight"]
            fits = a.shape[1] == b.shape[0]
            blocks.append(torch.cat([a.T, b], 1) if fits else torch.cat([a.T, b], 0))
    if all(block.shape == blocks[0].shape for block in blocks):
        return torch.cat(blocks, 1)
    flat = torch.cat([block.reshape(-1) for block in blocks])
    image = torch.zeros(-(-len(flat) // width) * width)
    image[: len(flat)] = flat
    return image.view(width, -1)


@pytest.mark.parametrize(
    ("geometry", "height", "width"),
    [
        ((32, 4096, 4096, 8), 4096, 2048),
        ((32, 4096, 4096, 16), 4096, 4096),
        ((30, 576, 192, 8), 576, 1600),
    ],
    ids=["llama-7b", "llama-7b-r16", "smollm2-135m"],
)
def test_known_models_have_the_images_that_are_told_of_them(geometry, height, width):
    layout = LoraLayout.from_shapes(llama_shapes(*geometry))
    assert (layout.height, layout.size) == (height, height * width)
    assert layout.numbers == layout.size


def test_the_paper_s_own_model_sends_this_many_numbers():
    assert LoraLayout.from_shapes(llama_shapes(32, 4096, 4096, 8)).size == 8_388_608
    assert LoraLayout.from_shapes(llama_shapes(30, 576, 192, 8)).size == 921_600


@pytest.mark.parametrize("rank", [8, 16])
@pytest.mark.parametrize("kv", [48, 16, 20], ids=["every-head", "grouped", "does-not-divide"])
def test_a_vector_is_the_image_and_goes_back_bit_for_bit(rank, kv):
    layout = LoraLayout.from_shapes(llama_shapes(3, 48, kv, rank))
    tensors = drawn(layout)
    tensors[layout.names[0]][0, 0] = -0.0
    vector = layout.to_vector(tensors)
    image = vector.view(layout.image.height, layout.image.width)
    assert torch.equal(image, by_hand(tensors, 3, 48))
    back = layout.to_tensors(vector)
    assert list(back) == list(layout.names)
    for name, tensor in tensors.items():
        assert back[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_a_vector_that_does_not_divide_ends_in_zeros_alone():
    layout = LoraLayout.from_shapes(llama_shapes(1, 48, 20, 4))
    padding = layout.size - layout.numbers
    assert 0 < padding < 48
    ones = {name: torch.ones_like(tensor) for name, tensor in drawn(layout).items()}
    vector = layout.to_vector(ones)
    assert vector[: layout.numbers].eq(1).all()
    assert vector[layout.numbers :].eq(0).all()


@pytest.mark.parametrize("kv", [48, 16])
def test_the_image_tells_the_numbers_of_a_from_those_of_b(kv):
    layout = LoraLayout.from_shapes(llama_shapes(2, 48, kv, 4))
    which = {
        name: torch.full(shape, float(".lora_B." in name))
        for name, shape in zip(layout.names, layout.shapes, strict=True)
    }
    told, numbers = layout.image.factor, layout.numbers
    assert torch.equal(told[:numbers].float(), layout.to_vector(which)[:numbers])
    assert layout.image.factors == ("A", "B")
    assert layout.image.size == layout.size


def test_order_does_not_depend_on_the_order_given_and_layers_count_as_numbers():
    shapes = llama_shapes(12, 8, 8, 2)
    layout = LoraLayout.from_shapes(shapes)
    again = LoraLayout.from_shapes(dict(sorted(shapes.items())))
    assert (layout, layout.hash) == (again, again.hash)
    layers = [int(a.split(".layers.")[1].split(".")[0]) for a, _ in layout.pairs]
    assert layers == sorted(layers)
    assert [a.split(".lora_A")[0].rpartition(".")[2] for a, _ in layout.pairs[:4]] == list(MODULES)


def test_another_rank_or_module_gives_another_hash():
    hashes = {
        LoraLayout.from_shapes(shapes).hash
        for shapes in (
            llama_shapes(2, 48, 16, 4),
            llama_shapes(2, 48, 16, 8),
            llama_shapes(1, 48, 16, 4),
            llama_shapes(2, 48, 48, 4),
        )
    }
    assert len(hashes) == 4


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_named(bad):
    layout = LoraLayout.from_shapes(llama_shapes(2, 16, 8, 2))
    tensors = drawn(layout)
    name = layout.names[5]
    tensors[name][1, 1] = bad
    with pytest.raises(NotFinite, match=f"{name} must hold finite numbers"):
        layout.to_vector(tensors)


def test_an_adapter_of_another_layout_is_refused():
    layout = LoraLayout.from_shapes(llama_shapes(2, 16, 8, 2))
    tensors = drawn(layout)
    first = layout.names[0]
    with pytest.raises(LayoutMismatch, match=f"{first} is missing"):
        layout.to_vector({name: tensors[name] for name in layout.names[1:]})
    with pytest.raises(LayoutMismatch, match="other is not in this layout"):
        layout.to_vector(tensors | {"other": torch.ones(2)})
    wider = drawn(LoraLayout.from_shapes(llama_shapes(2, 16, 8, 4)))
    with pytest.raises(LayoutMismatch, match=r"must have the shape \(2, 16\), got \(4, 16\)"):
        layout.to_vector(wider)
    with pytest.raises(LayoutMismatch, match=rf"vectors of shape \({layout.size},\), got \(3,\)"):
        layout.to_tensors(torch.zeros(3))


@pytest.mark.parametrize(
    ("shapes", "complaint"),
    [
        ({}, "needs LoRA matrices, got none"),
        ({"x.lora_A.weight": (2, 8)}, "needs x.lora_B.weight beside it"),
        ({"x.bias": (8,)}, "is no LoRA matrix A or B"),
        ({"x.lora_A.weight": (2, 8), "x.lora_B.weight": (8, 3)}, "goes with B of"),
        ({"x.lora_A.weight": (2, 8, 1), "x.lora_B.weight": (8, 2)}, "goes with B of"),
    ],
)
def test_what_is_no_pair_of_matrices_is_refused(shapes, complaint):
    with pytest.raises(LayoutMismatch, match=complaint):
        LoraLayout.from_shapes(shapes)
