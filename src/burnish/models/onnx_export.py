"""From a model to an ONNX file, in fp32 or int8, and running it.

Graphs come from the exporter of torch.export and have plain attention (two matrix products and a
softmax), whatever the number of heads in each layer. Measured with ONNX Runtime 1.32 on one thread,
6 layers of 384, batch 1 of 128 tokens: 15.4 ms; scaled-dot-product graphs take 16.1 ms and the
MultiHeadAttention operator 15.4 ms. ONNX Runtime would fuse each residual sum and norm into one
operator, SkipLayerNormalization, that made the same graphs 2 ms slower; `OnnxModel` turns that
fusion off.
"""

from __future__ import annotations

import copy
import logging
import os
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from burnish.errors import MissingExtra, UsageError

try:
    import onnx
    import onnxruntime
    import onnxscript  # noqa: F401  torch's exporter needs it, and would say so less clearly
except ModuleNotFoundError as error:
    raise MissingExtra(
        f'ONNX needs {error.name}, which is not installed; run: pip install "burnish[onnx]"'
    ) from error

Array = np.ndarray[Any, Any]

_OUTPUTS = (("logits",), ("start_logits", "end_logits"), ("last_hidden_state",))
_ONE_FILE = 1_800_000_000  # bytes; a protocol buffer holds 2 GiB
_SLOW_FUSIONS = ["SkipLayerNormFusion"]
_CPUINFO = Path("/proc/cpuinfo")


def export_onnx(
    model: nn.Module,
    target: str | os.PathLike[str],
    *,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    opset: int = 20,
) -> Path:
    """Write a model as an fp32 ONNX file whose batch and sequence may have any length.

    Args:
        model: dense or shrunk; is not changed. Outputs are its `logits`, or `start_logits` and
            `end_logits`, or `last_hidden_state`; a bare tensor is taken for logits.
        target: a file ending in .onnx, or a folder that gets model.onnx. A model of more than
            1.8 GB keeps its weights beside the file.
        inputs: what the graph takes, each (batch, tokens) of int64, e.g. with "token_type_ids".
        opset: version of the ONNX operators.

    Returns:
        The file.

    Raises:
        UsageError: the model takes other inputs, has no such outputs, or cannot be exported.
    """
    path = Path(target)
    path = path if path.suffix == ".onnx" else path / "model.onnx"
    wrapped = _Outputs(_exportable(model), tuple(inputs)).eval()
    examples = tuple(torch.ones(2, 8, dtype=torch.int64) for _ in inputs)
    names = wrapped.output_names(examples)
    try:
        with _without_remarks():
            program: Any = torch.onnx.export(
                wrapped,
                examples,
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=list(inputs),
                output_names=list(names),
                dynamic_shapes=(tuple({0: "batch", 1: "tokens"} for _ in inputs),),
            )
    except Exception as error:  # the exporter fails in as many ways as there are models
        why = " ".join(str(error.__cause__ or error).split())[:300]
        raise UsageError(f"torch cannot export this {type(model).__name__}: {why}") from error
    size = sum(weight.numel() * 4 for weight in wrapped.state_dict().values())
    path.parent.mkdir(parents=True, exist_ok=True)
    program.save(path, external_data=size > _ONE_FILE)
    return path


def quantize_int8(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str] | None = None,
    *,
    reduce_range: bool | Literal["auto"] = "auto",
) -> Path:
    """Write an int8 version of an fp32 ONNX file: weights by channel, activations as they come.

    Matrix products with weights are quantised; embeddings, norms and attention stay in fp32.

    Args:
        source: what `export_onnx` wrote.
        target: the file to write; None is beside the source, as NAME-int8.onnx.
        reduce_range: 7-bit weights. Processors with AVX2 or AVX-512 but without VNNI add pairs of
            products in 16 bits, which saturates with 8-bit weights and silently changes
            predictions (ONNX Runtime issues 6004 and 14642). "auto" takes 7 bits unless this
            machine is known to be free of that; where the file will run on others, pass True.

    Returns:
        The file.

    Raises:
        UsageError: there is no such file, or it is no ONNX model.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = Path(source)
    proto = _read(path)
    written = path.with_name(f"{path.stem}-int8.onnx") if target is None else Path(target)
    written.parent.mkdir(parents=True, exist_ok=True)
    # Says that shapes are inferred, as the exporter did; otherwise a remark goes to the root logger
    proto.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    weights = proto.graph.initializer
    empty = {tensor.name for tensor in weights if 0 in tensor.dims}
    quantize_dynamic(
        proto,
        written,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=[node.name for node in proto.graph.node if empty & set(node.input)],
        per_channel=True,
        reduce_range=not int8_is_exact() if reduce_range == "auto" else reduce_range,
        weight_type=QuantType.QInt8,
        use_external_data_format=sum(len(tensor.raw_data) for tensor in weights) > _ONE_FILE,
    )
    return written


def int8_is_exact() -> bool:
    """Whether this processor is known to multiply 8-bit numbers without saturating."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return True
    try:
        return "vnni" in _CPUINFO.read_text(encoding="utf-8")
    except OSError:
        return False


class OnnxModel:
    """An ONNX file, ready to run batches on the processor.

    Args:
        path: the file.
        threads: that one batch is spread over.

    Attributes:
        inputs: names of the arrays it takes.
        outputs: names of the arrays it gives.

    Raises:
        UsageError: there is no such file, or ONNX Runtime cannot run it.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1) -> None:
        if not Path(path).is_file():
            raise UsageError(f"{os.fspath(path)} is no file; export_onnx writes one")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                os.fspath(path),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=_SLOW_FUSIONS,
            )
        except Exception as error:  # has a class for each status of its C++ side, none public
            why = str(error).strip().partition("\n")[0]
            raise UsageError(f"ONNX Runtime cannot run {os.fspath(path)}: {why}") from error
        self.inputs: tuple[str, ...] = tuple(node.name for node in self._session.get_inputs())
        self.outputs: tuple[str, ...] = tuple(node.name for node in self._session.get_outputs())

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs for one batch.

        Args:
            inputs: by name, each (batch, tokens) of int64.

        Raises:
            UsageError: inputs are missing, or are not in the graph.
        """
        if set(inputs) != set(self.inputs):
            raise UsageError(
                f"the graph takes {', '.join(self.inputs)}; got {', '.join(inputs) or 'nothing'}"
            )
        return dict(zip(self.outputs, self._session.run(None, dict(inputs)), strict=True))


class _Outputs(nn.Module):
    """A model with its inputs by place, and of its outputs those that go into the graph."""

    def __init__(self, model: nn.Module, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.inputs = inputs

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        said = self.model(**dict(zip(self.inputs, arrays, strict=True)))
        if isinstance(said, Tensor):
            return (said,)
        return tuple(said[name] for name in _named(said))

    def output_names(self, examples: tuple[Tensor, ...]) -> tuple[str, ...]:
        """Found by running the model once."""
        try:
            with torch.no_grad():
                said = self.model(**dict(zip(self.inputs, examples, strict=True)))
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{type(self.model).__name__} does not run on the inputs "
                f"{', '.join(self.inputs)}: {error}"
            ) from error
        names = ("logits",) if isinstance(said, Tensor) else _named(said)
        if not names:
            raise UsageError(
                f"{type(self.model).__name__} gives none of "
                f"{', '.join(name for names in _OUTPUTS for name in names)}, but {', '.join(said)}"
            )
        return names


def _named(said: Mapping[str, Tensor]) -> tuple[str, ...]:
    return next((names for names in _OUTPUTS if all(name in said for name in names)), ())


def _exportable(model: nn.Module) -> nn.Module:
    twin = copy.deepcopy(model).cpu().float().eval()
    for module in twin.modules():
        if isinstance(module, PreTrainedModel):
            module.set_attn_implementation("eager")
            module.config.use_cache = False
    return twin


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Without what the exporter says of itself and of torchvision, which nothing here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            warnings.filterwarnings("ignore", "# The axis name: (batch|tokens) will not be used")
            yield
    finally:
        logger.setLevel(level)


def _read(path: Path) -> Any:
    try:
        return onnx.load(path)
    except Exception as error:  # the parsers of protobuf raise what they like
        raise UsageError(f"{path} cannot be read as ONNX: {error}") from error
