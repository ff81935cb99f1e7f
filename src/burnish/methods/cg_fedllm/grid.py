"""A Flower grid inside one process: no Ray, no threads, nobody sleeps. What messages weigh."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flwr.app import Array, Context, Error, Message, RecordDict
from flwr.app.message import make_message
from flwr.app.user_config import UserConfig, UserConfigValue
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    no_object_id_recompute,
)
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from burnish.errors import UsageError
from burnish.training import derive

logger = logging.getLogger(__name__)
_RUN = 1 << 62  # as long on the wire as the numbers SuperLink draws


@dataclass(frozen=True)
class Traffic:
    """Bytes between server and clients.

    Attributes:
        down, up: of whole messages, as Flower writes them: envelope, records, arrays in chunks.
            What carries them (HTTP, TLS, the tree of object names) is left out.
        down_payload, up_payload: of their arrays and byte strings alone.
    """

    down: int = 0
    up: int = 0
    down_payload: int = 0
    up_payload: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.down + other.down,
            self.up + other.up,
            self.down_payload + other.down_payload,
            self.up_payload + other.up_payload,
        )


def traffic(sent: Iterable[Message], received: Iterable[Message]) -> Traffic:
    """What a server's messages and the replies weigh, on this grid as on any other."""
    total = Traffic()
    for message in sent:
        total += Traffic(down=wire_bytes(message), down_payload=payload_bytes(message))
    for message in received:
        total += Traffic(up=wire_bytes(message), up_payload=payload_bytes(message))
    return total


def wire_bytes(message: Message) -> int:
    """Bytes of a message and all it holds, as Flower writes them for the wire."""
    with no_object_id_recompute():
        return sum(len(each.deflate()) for each in get_all_nested_objects(message).values())


def payload_bytes(message: Message) -> int:
    """Bytes of a message's arrays and byte strings; 0 for an error."""
    if not message.has_content():
        return 0
    total = 0
    for record in message.content.values():
        for value in record.values():
            total += sum(map(_size, value)) if isinstance(value, list) else _size(value)
    return total


def _size(value: object) -> int:
    """Of what is sent as it is; Flower's masked sums travel as byte strings."""
    data = value.data if isinstance(value, Array) else value
    return len(data) if isinstance(data, bytes) else 0


class InProcessGrid(Grid):
    """Clients that are called in turn, where SuperNodes would be.

    A message is answered when it is pushed. A client gets a copy of the message, so it cannot
    reach the server's records; one that raises answers with an error, as under a SuperNode, and
    its state stays as it was. A node keeps `context.state` between messages.
    """

    def __init__(self, client_app: ClientApp, contexts: Sequence[Context]) -> None:
        """Take the app that every node runs, and the nodes.

        Raises:
            UsageError: two nodes have one id.
        """
        _identify()
        self._app = client_app
        self._contexts = {context.node_id: context for context in contexts}
        if len(self._contexts) != len(contexts):
            raise UsageError("nodes need different ids, got one twice; use node_contexts")
        self._run = Run.create_empty(_RUN)
        self._messages = 0
        self._replies: dict[str, Message] = {}

    def set_run(self, run: Run) -> None:
        """Be part of a run of this number and these settings."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._run

    @property
    def states(self) -> dict[int, RecordDict]:
        """What each node keeps between messages, by node id."""
        return {node: context.state for node, context in self._contexts.items()}

    def restore(self, states: Mapping[int, RecordDict]) -> None:
        """Give nodes what they kept.

        Raises:
            UsageError: a state is of no node of this grid.
        """
        if unknown := states.keys() - self._contexts.keys():
            raise UsageError(
                f"{len(unknown)} of the saved states are of nodes this grid has not; make it with "
                "as many nodes as before"
            )
        for node, state in states.items():
            self._contexts[node].state = state

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """A message to a node; Flower prefers its constructor now."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Every node, in the order they were given."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Have messages answered; the ids to pull the replies by."""
        return [self._push(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """The replies to these messages, each once."""
        return [self._replies.pop(each) for each in message_ids if each in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Every reply, in the order of the messages; nothing is waited for, so none is late."""
        return self.pull_messages(self.push_messages(messages))

    def _push(self, message: Message) -> str:
        name = self._named(message)
        reply = self._answer(_copy(message))
        self._named(reply)
        self._replies[name] = reply
        return name

    def _named(self, message: Message) -> str:
        self._messages += 1
        name = f"{self._messages:064x}"  # as long as Flower's
        message.metadata.__dict__["_message_id"] = name  # where Flower's own grids put it
        return name

    def _answer(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        context = self._contexts.get(node)
        if context is None:
            return Message(Error(ErrorCode.NODE_UNAVAILABLE, "no such node"), reply_to=message)
        before = _copied(context.state)
        try:
            reply: object = self._app(message, context)
        except Exception as error:  # a SuperNode reports whatever its app raises, and lives on
            context.state = before
            logger.debug("node %d raised", node, exc_info=True)
            words = f"{type(error)}:<'{error}'>"  # as SuperNode puts it
            reason = words.encode(errors="replace").decode()  # the wire takes no lone surrogates
            return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason), reply_to=message)
        if not isinstance(reply, Message):
            context.state = before
            reason = f"the app returned {type(reply).__name__}, which is no message"
            return Message(Error(ErrorCode.UNKNOWN, reason), reply_to=message)
        return reply


def node_contexts(
    nodes: int, run_config: Mapping[str, UserConfigValue] | None = None
) -> list[Context]:
    """Nodes 0 to `nodes` - 1; what is called partition-id tells which one a node is.

    Ids are the same in every run.
    """
    return [
        Context(
            run_id=_RUN,
            node_id=_node_id(number),
            node_config={"partition-id": number, "num-partitions": nodes},
            state=RecordDict(),
            run_config=dict(run_config or {}),
        )
        for number in range(nodes)
    ]


def in_process(
    client_app: ClientApp, nodes: int, run_config: Mapping[str, UserConfigValue] | None = None
) -> InProcessGrid:
    """A grid of fresh nodes that run an app."""
    return InProcessGrid(client_app, node_contexts(nodes, run_config))


def run_in_process(
    server_app: ServerApp,
    client_app: ClientApp,
    *,
    nodes: int,
    run_config: Mapping[str, UserConfigValue] | None = None,
) -> Context:
    """Run a Flower app, unchanged, in this process.

    Args:
        server_app: as `flwr run` would load it.
        client_app: likewise.
        nodes: how many clients there are.
        run_config: what `[tool.flwr.app.config]` would say.

    Returns:
        The server's context, with whatever it kept in `state`.
    """
    grid = in_process(client_app, nodes, run_config)
    config: UserConfig = dict(run_config or {})
    context = Context(_RUN, SUPERLINK_NODE_ID, {}, RecordDict(), config)
    server_app(grid, context)
    return context


def _node_id(number: int) -> int:
    # SuperLink draws 64 bits; the top one set keeps every message's envelope at one length
    return derive(0, "node", number) | 1 << 63


def _identify() -> None:
    """Give this process the identity that Flower's messages carry, unless Flower has done so."""
    for name, number in (("run_id", _RUN), ("node_id", SUPERLINK_NODE_ID), ("task_id", _RUN)):
        try:
            getattr(TaskIdentity, name)
        except RuntimeError:
            setattr(TaskIdentity, name, number)


def _copy(message: Message) -> Message:
    """The same message with records of its own; the bytes in them cannot be changed."""
    if not message.has_content():
        return make_message(message.metadata, error=message.error)
    return make_message(message.metadata, content=_copied(message.content))


def _copied(content: RecordDict) -> RecordDict:
    return RecordDict({name: record.copy() for name, record in content.items()})
