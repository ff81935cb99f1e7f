"""The same apps under a real SuperLink and real SuperNodes on loopback, one of which is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from burnish.methods.cg_fedllm.deploying import (
    PACKAGE,
    Deployment,
    deployed_client,
    deployed_server,
    write_flower_app,
)
from burnish.methods.cg_fedllm.grid import run_in_process

pytestmark = pytest.mark.xdist_group("superlink")  # its processes want the cores for themselves
BIN = Path(sys.executable).parent
STALLING = '''
"""A client whose disk is slow in round 2."""

import time
from pathlib import Path

from federation.regression import Regression


class Stalling(Regression):
    def train(self, adapter, *, client, round):
        if client == 2 and round == 2:
            Path(self.flag).touch()
            time.sleep(300)
        return super().train(adapter, client=client, round=round)


def task(context):
    found = Stalling()
    found.flag = str(context.node_config.get("flag", ""))
    return found
'''


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Processes:
    """Commands in groups of their own, so that nothing they started outlives the test."""

    def __init__(self, folder, env):
        self.folder, self.env, self.running = folder, env, {}

    def start(self, name, *command, cwd=None):
        log = (self.folder / f"{name}.log").open("w")
        self.running[name] = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=cwd or self.folder,
            env=self.env,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        return self.running[name]

    def kill(self, name):
        process = self.running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in list(self.running):
            self.kill(name)


def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.2)


@pytest.fixture
def processes(tmp_path):
    home = tmp_path / "flwr"
    home.mkdir()
    env = os.environ | {
        "FLWR_HOME": str(home),
        "FLWR_TELEMETRY_ENABLED": "0",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
    }
    with Processes(tmp_path, env) as processes:
        yield processes


def test_a_killed_supernode_costs_its_share_alone(tmp_path, processes, regression):
    app, output = tmp_path / "app", tmp_path / "out"
    deployment = Deployment(
        model="none", codec="sign", rounds=2, nodes=3, timeout=25.0, output=str(output)
    )
    write_flower_app(app, deployment, task=f"{PACKAGE}.stalling:task")
    shutil.copy(Path(__file__).with_name("regression.py"), app / PACKAGE)
    (app / PACKAGE / "stalling.py").write_text(STALLING)
    link, *ports = free_ports(4)
    address = f"127.0.0.1:{link}"
    (tmp_path / "flwr" / "config.toml").write_text(
        f'[superlink]\ndefault = "local"\n\n[superlink.local]\naddress = "{address}"\n'
        "insecure = true\n"
    )
    processes.start(
        "superlink",
        *("flower-superlink", "--insecure", "--disable-runtime-dependency-installation"),
        *("--port", str(link)),
    )
    flag = tmp_path / "stalled"
    for number, port in enumerate(ports):
        config = f'partition-id={number} num-partitions=3 flag="{flag}"'
        processes.start(
            f"supernode-{number}",
            *("flower-supernode", "--insecure", "--superlink", address, "--port", str(port)),
            *("--node-config", config),
        )
    until(lambda: listens(link), 20, lambda: processes.log("superlink"))

    run = processes.start("run", "flwr", "run", ".", "local", "--stream", cwd=app)
    until(
        lambda: flag.exists() or run.poll() is not None,
        60,
        lambda: processes.log("run") + processes.log("superlink"),
    )
    assert flag.exists(), processes.log("run")
    processes.kill("supernode-2")
    until((output / "federation.json").exists, 60, lambda: processes.log("run"))

    told = json.loads((output / "federation.json").read_text())
    assert [(each["asked"], each["used"]) for each in told["rounds"]] == [(3, 3), (3, 2)]
    losses = [told["start"], *(each["heldout"] for each in told["rounds"])]
    assert losses == sorted(losses, reverse=True)
    assert len(load_file(output / "adapter.safetensors")) == 4
    # the same app in this process: same bytes, and error feedback that outlived its processes
    here = in_this_process(regression, replace(deployment, output=str(tmp_path / "here")))
    for remote, local in zip(told["rounds"], here["rounds"], strict=True):
        assert remote["heldout"] == pytest.approx(local["heldout"], rel=1e-5)
        assert remote["loss"] == pytest.approx(local["loss"], rel=1e-6)
    for direction in ("down", "up"):  # node ids of another length in the envelope
        first = [each["rounds"][0]["traffic"][direction] for each in (told, here)]
        assert first[0] == pytest.approx(first[1], abs=30)


def in_this_process(regression, deployment):
    """What the app writes if its third client fails in round 2."""

    class Failing(regression.Regression):
        def train(self, adapter, *, client, round):
            if (client, round) == (2, 2):
                raise OSError("killed")
            return super().train(adapter, client=client, round=round)

    server, client = deployed_server(regression.task), deployed_client(lambda _: Failing())
    run_in_process(server, client, nodes=3, run_config=deployment.run_config())
    return json.loads((Path(deployment.output) / "federation.json").read_text())


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
