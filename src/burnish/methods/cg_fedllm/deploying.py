"""The federation as a Flower app that real SuperNodes run: `flwr run` on a folder of four files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from safetensors.torch import save_file
from torch import Tensor

from burnish.codecs.guarded import guarded_as_may_be
from burnish.codecs.named import codec_named
from burnish.codecs.protocol import Codec
from burnish.codecs.saving import load_codec
from burnish.data.tables import read_table
from burnish.errors import ConfigError, UsageError
from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.client import LocalTask, Trained, client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.config import Aggregate, Represent
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.methods.cg_fedllm.private import ClipAndNoiseMod
from burnish.methods.cg_fedllm.rounds import federate
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg
from burnish.training import derive

if TYPE_CHECKING:
    from burnish.methods.cg_fedllm.local import LoraTask

TaskOf = Callable[[Context], LocalTask]
"""What makes the task of a node, or of the server, from its context."""
PACKAGE = "federation"
"""The Python package in a Flower app that is written here."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What server and clients of a deployed federation must agree on: the app's run config.

    Attributes:
        model: an asset's name, a hub id, or a folder that is the same path everywhere.
        rank, alpha, dropout: of the LoRA adapters.
        init_seed: of their common initialisation.
        codec: by name, or "" for a file: each side's "codec-file" (in a SuperNode's node config,
            on the server `codec_file`).
        codec_file: on the server, where a fitted codec is; "" if `codec` is a name.
        fallback: name of the codec for updates that `codec` cannot carry; "" for none.
        allow_unviable: as in `CompressMod`.
        represent, aggregate, rate, downlink, fraction, seed: as in `CompressedFedAvg`.
        clip: largest norm of an update; 0 adds no noise either.
        sigma: of the noise on it, in units of `clip`; see `sigma_for`.
        rounds: how many.
        nodes: wait for so many SuperNodes.
        timeout: seconds for the replies of a round, and for nodes to come.
        block: tokens of a training example.
        epochs, max_steps, batch_size, learning_rate: as in `LocalSettings`; max_steps 0 is all.
        heldout: texts on the server that adapters are scored on; "" for none.
        text: their column.
        output: folder on the server for checkpoints and the adapter; "" keeps nothing.
    """

    model: str
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.05
    init_seed: int = 0
    codec: str = "int8"
    codec_file: str = ""
    fallback: str = ""
    allow_unviable: bool = False
    represent: Represent = "delta"
    aggregate: Aggregate = "weighted_mean"
    rate: float = 1.0
    downlink: bool = False
    fraction: float = 1.0
    seed: int = 0
    clip: float = 0.0
    sigma: float = 0.0
    rounds: int = 3
    nodes: int = 2
    timeout: float = 3600.0
    block: int = 128
    epochs: int = 1
    max_steps: int = 0
    batch_size: int = 8
    learning_rate: float = 1.5e-4
    heldout: str = ""
    text: str = "text"
    output: str = ""

    def run_config(self) -> dict[str, str | int | float | bool]:
        """As Flower keeps it: keys with hyphens."""
        return {name.replace("_", "-"): value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, run_config: Mapping[str, Any]) -> Deployment:
        """The inverse; keys that are not ours are the app's own.

        Raises:
            ConfigError: a key is missing or of another type.
        """
        found: dict[str, Any] = {}
        for field in fields(cls):
            key = field.name.replace("_", "-")
            default = "" if field.default is MISSING else field.default
            value = run_config.get(key, field.default)
            if isinstance(default, float) and type(value) is int:
                value = float(value)
            if type(value) is not type(default):
                raise ConfigError(
                    f"{key} must be a {type(default).__name__} in the run config, got {value!r}; "
                    "see [tool.flwr.app.config] in the app's pyproject.toml"
                )
            found[field.name] = value
        return cls(**found)


@runtime_checkable
class Saving(Protocol):
    """A task that can write an adapter as others read it."""

    def save(self, adapter: Mapping[str, Tensor], folder: Path) -> None:
        """Write it."""
        ...


# ------------------------------------------------------------------------------ the app's two ends


def deployed_client(task_of: TaskOf) -> ClientApp:
    """What a SuperNode runs.

    Its node config says "partition-id"; for `lora_task` also "data", a file of texts, and where
    the codec is learned "codec-file".
    """
    app = ClientApp()
    built: dict[int, ClientApp] = {}

    @app.train()
    def train(message: Message, context: Context) -> Message:
        if context.node_id not in built:
            built[context.node_id] = _client(task_of(context), context)
        return built[context.node_id](message, context)

    return app


def deployed_server(task_of: TaskOf) -> ServerApp:
    """What the SuperLink runs: `federate`, with checkpoints and the adapter under "output"."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        asked = Deployment.of(context.run_config)
        task = task_of(context)
        home = Path(asked.output) if asked.output else None
        federated = federate(
            _strategy(task, asked),
            grid,
            task,
            rounds=asked.rounds,
            checkpoint=home / "checkpoint" if home else None,
            nodes=asked.nodes,
            timeout=asked.timeout,
        )
        if home:
            told = {"start": federated.start, "rounds": [asdict(each) for each in federated.rounds]}
            (home / "federation.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
            if isinstance(task, Saving):
                task.save(federated.adapter, home / "adapter")
            else:
                save_file(federated.adapter, home / "adapter.safetensors")

    return app


def _client(task: LocalTask, context: Context) -> ClientApp:
    asked = Deployment.of(context.run_config)
    path = str(context.node_config.get("codec-file", ""))
    compress = CompressMod(
        _codec(asked, task.layout, path),
        task.layout,
        task.initial(),
        init=task.init,
        represent=asked.represent,
        allow_unviable=asked.allow_unviable,
    )
    noise = [ClipAndNoiseMod(task.layout, clip=asked.clip, sigma=asked.sigma)] if asked.clip else []
    return client_app(task, [compress, *noise])


def _strategy(task: LocalTask, asked: Deployment) -> CompressedFedAvg:
    return CompressedFedAvg(
        _codec(asked, task.layout, asked.codec_file),
        task.layout,
        task.initial(),
        init=task.init,
        fraction=asked.fraction,
        represent=asked.represent,
        aggregate=asked.aggregate,
        rate=asked.rate,
        downlink=asked.downlink,
        seed=asked.seed,
    )


def _codec(asked: Deployment, layout: LoraLayout, path: str) -> Codec:
    if not asked.codec and not path:
        raise UsageError(
            "a learned codec is in a file on each side: give codec-file in the run config for the "
            'server and in --node-config "codec-file=..." for each SuperNode'
        )
    codec = codec_named(asked.codec, layout.image) if asked.codec else load_codec(Path(path))
    fallback = codec_named(asked.fallback, layout.image) if asked.fallback else None
    return guarded_as_may_be(codec, fallback)


# ---------------------------------------------------------------------------- LoRA on own texts


class NodeTask:
    """LoRA training on the texts of one node, whatever its number."""

    def __init__(self, task: LoraTask) -> None:
        self._task = task
        self.layout, self.init = task.layout, task.init

    def initial(self) -> dict[str, Tensor]:
        """The adapter all start from."""
        return self._task.initial()

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        """On the texts that are here."""
        return self._task.train(adapter, client=0, round=round)

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        """On the server's held-out texts."""
        return self._task.evaluate(adapter)

    def save(self, adapter: Mapping[str, Tensor], folder: Path) -> None:
        """As PEFT does."""
        self._task.save(adapter, folder)


def lora_task(context: Context) -> NodeTask:
    """The task of a node with texts, or of the server, as the run config describes it.

    Raises:
        UsageError, DataError, AssetMissing: the model or the texts are not to be had.
    """
    from burnish.methods.cg_fedllm.adapters import fresh_adapter
    from burnish.methods.cg_fedllm.local import LocalSettings, LoraTask
    from burnish.models import load_causal_lm

    asked = Deployment.of(context.run_config)
    base = load_causal_lm(asked.model)
    model = fresh_adapter(
        base.model,
        rank=asked.rank,
        alpha=asked.alpha,
        dropout=asked.dropout,
        seed=asked.init_seed,
    )
    own = context.node_config.get("data")
    settings = LocalSettings(
        epochs=asked.epochs,
        max_steps=asked.max_steps or None,
        batch_size=asked.batch_size,
        learning_rate=asked.learning_rate,
        gradient=asked.represent == "grad",
        seed=derive(asked.seed, "node", records.partition(context)) if own else asked.seed,
    )
    text = str(context.node_config.get("text", asked.text))
    blocks = [_blocks(str(own), text, base.tokenizer, asked.block)] if own else []
    heldout = (
        _blocks(asked.heldout, asked.text, base.tokenizer, asked.block)
        if asked.heldout and not own
        else None
    )
    return NodeTask(LoraTask(model, blocks, settings, heldout=heldout))


def _blocks(path: str, text: str, tokenizer: Any, block: int) -> Tensor:
    from burnish.methods.cg_fedllm.corpora import packed, token_lists

    texts = [str(each) for each in read_table(path, [text], split=None).column(text)]
    return packed(token_lists(texts, tokenizer), block)


# ------------------------------------------------------------------------------------ the folder


def write_flower_app(
    folder: Path,
    deployment: Deployment,
    *,
    task: str = "burnish.methods.cg_fedllm.deploying:lora_task",
    publisher: str = "burnish",
) -> None:
    """Write an app that `flwr run` builds and sends to SuperLink and SuperNodes.

    They need burnish installed; no texts and no weights are in it.

    Args:
        folder: new or empty.
        deployment: its run config, which `flwr run --run-config` can override.
        task: module and function that makes a node's task from its context.
        publisher: who answers for it.

    Raises:
        UsageError: the folder has files already, or `task` names no function.
    """
    module, _, function = task.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), function)):
        raise UsageError(f'task is "package.module:function", got {task!r}')
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} must be a new folder, but has files; choose another")
    package = folder / PACKAGE
    package.mkdir(parents=True)
    lines = [f"{key} = {_toml(value)}" for key, value in deployment.run_config().items()]
    files = {
        folder / "pyproject.toml": _PYPROJECT.format(
            publisher=_toml(publisher), package=PACKAGE, config="\n".join(lines)
        ),
        package / "__init__.py": '"""A federation that fine-tunes a model on encoded updates."""\n',
        package / "client_app.py": _END.format(
            what="What every SuperNode runs.", end="client", module=module, function=function
        ),
        package / "server_app.py": _END.format(
            what="What the SuperLink runs.", end="server", module=module, function=function
        ),
    }
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")


def _toml(value: str | int | float | bool) -> str:
    return json.dumps(
        value, ensure_ascii=False
    )  # TOML's strings, numbers and truth values are JSON's


_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "burnish-federation"
version = "1.0.0"
description = "Federated LoRA fine-tuning with encoded updates."
license = "Apache-2.0"
dependencies = ["burnish[cg_fedllm]"]

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = {publisher}

[tool.flwr.app.components]
serverapp = "{package}.server_app:app"
clientapp = "{package}.client_app:app"

[tool.flwr.app.config]
{config}
"""

_END = """\
\"\"\"{what}\"\"\"

from burnish.methods.cg_fedllm.deploying import deployed_{end}
from {module} import {function}

app = deployed_{end}({function})
"""
