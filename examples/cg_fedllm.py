"""Four clients fine-tune a small Llama together, and send signs in the place of floats."""

import tempfile
from pathlib import Path

import torch

from burnish import cg_fedllm
from burnish.codecs import codec_named, guarded_as_may_be
from burnish.methods.cg_fedllm.config import CgFedllmConfig
from burnish.methods.cg_fedllm.grounds import second_task
from burnish.runs.settings import build_config

torch.set_num_threads(1)  # a model this small is slower on several
task = second_task(build_config(CgFedllmConfig, "quick"), seed=0, repetition=0)
initial = task.initial()

for name in ("fp32", "sign"):
    codec = guarded_as_may_be(codec_named(name, task.layout.image))  # error feedback and gain
    strategy = cg_fedllm.CompressedFedAvg(codec, task.layout, initial, init=task.init)
    mod = cg_fedllm.CompressMod(codec, task.layout, initial, init=task.init)
    grid = cg_fedllm.in_process(cg_fedllm.client_app(task, [mod]), nodes=task.clients)
    with tempfile.TemporaryDirectory() as folder:
        done = cg_fedllm.federate(strategy, grid, task, rounds=3, checkpoint=Path(folder))
    losses = " ".join(f"{each.heldout:.3f}" for each in done.rounds)
    print(f"{name:>5}: loss {done.start:.3f} -> {losses}, {done.traffic.up:,} bytes up")
