"""The seam between a federation's client and what it trains, and the client as a Flower app."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from torch import Tensor

from burnish.errors import UsageError

if TYPE_CHECKING:
    from flwr.app import ArrayRecord, Context, Message, RecordDict
    from flwr.clientapp import ClientApp
    from flwr.clientapp.typing import Mod

    from burnish.methods.cg_fedllm.layout import LoraLayout


@dataclass(frozen=True)
class Trained:
    """What local training gives.

    Attributes:
        adapter: the LoRA matrices after training, by name, float32.
        examples: trained on; the client's weight.
        loss: mean over the steps, in nats.
        gradient: mean raw gradient over the steps, where it was asked for.
        trace: of zeroth-order training: seed to accumulated scalar, which tell the whole update.
    """

    adapter: dict[str, Tensor]
    examples: int
    loss: float
    gradient: dict[str, Tensor] | None = None
    trace: dict[int, float] | None = None


class LocalTask(Protocol):
    """Local training of one model, for any of its clients.

    Attributes:
        layout: of the adapter.
        init: hash of the adapter that all start from.
    """

    layout: LoraLayout
    init: str

    def initial(self) -> dict[str, Tensor]:
        """The adapter all start from."""
        ...

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        """The adapter after a client's training; clients count from 0, rounds from 1."""
        ...

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        """Mean held-out loss per token, in nats; None without held-out data."""
        ...


def client_app(task: LocalTask, mods: Sequence[Mod] = ()) -> ClientApp:
    """A Flower client that trains: dense arrays in, dense arrays out.

    It runs under Flower's own strategies as it is. `CompressMod` goes first in `mods`; mods that
    clip or add noise come after it, so that they act before the update is encoded.

    Args:
        task: trains for whichever client a node is; its partition-id tells.
        mods: outermost first.

    With represent="grad" the reply is the start minus the mean gradient, in float64: one step of
    rate 1, so that mods that clip the update clip the gradient.
    """
    from flwr.clientapp import ClientApp

    app = ClientApp(mods=list(mods))

    @app.train()
    def train(message: Message, context: Context) -> Message:
        return _train(task, message, context)

    return app


def trace_of(content: RecordDict) -> dict[int, float] | None:
    """The zeroth-order trace beside the dense arrays of a reply, if it still tells them.

    A mod that has changed the arrays, such as one that adds noise, makes the trace void: sent on,
    it would give away what the noise hides.
    """
    from flwr.app import ConfigRecord

    from burnish.methods.cg_fedllm.records import TRACE, array_record

    record = content.pop(TRACE, None)
    if not isinstance(record, ConfigRecord) or record["of"] != _digest(array_record(content)):
        return None
    seeds, scalars = cast("list[int]", record["seeds"]), cast("list[float]", record["scalars"])
    return dict(zip(seeds, scalars, strict=True))


def _train(task: LocalTask, message: Message, context: Context) -> Message:
    from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict

    from burnish.methods.cg_fedllm import records

    start = records.tensors_of(records.array_record(message.content))
    trained = task.train(
        start,
        client=records.partition(context),
        round=records.whole(message.content, records.ROUND),
    )
    config = message.content[records.CONFIG]
    arrays = records.record_of(_reply(start, trained, str(config.get(records.REPRESENT, ""))))
    metrics: dict[str, int | float | list[int] | list[float]] = {records.EXAMPLES: trained.examples}
    if math.isfinite(trained.loss):
        metrics[records.LOSS] = float(trained.loss)
    content = RecordDict({records.ARRAYS: arrays, records.METRICS: MetricRecord(metrics)})
    if trained.trace is not None:
        content[records.TRACE] = ConfigRecord(
            {
                "seeds": list(trained.trace),
                "scalars": list(trained.trace.values()),
                "of": _digest(arrays),
            }
        )
    return Message(content, reply_to=message)


def _reply(start: Mapping[str, Tensor], trained: Trained, represent: str) -> dict[str, Tensor]:
    if represent != "grad":
        return {name: trained.adapter[name] for name in start}  # mods want the order they saw
    if trained.gradient is None:
        raise UsageError('represent="grad" needs a task that gives its mean gradient, got None')
    return {name: start[name].double() - trained.gradient[name].double() for name in start}


def _digest(record: ArrayRecord) -> str:
    digest = hashlib.sha256()
    for name, array in record.items():
        digest.update(f"{name} {len(array.data)}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()
