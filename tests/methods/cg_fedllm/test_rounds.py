"""Rounds, and going on after a kill as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from burnish.codecs.casting import Identity
from burnish.codecs.named import codec_named
from burnish.codecs.topk import TopK
from burnish.errors import BurnishError, UsageError
from burnish.methods.cg_fedllm.client import client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.deploying import (
    Deployment,
    deployed_client,
    deployed_server,
    lora_task,
    write_flower_app,
)
from burnish.methods.cg_fedllm.grid import (
    InProcessGrid,
    in_process,
    node_contexts,
    run_in_process,
)
from burnish.methods.cg_fedllm.rounds import federate, server_app

SCRIPT = str(Path(__file__).with_name("regression.py"))


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def told(folder):
    """What a checkpoint says of itself, without the clock."""
    index = json.loads((folder / "federation.json").read_text())
    for each in index["rounds"]:
        del each["seconds"]
    return index


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}


def test_a_federation_learns_and_tells_of_every_round(regression):
    seen = []
    done = federate(
        *regression.parts(Identity(size=84)),
        rounds=8,
        after_round=lambda round, adapter: seen.append((round, adapter)),
    )
    assert done.rounds[-1].heldout < 0.5 * done.start
    assert [each for each, _ in seen] == list(done.rounds)
    assert same(seen[-1][1], done.adapter)
    assert [each.round for each in done.rounds] == list(range(1, 9))
    assert done.rounds[0].loss > done.rounds[-1].loss
    assert done.traffic.up_payload == 8 * done.rounds[0].traffic.up_payload > 8 * 4 * 84 * 4


def test_without_heldout_data_nothing_is_scored(regression):
    done = federate(
        *regression.parts(Identity(size=84), regression.Regression(heldout=False)), rounds=1
    )
    assert (done.start, done.rounds[0].heldout) == (None, None)


def test_a_killed_federation_goes_on_bit_for_bit(regression, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, SCRIPT, str(killed), "1000000"], stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if int(line) == 3:
            break
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    reached = len(told(killed)["rounds"])
    assert reached >= 3
    regression.main(str(killed), reached + 3)
    regression.main(str(whole), reached + 3)
    assert told(killed) == told(whole)
    assert files(killed) == files(whole)


@pytest.mark.parametrize("name", ["top-k", "dgc", "powersgd", "qsgd", "sketch", "shifted"])
def test_what_both_sides_remember_is_resumed(regression, tmp_path, name):
    codec = codec_named(name, regression.Regression().layout.image)

    def run(rounds, folder):
        parts = regression.parts(codec, fraction=1.0 if name == "shifted" else 0.5)
        return federate(*parts, rounds=rounds, checkpoint=folder)

    whole = run(4, tmp_path / "whole")
    run(2, tmp_path / "parts")
    resumed = run(4, tmp_path / "parts")
    assert same(whole.adapter, resumed.adapter)
    assert told(tmp_path / "whole") == told(tmp_path / "parts")
    assert files(tmp_path / "whole") == files(tmp_path / "parts")


def test_only_the_newest_round_is_kept(regression, tmp_path):
    federate(*regression.parts(TopK(size=84, k=8)), rounds=3, checkpoint=tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0] == "federation.json"
    assert names[-1] == "server-3.safetensors"
    assert len(names) == 6
    assert all(name.endswith("-3.pb") for name in names[1:5])


def test_another_federations_checkpoint_is_refused(regression, tmp_path):
    federate(*regression.parts(TopK(size=84, k=8)), rounds=1, checkpoint=tmp_path)
    for parts, odd in [
        (regression.parts(TopK(size=84, k=9)), "codec"),
        (regression.parts(TopK(size=84, k=8), seed=1), "seed"),
        (regression.parts(TopK(size=84, k=8), regression.Regression(seed=1)), "init"),
    ]:
        with pytest.raises(UsageError, match=f"federation with another {odd}"):
            federate(*parts, rounds=2, checkpoint=tmp_path)


@pytest.mark.parametrize("pattern", ["federation.json", "server-*", "node-*"])
def test_a_broken_checkpoint_is_told(regression, tmp_path, pattern):
    federate(*regression.parts(TopK(size=84, k=8)), rounds=1, checkpoint=tmp_path)
    next(iter(tmp_path.glob(pattern))).write_bytes(b"\xff\xff\xff\xff nonsense")
    strategy, grid, task = regression.parts(TopK(size=84, k=8))
    with pytest.raises(BurnishError, match="delete the folder to begin from round 1"):
        federate(strategy, grid, task, rounds=2, checkpoint=tmp_path)
    assert not any(grid.states.values())


def test_too_few_nodes_are_an_error(regression):
    with pytest.raises(BurnishError, match=r"9 nodes were to come within 0\.01 s, 4 did"):
        federate(*regression.parts(Identity(size=84)), rounds=1, nodes=9, timeout=0.01)


def test_the_server_app_is_the_same_federation(regression):
    strategy, _, task = regression.parts(Identity(size=84))
    mod = CompressMod(Identity(size=84), task.layout, task.initial(), init=task.init)
    ends = []
    app = server_app(strategy, task, rounds=2, on_end=ends.append)
    run_in_process(app, client_app(task, [mod]), nodes=4)
    direct = federate(*regression.parts(Identity(size=84)), rounds=2)
    assert same(ends[0].adapter, direct.adapter)
    assert in_process(client_app(task), 4).get_node_ids()


# ------------------------------------------------------------------------------- as it is deployed


def test_a_deployed_app_runs_here_as_well(regression, tmp_path):
    asked = Deployment(model="none", codec="int8", rounds=3, nodes=3, output=str(tmp_path))
    config = asked.run_config()
    run_in_process(
        deployed_server(regression.task),
        deployed_client(regression.task),
        nodes=3,
        run_config=config,
    )
    found = json.loads((tmp_path / "federation.json").read_text())
    codec = codec_named("int8", regression.Regression().layout.image)
    direct = federate(*regression.parts(codec, nodes=3), rounds=3)
    assert [each["heldout"] for each in found["rounds"]] == [e.heldout for e in direct.rounds]
    assert same(load_file(tmp_path / "adapter.safetensors"), dict(sorted(direct.adapter.items())))


def test_deployed_clients_clip_and_add_noise_when_asked(regression, tmp_path):
    task = regression.Regression()
    initial = task.layout.to_vector(task.initial())

    def moved(name, **asked):
        config = Deployment(model="none", codec="fp32", rounds=1, nodes=3, **asked).run_config()
        run_in_process(
            deployed_server(regression.task),
            deployed_client(regression.task),
            nodes=3,
            run_config={**config, "output": str(tmp_path / name)},
        )
        adapter = load_file(tmp_path / name / "adapter.safetensors")
        return task.layout.to_vector(adapter) - initial

    assert float(moved("free").norm()) > 0.1
    assert float(moved("clipped", clip=0.01).norm()) <= 0.01 + 1e-6
    noisy = [moved(name, clip=0.01, sigma=10.0) for name in ("a", "b")]
    assert float(noisy[0].norm()) > 0.1
    assert not torch.equal(*noisy)  # nobody can draw it again


def test_lora_on_the_nodes_own_texts_ends_as_a_peft_folder(tmp_path):
    from flwr.app import Context, RecordDict
    from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM

    from burnish.methods.cg_fedllm.adapters import load_adapter
    from burnish.models import load_causal_lm
    from burnish.training import seeded

    tokenizer = ByT5Tokenizer(extra_ids=0)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), num_attention_heads=2, **shape)
    with seeded(0):
        LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    for name in ("a", "b", "held"):
        (tmp_path / f"{name}.csv").write_text("text\n" + f"{name} and again {name}\n" * 30)
    asked = Deployment(
        model=str(tmp_path / "model"),
        rank=2,
        rounds=2,
        block=16,
        learning_rate=1e-2,
        heldout=str(tmp_path / "held.csv"),
        output=str(tmp_path / "out"),
    )
    contexts = node_contexts(2, asked.run_config())
    for context, name in zip(contexts, "ab", strict=True):
        context.node_config["data"] = str(tmp_path / f"{name}.csv")
    grid = InProcessGrid(deployed_client(lora_task), contexts)
    deployed_server(lora_task)(grid, Context(1, 1, {}, RecordDict(), asked.run_config()))
    told = json.loads((tmp_path / "out" / "federation.json").read_text())
    assert [each["used"] for each in told["rounds"]] == [2, 2]
    assert told["rounds"][-1]["heldout"] < told["start"]
    assert load_adapter(load_causal_lm(tmp_path / "model").model, tmp_path / "out" / "adapter")


def test_the_run_config_says_what_the_deployment_said(tmp_path):
    import tomllib

    asked = Deployment(model='a "quoted" ünit \U0001f600', learning_rate=1e-5, downlink=True)
    write_flower_app(tmp_path / "app", asked)
    settings = tomllib.loads((tmp_path / "app" / "pyproject.toml").read_text("utf-8"))
    assert Deployment.of(settings["tool"]["flwr"]["app"]["config"]) == asked
    client = (tmp_path / "app" / "federation" / "client_app.py").read_text()
    compile(client, "client_app.py", "exec")
    assert "deployed_client(lora_task)" in client


def test_an_app_is_written_into_a_new_folder_only(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="must be a new folder"):
        write_flower_app(tmp_path, Deployment(model="x"))
    with pytest.raises(UsageError, match="module:function"):
        write_flower_app(tmp_path / "new", Deployment(model="x"), task="os; print(1):f")


@pytest.mark.parametrize(("key", "value"), [("rounds", "three"), ("model", None), ("rank", 1.5)])
def test_a_run_config_of_another_type_is_refused(key, value):
    config = {**Deployment(model="x").run_config(), key: value}
    with pytest.raises(UsageError, match=f"{key} must be a"):
        Deployment.of({name: each for name, each in config.items() if each is not None})
