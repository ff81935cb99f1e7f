"""From a corpus to what a federation trains and is tested on: blocks of tokens for each client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.data.corpus import Corpus
from burnish.data.partition import Rows, dirichlet, held_out, two_parts
from burnish.errors import DataError, UsageError
from burnish.models.options import quiet
from burnish.training import derive

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tokens = NDArray[np.int32]
_HELD_OUT = 0.1
_SEED = 20240522  # of the parts nobody trains on or everybody knows: the same for every federation
_AT_ONCE = 256  # texts


@dataclass(frozen=True)
class Shares:
    """A corpus in parts that have no text in common.

    Attributes:
        public: known to all, such as what a base model or a codec may be trained on.
        heldout: that nobody trains on.
        private: the clients'.
    """

    public: Corpus
    heldout: Corpus
    private: Corpus


@dataclass(frozen=True)
class Federation:
    """Who has what, as blocks of tokens, int32.

    Attributes:
        first: of each client, (n, block): D1, which the codec is made from.
        second: of each client, (m, block): D2, which is fine-tuned on.
        heldout: (k, block), of no client.
    """

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]
    heldout: Tensor

    @property
    def clients(self) -> int:
        """How many there are."""
        return len(self.first)


def share_out(corpus: Corpus, *, public: float = 0.0) -> Shares:
    """Part a corpus by whole texts, always in the same way; a tenth is held out.

    Groups are in all parts in like shares. A text that is held out is in no other part, even if
    it comes several times.

    Args:
        corpus: what to part.
        public: share of what is not held out, from 0 and below 1.

    Raises:
        UsageError: the share is out of range.
        DataError: there are too few texts.
    """
    if not 0 <= public < 1:
        raise UsageError(f"public is a share from 0 and below 1, got {public}")
    rest, out = held_out(corpus.groups, share=_HELD_OUT, generator=_generator(_SEED, "held-out"))
    hidden = {corpus.texts[row] for row in out}
    rest = np.array([row for row in rest if corpus.texts[row] not in hidden], dtype=np.int64)
    shown: Rows = rest[:0]
    if public:
        groups = [corpus.groups[row] for row in rest]
        private, known = held_out(groups, share=public, generator=_generator(_SEED, "public"))
        rest, shown = rest[private], rest[known]
    if not len(rest):
        raise DataError(f"{len(corpus)} texts leave none for the clients; give more, or different")
    return Shares(corpus.take(shown), corpus.take(out), corpus.take(rest))


def federate(
    shares: Shares,
    tokenizer: PreTrainedTokenizerBase,
    *,
    block: int,
    heldout_blocks: int,
    clients: int,
    alpha: float,
    share_first: float,
    seed: int,
) -> Federation:
    """Spread the private texts over clients, and cut every client's into blocks.

    Source: CG-FedLLM, arXiv 2405.13746, section 3 (Dirichlet of 0.5 over categories, D1 to D2 as
    3 to 7). The paper does not say how D1 is drawn; here it is a share of each client's blocks.

    Args:
        shares: of the corpus.
        tokenizer: of the model; must have an end-of-sequence token, which ends every text.
        block: tokens of a block.
        heldout_blocks: evenly spaced in the held-out texts.
        clients: how many.
        alpha: of Dirichlet; small values give each client few groups.
        share_first: of each client's blocks, in D1.
        seed: of the clients; what is held out does not depend on it.

    Raises:
        UsageError: a number is out of range, or the tokenizer has no end of sequence.
        DataError: there is too little text.
    """
    heldout = packed(token_lists(shares.heldout.texts, tokenizer), block)
    if len(heldout) < heldout_blocks:
        raise DataError(
            f"the held-out texts fill {len(heldout)} blocks of {block} tokens, {heldout_blocks} "
            "were asked for; hold out fewer, or give more text"
        )
    places = np.linspace(0, len(heldout) - 1, heldout_blocks).round().astype(np.int64)
    texts = token_lists(shares.private.texts, tokenizer)
    owned = dirichlet(
        shares.private.groups,
        clients=clients,
        alpha=alpha,
        generator=_generator(seed, "clients"),
        sizes=[len(text) for text in texts],
        least=2 * block,  # one block for each of D1 and D2
    )
    first, second = [], []
    for client, rows in enumerate(owned):
        blocks = packed([texts[row] for row in rows], block)
        draw = _generator(seed, "d1", client)
        parts = two_parts(np.arange(len(blocks)), share=share_first, generator=draw)
        first.append(blocks[torch.from_numpy(parts[0])])
        second.append(blocks[torch.from_numpy(parts[1])])
    return Federation(tuple(first), tuple(second), heldout[torch.from_numpy(places)])


def token_lists(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[Tokens]:
    """The tokens of each text, with the end of sequence after it.

    Raises:
        UsageError: the tokenizer has no end of sequence.
    """
    end: Any = tokenizer.eos_token_id
    if end is None:
        raise UsageError("the tokenizer must have an end-of-sequence token; set its eos_token")
    found = []
    with quiet():  # transformers remarks on texts longer than the model's context
        for start in range(0, len(texts), _AT_ONCE):
            part = tokenizer(list(texts[start : start + _AT_ONCE]), add_special_tokens=False)
            found += [np.array([*ids, end], dtype=np.int32) for ids in part["input_ids"]]
    return found


def packed(texts: Sequence[Tokens], block: int) -> Tensor:
    """Texts one after the other, cut into blocks, (n, block) int32; what is left over is dropped.

    Raises:
        UsageError: a block has fewer than two tokens, so that there is nothing to predict.
    """
    if block < 2:
        raise UsageError(f"a block has two tokens at least, got {block}")
    flat = np.concatenate(texts) if texts else np.empty(0, dtype=np.int32)
    whole = len(flat) // block
    return torch.from_numpy(flat[: whole * block].reshape(whole, block))


def _generator(seed: int, *names: str | int) -> np.random.Generator:
    return np.random.default_rng(derive(seed, *names))
