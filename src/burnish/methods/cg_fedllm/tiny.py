"""A small Llama made on the spot, for tests and for runs of a minute.

An adapter of an untrained base hardly learns, and one of a base that has read the clients' kind of
text has little left to learn; neither would tell codecs apart. So the base has read words alone,
in small letters, and clients' capitals, digits and punctuation are new to it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from burnish.data.batching import Rows, plan_batches
from burnish.errors import DataError
from burnish.methods.cg_fedllm.corpora import packed, token_lists
from burnish.methods.cg_fedllm.next_token import next_token_loss
from burnish.models import CausalLM
from burnish.training import Training, derive, fit, seeded
from burnish.training.loop import Precision


def tiny_llama(
    texts: Sequence[str],
    *,
    seed: int,
    hidden: int = 256,
    layers: int = 4,
    steps: int = 60,
    block: int = 64,
    batch_size: int = 16,
    precision: Precision = "float32",
) -> CausalLM:
    """A Llama over bytes, trained for a few seconds.

    A seed gives the same weights, bit for bit, on one kind of machine with one number of threads.
    Nothing is downloaded or kept: the tokenizer (ByT5's) needs no files.

    Args:
        texts: to train on, of which the words are taken, in small letters; not the clients'.
        seed: of weights and batches.
        hidden: width; heads are 32 wide.
        layers: how many.
        steps: of training.
        block: tokens of a training example.
        batch_size: blocks of a step.
        precision: of matrix products.

    Raises:
        DataError: the texts do not fill a batch.
    """
    from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = ByT5Tokenizer(extra_ids=0)
    blocks = packed(token_lists([_words(text) for text in texts], tokenizer), block)
    if len(blocks) < batch_size:
        raise DataError(
            f"a tiny Llama is made from {batch_size} blocks of {block} bytes at least, got "
            f"{len(blocks)}; give more public text"
        )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 32),
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with seeded(derive(seed, "tiny")):
        model = LlamaForCausalLM(config)
    generator = np.random.default_rng(derive(seed, "tiny-plan"))
    epochs = -(-steps * batch_size // len(blocks))
    lengths = np.full(len(blocks), block)
    plan = plan_batches(lengths, batch_size=batch_size, epochs=epochs, generator=generator)[:steps]

    def loss(module: nn.Module, rows: Rows, _: int) -> Tensor:
        tokens = blocks[torch.from_numpy(rows)].long()
        return next_token_loss(module(input_ids=tokens, use_cache=False).logits, tokens)

    training = Training(learning_rate=2e-3, precision=precision, seed=seed)
    fit(model, loss, plan, training)
    return CausalLM(model, tokenizer, f"tiny-llama@sha256:{_hash(model)}")


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W\d_]+", text.lower()))


def _hash(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, weight in model.state_dict().items():
        digest.update(name.encode())
        digest.update(cast("Tensor", weight).contiguous().numpy().tobytes())
    return digest.hexdigest()
