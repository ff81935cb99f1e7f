"""What every federation of a run stands on: one base model, and who has which text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from burnish.data.corpus import Corpus, load_corpus, read_corpus
from burnish.methods.cg_fedllm.adapters import fresh_adapter
from burnish.methods.cg_fedllm.config import CgFedllmConfig
from burnish.methods.cg_fedllm.corpora import Federation, federate, share_out
from burnish.methods.cg_fedllm.local import LocalSettings, LoraTask
from burnish.methods.cg_fedllm.tiny import tiny_llama
from burnish.models import CausalLM, load_causal_lm
from burnish.models.options import has_bfloat16
from burnish.training import derive
from burnish.training.loop import Precision

if TYPE_CHECKING:
    from peft import PeftModel

TINY = "tiny-llama"
_PUBLIC = 0.5  # of the texts, where the base model has to be made from some


@dataclass
class Grounds:
    """A base model in memory, and the blocks of every client.

    Attributes:
        base: the model; adapters are put on it and taken off again.
        federation: blocks of tokens.
        note: what the corpus is.
    """

    base: CausalLM
    federation: Federation
    note: str
    _adapted: PeftModel | None = None

    def adapted(self, config: CgFedllmConfig, seed: int) -> PeftModel:
        """The base with a new adapter in the place of any earlier one."""
        plain = self.base.model if self._adapted is None else self._adapted.unload()
        self._adapted = fresh_adapter(
            plain,
            rank=config.rank,
            alpha=config.lora_alpha,
            dropout=config.dropout,
            seed=seed,
        )
        return self._adapted


def corpus_of(config: CgFedllmConfig) -> Corpus:
    """The user's texts, or the embedded ones."""
    if not config.data:
        return load_corpus(config.corpus)
    split = config.split or None
    return read_corpus(config.data, text=config.text, group=config.group, split=split)


@lru_cache(maxsize=1)
def grounds(config: CgFedllmConfig, seed: int) -> Grounds:
    """Load the model and share out the corpus; kept, since a process does many federations.

    Raises:
        UsageError, DataError, AssetMissing: model or corpus is not to be had, or is too small.
    """
    corpus = corpus_of(config)
    shares = share_out(corpus, public=_PUBLIC if config.model == TINY else 0.0)
    if config.model == TINY:
        base = tiny_llama(
            shares.public.texts, seed=derive(seed, "base"), precision=precision_of(config)
        )
    else:
        base = load_causal_lm(config.model)
    federation = federate(
        shares,
        base.tokenizer,
        block=config.block,
        heldout_blocks=config.heldout_blocks,
        clients=config.clients,
        alpha=config.concentration,
        share_first=config.share_first,
        seed=derive(seed, "federation"),
    )
    return Grounds(base, federation, corpus.note)


def init_seed(seed: int, init: int) -> int:
    """Of the LoRA initialisation; the codecs' updates and the fine-tuning share number 0."""
    return derive(seed, "init", init)


def precision_of(config: CgFedllmConfig) -> Precision:
    """Of matrix products: what was asked for, or the fastest that the processor has."""
    if config.precision == "auto":
        return "bfloat16" if has_bfloat16() else "float32"
    return config.precision


def local_settings(config: CgFedllmConfig, seed: int) -> LocalSettings:
    """How clients train."""
    return LocalSettings(
        epochs=config.local_epochs,
        max_steps=config.local_steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        precision=precision_of(config),
        gradient=config.represent == "grad",
        seed=seed,
    )


def first_task(config: CgFedllmConfig, seed: int, init: int) -> LoraTask:
    """Training on D1, which the codecs are made from, under an initialisation."""
    ground = grounds(config, seed)
    return LoraTask(
        ground.adapted(config, init_seed(seed, init)),
        ground.federation.first,
        local_settings(config, derive(seed, "collect", init)),
        heldout=ground.federation.heldout,
    )


def second_task(config: CgFedllmConfig, seed: int, repetition: int) -> LoraTask:
    """Training on D2, which is fine-tuned on, under the first initialisation."""
    ground = grounds(config, seed)
    return LoraTask(
        ground.adapted(config, init_seed(seed, 0)),
        ground.federation.second,
        local_settings(config, derive(seed, "federate", repetition)),
        heldout=ground.federation.heldout,
    )
