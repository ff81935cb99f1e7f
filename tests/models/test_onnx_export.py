"""ONNX Runtime says what torch says, of batches of any size, dense and shrunk, fp32 and int8."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from transformers.utils import ModelOutput

from burnish.errors import UsageError
from burnish.models import onnx_export
from burnish.models.onnx_export import OnnxModel, export_onnx, int8_is_exact, quantize_int8
from burnish.models.shrinking import shrink

BATCHES = [(7, 3, 9), (4,), (5, 5, 2, 1, 17)]


def arrays(inputs) -> dict:
    return {name: tensor.numpy() for name, tensor in inputs.items()}


def largest_gap(zoo, model, graph, lengths) -> float:
    inputs = zoo.ragged(*lengths)
    said = {name: torch.from_numpy(array) for name, array in graph(arrays(inputs)).items()}
    ours = zoo.outputs(lambda **_: ModelOutput(said), inputs)
    return float((ours - zoo.outputs(model, inputs)).abs().max())


@pytest.fixture(scope="module")
def pruned(zoo, tmp_path_factory):
    """A classifier of layers that differ, the second without units, and its graph."""
    model = zoo.model("bert-classifier", num_hidden_layers=2)
    keep = zoo.uneven(model)
    shrink(model, [keep[0], zoo.kept([1], [])])
    return model, export_onnx(model, tmp_path_factory.mktemp("pruned"))


def test_a_shrunk_classifier_gives_the_same_logits(zoo, pruned):
    model, file = pruned
    graph = OnnxModel(file)
    assert graph.inputs == ("input_ids", "attention_mask")
    assert graph.outputs == ("logits",)
    assert [file.name, *(path.name for path in file.parent.iterdir())] == ["model.onnx"] * 2
    for lengths in BATCHES:
        assert largest_gap(zoo, model, graph, lengths) < 1e-4
    assert model.config._attn_implementation == "sdpa"


def test_dense_question_answering_gives_the_same_starts_and_ends(
    zoo, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(onnx_export, "_ONE_FILE", 1000)  # so weights go beside the file
    model = zoo.model("distilbert-qa", n_layers=1)
    file = export_onnx(model, tmp_path / "made" / "qa.onnx")
    assert {path.name for path in file.parent.iterdir()} == {"qa.onnx", "qa.onnx.data"}
    graph = OnnxModel(file)
    assert graph.outputs == ("start_logits", "end_logits")
    for lengths in BATCHES:
        assert largest_gap(zoo, model, graph, lengths) < 1e-4
    assert largest_gap(zoo, model, OnnxModel(quantize_int8(file)), BATCHES[0]) < 0.3
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_shrunk_decoder_gives_the_same_logits(zoo, tmp_path):
    model = zoo.model("llama-lm", num_hidden_layers=1)
    shrink(model, [zoo.kept([0, 4], range(9))])
    graph = OnnxModel(export_onnx(model, tmp_path))
    for lengths in BATCHES:
        assert largest_gap(zoo, model, graph, lengths) < 1e-4
    assert model.config.use_cache


def test_an_encoder_takes_what_it_is_asked_to(zoo, tmp_path):
    model, inputs = zoo.model("bert", num_hidden_layers=1), zoo.ragged(6, 3)
    inputs["token_type_ids"] = torch.tensor([[0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0]])
    graph = OnnxModel(export_onnx(model, tmp_path, inputs=tuple(inputs)))
    said = torch.from_numpy(graph(arrays(inputs))["last_hidden_state"])
    with torch.no_grad():
        wanted = model(**inputs).last_hidden_state
    mask = inputs["attention_mask"].bool()
    assert torch.allclose(said[mask], wanted[mask], atol=1e-4)
    inputs["token_type_ids"] = torch.zeros_like(inputs["input_ids"])
    assert not np.allclose(graph(arrays(inputs))["last_hidden_state"], said, atol=1e-2)


@pytest.mark.parametrize("reduce_range", [False, True])
def test_int8_is_close_and_smaller(zoo, pruned, tmp_path, reduce_range):
    model, file = pruned
    small = quantize_int8(file, tmp_path / "small.onnx", reduce_range=reduce_range)
    graph = OnnxModel(small)
    for lengths in BATCHES:
        assert 1e-6 < largest_gap(zoo, model, graph, lengths) < 0.15
    weights = [
        w for w in onnx.load(small).graph.initializer if w.data_type == onnx.TensorProto.INT8
    ]
    largest = max(int(np.abs(onnx.numpy_helper.to_array(w).astype(int)).max()) for w in weights)
    assert largest <= 64 if reduce_range else 64 < largest <= 128
    by_channel = [w for w in weights if len(w.dims) == 1 and w.dims[0] > 1]  # zero points
    assert by_channel


def test_int8_lies_beside_its_source_and_leaves_logging_alone(pruned):
    before = list(logging.getLogger().handlers)
    assert quantize_int8(pruned[1]) == pruned[1].with_name("model-int8.onnx")
    assert logging.getLogger().handlers == before


@pytest.mark.parametrize(
    ("machine", "flags", "exact"),
    [
        ("x86_64", "flags : avx2 avx512f avx512_vnni", True),
        ("x86_64", "flags : avx2 avx_vnni", True),
        ("x86_64", "flags : avx2 avx512f", False),
        ("x86_64", None, False),
        ("aarch64", None, True),
        ("arm64", None, True),
    ],
)
def test_seven_bits_unless_the_processor_is_known_to_sum_exactly(
    monkeypatch, tmp_path, machine, flags, exact
):
    info = tmp_path / "cpuinfo"
    if flags:
        info.write_text(flags)
    monkeypatch.setattr(onnx_export, "_CPUINFO", info)
    monkeypatch.setattr(onnx_export.platform, "machine", lambda: machine)
    assert int8_is_exact() is exact


def test_auto_follows_the_processor(monkeypatch, pruned, tmp_path):
    def bits(name: str) -> bytes:
        return quantize_int8(pruned[1], tmp_path / name).read_bytes()

    monkeypatch.setattr(onnx_export, "int8_is_exact", lambda: True)
    eight = bits("8.onnx")
    monkeypatch.setattr(onnx_export, "int8_is_exact", lambda: False)
    assert bits("7.onnx") != eight
    assert quantize_int8(pruned[1], tmp_path / "f.onnx", reduce_range=False).read_bytes() == eight


class _Sums(nn.Module):
    def forward(self, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sums": input_ids.sum(1)}


def test_what_cannot_be_exported_is_told(zoo, tmp_path):
    with pytest.raises(UsageError, match="BertModel does not run on the inputs pixels"):
        export_onnx(zoo.model("bert"), tmp_path, inputs=["pixels"])
    with pytest.raises(UsageError, match=r"_Sums gives none of logits, start_logits.*but sums"):
        export_onnx(_Sums(), tmp_path, inputs=["input_ids"])
    assert list(tmp_path.iterdir()) == []


class _Tied(nn.Module):
    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return input_ids.float() @ torch.ones(8, 2)


def test_a_model_tied_to_one_length_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"cannot export this _Tied: .* a static shape of 8 for"):
        export_onnx(_Tied(), tmp_path, inputs=["input_ids"])


def test_wrong_inputs_and_files_are_told(pruned, tmp_path):
    ids = np.ones((1, 3), dtype=np.int64)
    with pytest.raises(UsageError, match="takes input_ids, attention_mask; got input_ids"):
        OnnxModel(pruned[1])({"input_ids": ids})
    with pytest.raises(UsageError, match="is no file; export_onnx writes one"):
        OnnxModel(tmp_path / "none.onnx")
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(b"torn")
    with pytest.raises(UsageError, match=r"ONNX Runtime cannot run .*torn\.onnx"):
        OnnxModel(torn)
    for file in (torn, Path(tmp_path / "none.onnx")):
        with pytest.raises(UsageError, match="cannot be read as ONNX"):
            quantize_int8(file)
