"""What a federation has done, and a folder from which a killed one goes on bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flwr.app import RecordDict
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict
from flwr.serverapp import Grid
from safetensors.torch import load_file, save_file
from torch import Tensor

from burnish.errors import BurnishError, UsageError
from burnish.methods.cg_fedllm.grid import InProcessGrid, Traffic
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

_INDEX = "federation.json"


@dataclass(frozen=True)
class Round:
    """What one round did.

    Attributes:
        round: from 1.
        asked: clients that were sent the adapter.
        used: clients whose updates are in the next one; the others lost their share.
        loss: of the clients' training, mean by examples, in nats; None if nobody told.
        heldout: of the next adapter, in nats per token; None without held-out data.
        traffic: bytes of all the round's messages.
        seconds: of the server's clock, with all that clients did, without scoring.
    """

    round: int
    asked: int
    used: int
    loss: float | None
    heldout: float | None
    traffic: Traffic
    seconds: float


@dataclass(frozen=True)
class Federated:
    """A federation so far.

    Attributes:
        adapter: the newest, by name, float32.
        start: held-out loss of the initial adapter, in nats per token.
        rounds: in order.
    """

    adapter: dict[str, Tensor]
    start: float | None
    rounds: tuple[Round, ...] = ()

    @property
    def traffic(self) -> Traffic:
        """Bytes of all rounds."""
        return sum((each.traffic for each in self.rounds), Traffic())


class Checkpoint:
    """A folder with the newest adapter and all that server and clients remember.

    federation.json names the files that belong together and is replaced last, so that a reader
    sees the old round or the new one. What a node remembers is written only in rounds that asked
    it; another grid than ours keeps that itself.
    """

    def __init__(self, folder: Path, strategy: CompressedFedAvg, grid: Grid) -> None:
        self._folder, self._strategy = folder, strategy
        self._grid = grid if isinstance(grid, InProcessGrid) else None
        self._node_files: dict[int, str] = {}

    def load(self) -> Federated | None:
        """What was saved, with memories put back where they belong; None if nothing was.

        Raises:
            UsageError: it is of another federation; nothing was put back.
            BurnishError: a file is missing or broken; likewise.
        """
        path = self._folder / _INDEX
        if not path.exists():
            return None
        index = _read(path, lambda: json.loads(path.read_text(encoding="utf-8")))
        self._check(index)
        server = self._folder / index["server"]
        tensors = _read(server, lambda: load_file(server))
        states = {int(node): _state(self._folder / name) for node, name in index["nodes"].items()}
        if self._grid is not None:
            self._grid.restore(states)
        self._strategy.memory = _under("memory/", tensors)
        self._strategy.numbers = {int(node): each for node, each in index["numbers"].items()}
        self._node_files = {int(node): name for node, name in index["nodes"].items()}
        rounds = tuple(
            Round(**{**each, "traffic": Traffic(**each["traffic"])}) for each in index["rounds"]
        )
        adapter = _under("adapter/", tensors)
        # safetensors sorts by name, and messages keep the adapter's order
        ordered = {name: adapter[name] for name in self._strategy.layout.names}
        return Federated(ordered, index["start"], rounds)

    def save(self, done: Federated, asked: Iterable[int]) -> None:
        """Write a round down.

        Args:
            done: with the round.
            asked: ids of the nodes that were sent something in it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        number = len(done.rounds)
        server = f"server-{number}.safetensors"
        memory = {f"memory/{name}": each for name, each in self._strategy.memory.items()}
        adapter = {f"adapter/{name}": each for name, each in done.adapter.items()}
        copies = {name: each.clone() for name, each in (adapter | memory).items()}
        save_file(copies, self._folder / server)
        states = {} if self._grid is None else self._grid.states
        for node in states.keys() & set(asked):
            name = f"node-{node}-{number}.pb"
            state = recorddict_to_proto(states[node]).SerializeToString()
            (self._folder / name).write_bytes(state)
            self._node_files[node] = name
        index = {
            "format": 1,
            "identity": self._strategy.identity,
            "start": done.start,
            "rounds": [asdict(each) for each in done.rounds],
            "server": server,
            "nodes": {str(node): name for node, name in self._node_files.items()},
            "numbers": {str(node): each for node, each in self._strategy.numbers.items()},
        }
        partial = self._folder / f"{_INDEX}.partial"
        partial.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        partial.replace(self._folder / _INDEX)
        self._sweep({server, *self._node_files.values()})

    def _check(self, index: Mapping[str, Any]) -> None:
        there, here = index.get("identity", {}), self._strategy.identity
        if index.get("format") != 1 or there != here:
            odd = next((key for key in here if there.get(key) != here[key]), "format")
            raise UsageError(
                f"{self._folder} is of a federation with another {odd}: {there.get(odd)!r} there, "
                f"{here.get(odd)!r} here; take another folder or the old settings"
            )

    def _sweep(self, kept: set[str]) -> None:
        for pattern in ("server-*.safetensors", "node-*.pb"):
            for path in self._folder.glob(pattern):
                if path.name not in kept:
                    path.unlink()


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }


def _state(path: Path) -> RecordDict:
    state: RecordDict = _read(
        path, lambda: recorddict_from_proto(ProtoRecordDict.FromString(path.read_bytes()))
    )
    return state


def _read(path: Path, reader: Callable[[], Any]) -> Any:
    try:
        return reader()
    except Exception as error:  # each format's reader has its own errors
        why = " ".join(str(error).split())[:200]
        raise BurnishError(
            f"{path} cannot be read: {why}; delete the folder to begin from round 1"
        ) from error
