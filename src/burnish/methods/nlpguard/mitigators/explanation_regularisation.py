"""A loss term that keeps protected words from speaking for the label while the model learns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators.base import Mitigation
from burnish.methods.nlpguard.neighbours import word_mark
from burnish.methods.nlpguard.rows import Rows


@dataclass(frozen=True)
class ExplanationRegularisation:
    """Loss = cross-entropy + strength * sum of phi_t^2 over the tokens of protected words.

    phi_t is input times gradient: the inner product of a token's input embedding with the gradient
    there of the label's logit. Summed over a text, averaged over the batch.

    Attributes:
        tokenizer: of the model that is trained.
        strength: the paper's alpha, at least 0; 0.1 to 1 is usual.

    Source: arXiv 2005.02439, eq. 1. Departure: input times gradient in place of sampling and
    occlusion.
    """

    tokenizer: Any
    strength: float = 0.1
    name: str = "explanation_regularisation"

    def __post_init__(self) -> None:
        if self.strength < 0:
            raise UsageError(f"strength is at least 0, got {self.strength}")

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """The loss term for these words."""
        words = TokenMatcher(self.tokenizer, protected)
        return Mitigation(penalty=InputGradientPenalty(words, self.strength))


@dataclass(frozen=True)
class InputGradientPenalty:
    """strength * sum of phi_t^2 over protected tokens, mean over the batch; can be differentiated.

    Attributes:
        words: finds the tokens.
        strength: factor.
    """

    words: TokenMatcher
    strength: float

    def __call__(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """A scalar; 0 for a batch without protected words.

        Args:
            model: takes `inputs_embeds` and gives `logits` (B, C).
            batch: `input_ids` (B, T), `attention_mask`, `labels` (B,), and whatever else the
                model takes.
        """
        ids = batch["input_ids"]
        marked = self.words.find(ids) & batch["attention_mask"].bool()
        rows = marked.any(1).nonzero()[:, 0]
        if not len(rows) or not self.strength:
            return torch.zeros((), device=ids.device)
        given = {name: value[rows] for name, value in batch.items() if name != "input_ids"}
        labels = given.pop("labels")
        embed: Any = model
        vectors: Tensor = embed.get_input_embeddings()(ids[rows])
        if not vectors.requires_grad:
            vectors.requires_grad_()
        with sdpa_kernel(SDPBackend.MATH):  # fused attention has no second derivative
            logits = model(inputs_embeds=vectors, **given).logits
            spoken = logits.float().gather(1, labels[:, None]).sum()
            (slope,) = torch.autograd.grad(spoken, vectors, create_graph=True)
        phi = (vectors.float() * slope.float()).sum(-1) * marked[rows]
        return self.strength * phi.square().sum() / len(ids)


class TokenMatcher:
    """Finds the tokens of words in batches of token ids.

    A word is found as the tokenizer cuts it, behind a space or not, in small letters, with a
    capital and in capitals, a phrase with spaces or hyphens, where no word goes on before or
    after it.

    Args:
        tokenizer: of transformers.
        words: words and phrases.
    """

    def __init__(self, tokenizer: Any, words: Iterable[str]) -> None:
        unknown = tokenizer.unk_token_id
        cut = {
            tuple(tokenizer(space + form, add_special_tokens=False)["input_ids"])
            for word in words
            for join in (word, word.replace(" ", "-"))
            for form in (join, join[:1].upper() + join[1:], join.title(), join.upper())
            for space in ("", " ")
        }
        by_length: dict[int, list[tuple[int, ...]]] = {}
        for ids in sorted(cut):
            if ids and (unknown is None or unknown not in ids):
                by_length.setdefault(len(ids), []).append(ids)
        self._by_length = {size: torch.tensor(found) for size, found in by_length.items()}
        self._goes_on, self._closed = _kinds(tokenizer)

    def find(self, ids: Tensor) -> Tensor:
        """(B, T) ids to (B, T) bool: which tokens belong to one of the words."""
        goes_on, closed = self._goes_on.to(ids.device)[ids], self._closed.to(ids.device)[ids]
        open_before = torch.ones_like(goes_on)
        open_before[:, 1:] = closed[:, :-1] | ~goes_on[:, 1:]
        open_after = torch.ones_like(goes_on)
        open_after[:, :-1] = ~goes_on[:, 1:] | closed[:, :-1]
        found = torch.zeros_like(goes_on)
        for size, words in self._by_length.items():
            if size > ids.shape[1]:
                continue
            runs = ids.unfold(1, size, 1)  # (B, T - size + 1, size)
            here = torch.isin(runs[..., 0], words[:, 0].to(ids.device))
            here &= open_before[:, : runs.shape[1]] & open_after[:, size - 1 :]
            row, start = here.nonzero(as_tuple=True)
            same = (runs[row, start][:, None] == words.to(ids.device)).all(-1).any(-1)
            for shift in range(size):
                found[row[same], start[same] + shift] = True
        return found


def _kinds(tokenizer: Any) -> tuple[Tensor, Tensor]:
    """By token id: whether it goes on with the word before it, and whether it ends any word."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    mark = word_mark(vocabulary)
    special = set(tokenizer.all_special_tokens)
    size = max(vocabulary.values()) + 1
    goes_on, closed = torch.zeros(size, dtype=torch.bool), torch.zeros(size, dtype=torch.bool)
    for token, at in vocabulary.items():
        bare = token.removeprefix(mark)  # which is a letter itself in byte-level BPE
        if mark:
            goes_on[at] = token[:1].isalnum() and bare == token and token not in special
        else:
            goes_on[at] = token.startswith("##")
        closed[at] = token in special or not bare[-1:].isalnum()
    return goes_on, closed
