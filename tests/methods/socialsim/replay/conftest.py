"""Runs made up by a small generator, with the schemas of real ones, and a browser."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import urllib.request
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest

from burnish.methods.socialsim.schema import BIG_FIVE, NO_TEXT, NONE, TABLES, Flag, PostKind, Role

CLAIMS = 2


def table(name, columns):
    schema = TABLES[name]
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def agents(n, rng):
    role = rng.choice([0, 1, 2, 3, 5], n, p=[0.8, 0.15, 0.01, 0.03, 0.01])
    role[0] = Role.BOT
    flags = np.zeros(n, int)
    flags[: min(8, n)] = Flag.CORE
    ideology = rng.uniform(-1, 1, n)
    columns = {name: rng.uniform(0, 1, n) for name in TABLES["agents"].names}
    columns |= {trait: rng.integers(-100, 101, n) for trait in BIG_FIVE}
    columns |= {"agent": np.arange(n), "role": role, "flags": flags, "ideology": ideology}
    columns |= {"community": np.minimum((ideology + 1) * 4, 7).astype(int)}
    whole = ("age", "education", "region", "circadian", "strikes")
    columns |= {name: rng.integers(0, 3, n) for name in whole}
    return table("agents", columns | {"attention": np.full(n, 10), "created": np.full(n, -9)})


def edges(n, rng):
    follower = np.repeat(np.arange(n), 8)
    followee = np.minimum((rng.pareto(1.3, len(follower)) * n / 20).astype(int), n - 1)
    kept = follower != followee
    pairs = {"follower": follower[kept], "followee": followee[kept]}
    return table("edges", pairs | {"birth": np.zeros(int(kept.sum()))})


def posts(n, ticks, per_tick, rng):
    total = ticks * per_tick
    ids = np.arange(total)
    parent, root, depth = np.full(total, NONE), ids.copy(), np.zeros(total, int)
    kind, claim = np.zeros(total, int), rng.integers(-1, CLAIMS, total)
    for post in range(1, total):
        if rng.random() < 0.45:
            above = int(rng.integers(max(0, post - 3 * per_tick), post))
            parent[post], root[post], depth[post] = above, root[above], depth[above] + 1
            kind[post], claim[post] = rng.integers(1, 4), claim[above]
    columns = {name: np.zeros(total) for name in TABLES["posts"].names}
    columns |= {"post": ids, "author": rng.integers(0, n, total), "tick": ids // per_tick}
    columns |= {"kind": kind, "parent": parent, "root": root, "depth": depth, "claim": claim}
    columns |= {"stance": rng.uniform(-1, 1, total), "veracity": np.where(claim == 0, 2, 0)}
    return columns | {"text": np.full(total, NO_TEXT)}


def recording(n=400, ticks=30, per_tick=20, seed=0):
    """Every table of a run that never was."""
    rng = np.random.default_rng(seed)
    made = posts(n, ticks, per_tick, rng)
    authors = agents(n, rng)
    role = authors["role"].to_numpy()[made["author"]]
    wrote = np.flatnonzero((made["kind"] == PostKind.REPLY) | (role == Role.BOT))
    made["text"][wrote] = np.arange(len(wrote))
    texts = {
        "text": np.arange(len(wrote)),
        "tick": made["tick"][wrote],
        "agent": made["author"][wrote],
        "content": [f"[SYNTHETIC] by {'bot' if role[i] == Role.BOT else 'person'}" for i in wrote],
    }
    shown = ticks * per_tick * 10
    tick = np.sort(rng.integers(1, ticks, shown))
    post = (rng.random(shown) * tick * per_tick).astype(int)
    reader = rng.integers(0, n, shown)
    seen = {"agent": reader, "post": post, "tick": tick, "rank": rng.integers(0, 9, shown)}
    acted = rng.random(shown) < 0.1
    actions = {name: np.zeros(int(acted.sum())) for name in TABLES["actions"].names}
    actions |= {"agent": reader[acted], "post": post[acted], "tick": tick[acted]}
    actions |= {"kind": rng.integers(1, 6, int(acted.sum()))}
    snaps = np.arange(0, ticks, 10)
    grid = np.stack(np.meshgrid(snaps, np.arange(CLAIMS), np.arange(n), indexing="ij"), -1)
    belief = dict(zip(("tick", "claim", "agent"), grid.reshape(-1, 3).T, strict=True))
    belief["belief"] = rng.uniform(-1, 1, len(belief["tick"]))
    events = {"tick": [2, 5], "side": [1, 2], "name": ["T0049.003", "label"], "count": [4, 1]}
    return {
        "agents": authors,
        "edges": edges(n, rng),
        "posts": table("posts", made),
        "exposures": table("exposures", seen | {"source": acted, "via": np.full(shown, NONE)}),
        "actions": table("actions", actions),
        "beliefs": table("beliefs", belief),
        "events": table("events", events),
        "texts": table("texts", texts),
    }


@pytest.fixture(scope="session")
def made_up():
    """Makes a run: accounts, ticks, posts a tick, seed."""
    return recording


@pytest.fixture(scope="session")
def run():
    """A small run."""
    return recording()


class Tab:
    """A page in a browser, driven over its debugging port."""

    def __init__(self, port):
        self._port = port

    def ask(self, url, *scripts, size=(1400, 900)):
        """Open a page; the value of each script in turn, and whatever the page complained of."""
        return asyncio.run(self._ask(url, scripts, size))

    async def _ask(self, url, scripts, size):
        from websockets.asyncio.client import connect

        self._complaints, self._next = [], 0
        new = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new", method="PUT")
        with urllib.request.urlopen(new) as reply:  # noqa: S310 - our own browser
            target = json.load(reply)
        async with connect(target["webSocketDebuggerUrl"], max_size=2**28) as socket:
            for domain in ("Page", "Runtime", "Log", "Network"):
                await self._send(socket, f"{domain}.enable")
            await self._send(
                socket,
                "Emulation.setDeviceMetricsOverride",
                width=size[0],
                height=size[1],
                deviceScaleFactor=1,
                mobile=False,
            )
            await self._send(socket, "Page.navigate", url=url)
            await self._evaluate(socket, _LOADED)
            values = [await self._evaluate(socket, script) for script in scripts]
            shot = await self._send(socket, "Page.captureScreenshot", format="png")
        return values, self._complaints, shot["data"]

    async def _evaluate(self, socket, script):
        reply = await self._send(
            socket, "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in reply, reply["exceptionDetails"]
        return reply["result"].get("value")

    async def _send(self, socket, method, **params):
        self._next += 1
        await socket.send(json.dumps({"id": self._next, "method": method, "params": params}))
        while True:
            message = json.loads(await asyncio.wait_for(socket.recv(), 60))
            self._note(message)
            if message.get("id") == self._next:
                assert "error" not in message, message
                return message["result"]

    def _note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:")):
                self._complaints.append(f"asked the network for {url}")
        if method == "Runtime.exceptionThrown":
            self._complaints.append(json.dumps(params["exceptionDetails"])[:500])
        if method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self._complaints.append(params["entry"]["text"])


_LOADED = (
    "new Promise(done => document.readyState === 'complete' ? done(true)"
    " : addEventListener('load', () => done(true)))"
)


@contextmanager
def browser(program, home):
    command = [
        program,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        f"--user-data-dir={home}",
        "about:blank",
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        for line in process.stderr:
            if "DevTools listening" in line:
                yield Tab(int(line.split("127.0.0.1:")[1].split("/")[0]))
                break
        else:
            pytest.skip("chromium is installed but does not start here")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stderr.close()


@pytest.fixture(scope="session")
def tab(tmp_path_factory):
    """A headless Chromium, where there is one."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip(
            "a page is opened in Chromium, which is not installed: apt-get install chromium"
        )
    with browser(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
