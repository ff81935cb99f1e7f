"""The policy of core agents: a language model weighs each shown post, and words what it writes.

A model of any size has likings among letters that say nothing of the post. So each weighing is
taken relative to that of a post which did not load, in the same session, and added to the log-odds
that such accounts have for acting at all:

    logit_k = base_k(role) + ((l_k - l_none) - (l0_k - l0_none)) / temperature

With `base` None the labels count as they are weighed. New posts, follows and unfollows come from
the rule, which also decides for an agent whose model does not answer; that is counted, and too
many end the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.errors import ChatError, UsageError
from burnish.methods.socialsim.acting import Actions, Feeds, Ids, Policy
from burnish.methods.socialsim.calls import Call, KeptThinker, as_table
from burnish.methods.socialsim.memory import Memory, MemoryStream, Span, pack, unpack
from burnish.methods.socialsim.name_gate import NameGate
from burnish.methods.socialsim.personas import RED, Persona
from burnish.methods.socialsim.probes import Subject
from burnish.methods.socialsim.prompting import LABELS, UNREADABLE, Item, opening, question, task
from burnish.methods.socialsim.randomness import Stage, bits, stage_key, uniform
from burnish.methods.socialsim.schema import (
    NO_CLAIM,
    NO_TEXT,
    NONE,
    ActionKind,
    PolicyId,
    Role,
)
from burnish.methods.socialsim.stance import SYNTHETIC, Lexicon, Reading, template
from burnish.methods.socialsim.state import State
from burnish.methods.socialsim.thinking import Weighed

Probabilities = NDArray[np.float64]

BASE_LOG_ODDS = (-2.6, -3.0, -4.8, -4.4, -6.0)
"""Of like, repost, quote, reply, report against none, for a post that says nothing: ours."""
_REACTIONS = range(ActionKind.LIKE, ActionKind.REPORT + 1)
_ANSWERS = frozenset({ActionKind.QUOTE, ActionKind.REPLY})
_TEXT_DRAW = 128  # past the draws of a feed's posts
_LONGEST = 280  # characters of a text
_IMPORTANCE = {ActionKind.LIKE: 0.3, ActionKind.REPORT: 0.6}
_TOLD = {
    ActionKind.LIKE: "liked",
    ActionKind.REPOST: "reposted",
    ActionKind.QUOTE: "quoted",
    ActionKind.REPLY: "replied to",
    ActionKind.REPORT: "reported",
}


class TooManyFallbacks(ChatError):
    """A model failed more often than a run may bear."""


@dataclass(frozen=True, kw_only=True)
class LlmSettings:
    """How core agents decide.

    Attributes:
        temperature: divides what the model weighs, > 0.
        base: log-odds of the five reactions for a post that says nothing, or None.
        items: the most posts of a feed that are asked about; the rest is scrolled past.
        max_tokens: of a text.
        span: of memory.
        least_mass: share of the model's belief that labels must have together, or the weighing
            counts as no answer.
        most_fallbacks: share of sessions that may fail, 0 to 1.
        patience: sessions before that share is judged.

    Raises:
        UsageError: a value is out of its range.
    """

    temperature: float = 0.7
    base: tuple[float, ...] | None = BASE_LOG_ODDS
    items: int = 10
    max_tokens: int = 40
    span: Span = field(default_factory=Span)
    least_mass: float = 0.001
    most_fallbacks: float = 0.05
    patience: int = 40

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise UsageError(f"temperature must be over 0, got {self.temperature}")
        if self.base is not None and len(self.base) != len(_REACTIONS):
            raise UsageError(f"base needs {len(_REACTIONS)} log-odds, got {len(self.base)}")
        if min(self.items, self.max_tokens) < 1:
            raise UsageError(f"items and max_tokens must be at least 1, got {self}")
        if not (0 <= self.most_fallbacks <= 1 and 0 <= self.least_mass <= 1):
            raise UsageError(f"most_fallbacks and least_mass are shares from 0 to 1, got {self}")


@dataclass
class Tally:
    """What became of sessions and texts."""

    sessions: int = 0
    fallbacks: int = 0
    items: int = 0
    texts: int = 0
    templates: int = 0

    @property
    def fallback_share(self) -> float:
        """Of sessions; 0 before the first."""
        return self.fallbacks / self.sessions if self.sessions else 0.0


class LlmPolicy:
    """Core agents; see `acting.Policy`, `acting.Calling` and `acting.Remembering`.

    Args:
        thinker: the model with its book of calls, or the book alone.
        rule: for new posts, follows, and agents whose model does not answer.
        lexicon: reads what the model writes.
        settings: how to decide.
        gate: a text in which it finds something real becomes a template; by default that of
            scenarios. Assets never get a text of the model.
    """

    def __init__(
        self,
        thinker: KeptThinker,
        rule: Policy,
        lexicon: Lexicon,
        *,
        settings: LlmSettings | None = None,
        gate: NameGate | None = None,
    ) -> None:
        self._thinker = thinker
        self._rule = rule
        self._lexicon = lexicon
        self.settings = settings or LlmSettings()
        self._gate = gate or NameGate.default()
        self._memories: dict[int, MemoryStream] = {}
        self._calls: list[tuple[int, int, Call]] = []
        self.tally = Tally()

    def act(self, tick: int, agents: Ids, feeds: Feeds, state: State) -> Actions:
        """See `Policy.act`.

        Raises:
            TooManyFallbacks: the model failed in too large a share of sessions.
            UsageError: the lexicon is for other claims than the world's.
        """
        if (codes := tuple(claim.code for claim in state.claims)) != self._lexicon.codes:
            raise UsageError(f"the lexicon reads {self._lexicon.codes}, and the world has {codes}")
        by_rule = self._rule.act(tick, agents, feeds, state)
        failed: list[int] = []
        drafts: list[_Draft] = []
        for row, agent in enumerate(agents.tolist()):
            own = feeds.rows(np.array([row]))
            try:
                drafts.extend(self._session(tick, agent, own, state))
            except ChatError:
                failed.append(agent)  # the rule decides, and the tally says so
            self._judge(bool(failed) and failed[-1] == agent)
        kept = _rows_of_rule(by_rule, np.asarray(failed, np.uint32))
        drafts.extend(self._new_posts(tick, kept, state))
        reacting = kept.kind != ActionKind.POST
        return Actions.joined([_selected(kept, reacting), _as_actions(drafts)])

    def probabilities(self, subject: Subject) -> Probabilities:
        """How one probed persona acts on each of its items: (items, 6), of `ActionKind` 0 to 5.

        Raises:
            ChatError: the model does not answer.
        """
        words = opening(subject.persona, subject.beliefs, subject.remembered)
        found = self._thinker.weigh(words, _asked_about(subject.items), LABELS)
        return self._chances(_answered(found))

    def take_calls(self) -> pa.Table:
        """See `Calling.take_calls`."""
        calls, self._calls = self._calls, []
        return as_table(calls)

    def snapshot(self) -> bytes:
        """See `Remembering.snapshot`."""
        return pack(self._memories)

    def restore(self, kept: bytes) -> None:
        """See `Remembering.restore`."""
        self._memories = unpack(kept, self.settings.span)

    def _session(self, tick: int, agent: int, feed: Feeds, state: State) -> list[_Draft]:
        items = shown(tick, feed, state)[: self.settings.items]
        if not items:
            return []
        stream = self._memories.setdefault(agent, MemoryStream(self.settings.span))
        keys = sorted({key for item in items for key in item.keys})
        persona = Persona.of(state.agents, agent)
        words = opening(persona, _held(state, agent), stream.recall(tick, keys))
        found = self._thinker.weigh(words, _asked_about(items), LABELS)
        self._calls.extend((tick, agent, call) for call, _ in found)
        chances = self._chances(_answered(found))
        key = stage_key(state.seed, tick, Stage.LLM)
        drafts = []
        for index, (item, own) in enumerate(zip(items, chances, strict=True)):
            kind = _drawn(own, uniform(key, agent, index))
            if kind is not ActionKind.NONE:
                post = int(feed.post[index])
                draft = _Draft(agent, kind, post, float(own[kind]), PolicyId.LLM)
                drafts.append(self._worded(tick, draft, item, words, persona, state))
        self.tally.items += len(items)
        _remember(stream, tick, items, drafts, feed.post)
        return drafts

    def _chances(self, logits: Probabilities) -> Probabilities:
        """(n, 6) of `ActionKind` 0 to 5, from log-probabilities (1 + n, 6), without content first.

        Raises:
            ChatError: the model thinks of none of the labels.
        """
        mass = np.exp(logits).sum(axis=1).min()
        if not mass >= self.settings.least_mass:
            raise ChatError(f"the labels have {mass:.2g} of the model's belief together")
        if not np.isfinite(logits).all():
            said = np.isfinite(logits[1:]).astype(float)  # labels that were said, not weighed
            return _shares(said)
        base = np.zeros(logits.shape[1])
        own = logits[1:]
        if self.settings.base is not None:
            own = own - logits[0]
            base[1:] = self.settings.base
        return _shares(np.exp(base + (own - own[:, :1]) / self.settings.temperature))

    def _judge(self, fell: bool) -> None:
        tally, settings = self.tally, self.settings
        tally.sessions += 1
        tally.fallbacks += fell
        judged = tally.sessions >= settings.patience
        if judged and tally.fallback_share > settings.most_fallbacks:
            raise TooManyFallbacks(
                f"the core agents' model failed in {tally.fallbacks} of {tally.sessions} sessions, "
                f"more than {settings.most_fallbacks:.0%}; try another model or a shorter memory"
            )

    def _new_posts(self, tick: int, kept: Actions, state: State) -> list[_Draft]:
        """The rule says who posts, and the model what; the loop gives a topic to what has none."""
        drafts = []
        for row in np.flatnonzero(kept.kind == ActionKind.POST).tolist():
            agent = int(kept.agent[row])
            policy = PolicyId(int(kept.policy[row]))
            draft = _Draft(agent, ActionKind.POST, NONE, float(kept.probability[row]), policy)
            persona = Persona.of(state.agents, agent)
            words = opening(persona, _held(state, agent))
            text = self._text(tick, draft, task(ActionKind.POST), words, persona, state)
            if text is not None:
                reading = self._lexicon.read(text)
                draft = replace(draft, text=text, claim=reading.claim)
                if reading.claim != NO_CLAIM:
                    draft = replace(draft, stance=reading.stance)
            drafts.append(draft)
        return drafts

    def _worded(
        self, tick: int, draft: _Draft, item: Item, words: str, persona: Persona, state: State
    ) -> _Draft:
        """A quote or reply with its text, and the claim and stance that others read in it."""
        if draft.kind not in _ANSWERS:
            return draft
        side = _held(state, draft.agent)[item.claim] if item.claim else persona.ideology
        asked = task(draft.kind, item, side)
        text = self._text(tick, draft, asked, words, persona, state)
        reading = Reading(NO_CLAIM, math.nan) if text is None else self._lexicon.read(text)
        codes = self._lexicon.codes
        answered = codes.index(item.claim) if item.claim else NO_CLAIM
        claim = answered if reading.claim == NO_CLAIM else reading.claim
        stance = side if math.isnan(reading.stance) else reading.stance
        text = template(item.claim, stance, item.topic) if text is None else text
        return replace(draft, text=text, claim=claim, stance=stance)

    def _text(
        self, tick: int, draft: _Draft, asked: str, words: str, persona: Persona, state: State
    ) -> str | None:
        """What the model writes, marked and in one line; None where it may not or does not."""
        text = None if persona.role in RED else self._asked(tick, draft, asked, words, state.seed)
        if text is None or self._gate.find(text) is not None:
            self.tally.templates += 1
            return None
        self.tally.texts += 1
        return f"{SYNTHETIC} {text}"

    def _asked(self, tick: int, draft: _Draft, asked: str, words: str, seed: int) -> str | None:
        drawn = int(bits(stage_key(seed, tick, Stage.LLM), draft.agent, _TEXT_DRAW + draft.kind))
        call, text = self._thinker.write(
            words, asked, max_tokens=self.settings.max_tokens, seed=drawn >> 33
        )
        self._calls.append((tick, draft.agent, call))
        if text is None:
            return None  # a template takes its place, and the tally says so
        plain = "".join(letter if letter.isprintable() else " " for letter in text)
        return " ".join(plain.split())[:_LONGEST] or None


@dataclass(frozen=True)
class _Draft:
    """One action before it is a row."""

    agent: int
    kind: ActionKind
    post: int
    probability: float
    policy: PolicyId
    text: str | None = None
    claim: int = NO_CLAIM
    stance: float = math.nan


def shown(tick: int, feed: Feeds, state: State) -> list[Item]:
    """The posts of a feed of one agent as a prompt tells them, in order."""
    rows = state.posts.rows
    items = []
    for post, shares, seen in zip(feed.post, feed.shares, feed.seen, strict=True):
        content = rows[rows[post]["content"]]
        author, text, claim = (int(content[name]) for name in ("author", "text", "claim"))
        code = "" if claim == NO_CLAIM else state.claims[claim].code
        items.append(
            Item(
                author_role=Role(int(state.agents.role[author])),
                credibility=round(float(state.agents.trust[author]), 2),
                claim=code,
                stance=round(float(content["stance"]), 2),
                topic=int(content["topic"]),
                age=tick - int(content["tick"]),
                shares=int(shares),
                seen=int(seen),
                labels=int(content["labels"] | rows[content["root"]]["labels"]),
                text="" if text == NO_TEXT else state.texts[text].removeprefix(SYNTHETIC).strip(),
            )
        )
    return items


def _held(state: State, agent: int) -> dict[str, float]:
    """What an agent believes, by the claims' codes."""
    beliefs = state.beliefs[agent].tolist()
    return {claim.code: own for claim, own in zip(state.claims, beliefs, strict=True)}


def _asked_about(items: Sequence[Item]) -> list[str]:
    """The question without content, and one for each item."""
    return [UNREADABLE, *(question(item) for item in items)]


def _answered(found: Sequence[tuple[Call, Weighed | None]]) -> Probabilities:
    """Log-probabilities (n, 6) of n weighings.

    Raises:
        ChatError: the model failed; says why.
    """
    for call, weighed in found:
        if weighed is None:
            raise ChatError(f"the model failed: {call.text[:200]}")
    return np.array([weighed.log_probs for _, weighed in found if weighed is not None])


def _shares(values: Probabilities) -> Probabilities:
    shares: Probabilities = values / values.sum(axis=1, keepdims=True)
    return shares


def _drawn(chances: Probabilities, u: float) -> ActionKind:
    """Reactions come first in the unit interval, as in the rule, and none takes what is left."""
    bounds = np.cumsum(chances[1:])
    index = int(np.searchsorted(bounds, u, side="right"))
    return ActionKind(index + 1) if index < len(bounds) else ActionKind.NONE


def _remember(
    stream: MemoryStream, tick: int, items: Sequence[Item], drafts: Sequence[_Draft], post: Ids
) -> None:
    about = dict(zip(post.tolist(), items, strict=False))
    for draft in drafts:
        keys = about[draft.post].keys
        text = f"you {_TOLD[draft.kind]} a post about {keys[0]}"
        stream.add(Memory(tick, text, _IMPORTANCE.get(draft.kind, 0.8), keys))
    claimed = [item for item in items if item.claim]
    if claimed:
        keys = tuple(sorted({item.keys[0] for item in claimed}))
        warned = sum(item.marked for item in claimed)
        tail = f", {warned} with a label" if warned else ""
        text = f"you saw {len(claimed)} posts about {', '.join(keys)}{tail}"
        stream.add(Memory(tick, text, 0.1 + 0.3 * bool(warned), keys))


def _rows_of_rule(by_rule: Actions, failed: Ids) -> Actions:
    """What stays of the rule: ties and new posts of all, reactions of those whose model failed."""
    fell = np.isin(by_rule.agent, failed)
    reaction = (by_rule.kind >= ActionKind.LIKE) & (by_rule.kind <= ActionKind.REPORT)
    policy = np.where(fell & reaction, np.uint8(PolicyId.LLM_FALLBACK), by_rule.policy)
    marked = Actions(
        by_rule.agent,
        by_rule.kind,
        by_rule.post,
        by_rule.probability,
        policy.astype(np.uint8),
        by_rule.text,
        by_rule.claim,
        by_rule.stance,
        by_rule.texts,
    )
    return _selected(marked, fell | ~reaction)


def _selected(actions: Actions, chosen: NDArray[np.bool_]) -> Actions:
    return Actions(
        actions.agent[chosen],
        actions.kind[chosen],
        actions.post[chosen],
        actions.probability[chosen],
        actions.policy[chosen],
        actions.text[chosen],
        actions.claim[chosen],
        actions.stance[chosen],
        actions.texts,
    )


def _as_actions(drafts: Sequence[_Draft]) -> Actions:
    texts = [draft.text for draft in drafts if draft.text is not None]
    numbers = iter(range(len(texts)))
    text = [NO_TEXT if draft.text is None else next(numbers) for draft in drafts]
    return Actions(
        np.array([draft.agent for draft in drafts], np.uint32),
        np.array([draft.kind for draft in drafts], np.uint8),
        np.array([draft.post for draft in drafts], np.uint32),
        np.array([draft.probability for draft in drafts], np.float32),
        np.array([draft.policy for draft in drafts], np.uint8),
        np.array(text, np.int32),
        np.array([draft.claim for draft in drafts], np.int16),
        np.array([draft.stance for draft in drafts], np.float32),
        tuple(texts),
    )
