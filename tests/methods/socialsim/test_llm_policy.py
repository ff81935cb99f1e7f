"""Core agents in a real world: what they do, what is counted, and that a replay needs no model."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from burnish.errors import AssetError, ChatError, DataError, UsageError
from burnish.methods.socialsim.calibration import calibrate
from burnish.methods.socialsim.calls import Book, KeptThinker
from burnish.methods.socialsim.llm_policy import (
    BASE_LOG_ODDS,
    LlmPolicy,
    LlmSettings,
    TooManyFallbacks,
    shown,
)
from burnish.methods.socialsim.loop import Core, Simulation
from burnish.methods.socialsim.personas import RED, Persona
from burnish.methods.socialsim.probes import Subject, features, subjects
from burnish.methods.socialsim.probing import ask
from burnish.methods.socialsim.rule_policy import RulePolicy, rule_features
from burnish.methods.socialsim.schema import (
    LLM_CALLS,
    NO_TEXT,
    TABLES,
    ActionKind,
    PolicyId,
    PostKind,
)
from burnish.methods.socialsim.scripted_core import ScriptedThinker
from burnish.methods.socialsim.stance import Lexicon
from burnish.methods.socialsim.thinking import Weighed
from burnish.methods.socialsim.world import Claim, Event, FeedSettings, PopulationSettings, World

CODES = ("C4", "C1")
EAGER = (0.0, 0.0, -1.0, -0.5, -2.0)
WORLD = World(
    name="Harbour",
    claims=(Claim(code="C4"), Claim(code="C1", true=True, topic=2)),
    events=(Event(tick=1, claim=0, stance=0.8, posts=8), Event(tick=2, claim=1, posts=8)),
    population=PopulationSettings(
        vulnerable=0.2, trolls=0.05, bots=0.05, operators=0.05, activity_scale=0.2
    ),
    feed=FeedSettings(sampling=1.0),
    snapshot=6,
)


def core_policy(thinker, book=None, **settings):
    kept = KeptThinker(Book() if book is None else book, thinker)
    chosen = LlmSettings(**({"base": EAGER} | settings))
    return LlmPolicy(kept, RulePolicy(), Lexicon(CODES), settings=chosen)


def world(policy, n=120, core=40, seed=4):
    chosen = np.arange(core, dtype=np.uint32)
    return Simulation(world=WORLD, n_agents=n, seed=seed, core=Core(policy, chosen))


@pytest.fixture(scope="module")
def done():
    """A run of ten ticks with forty scripted core agents."""
    policy = core_policy(ScriptedThinker())
    return policy, world(policy).run(10)


def one(weighed, empty=(-2.0,) * 6, **settings):
    """Probabilities of one weighing beside that of the post without content."""

    class Fixed(ScriptedThinker):
        def weigh(self, opening, questions, labels):
            return [Weighed(empty), Weighed(weighed)][: len(questions)]

    class Raw(KeptThinker):
        def weigh(self, opening, questions, labels):
            return [(None, own) for own in Fixed().weigh(opening, questions, labels)]

    policy = LlmPolicy(
        Raw(Book(), Fixed()), RulePolicy(), Lexicon(CODES), settings=LlmSettings(**settings)
    )
    state = world(policy, n=20, core=2).fresh()
    rng = np.random.default_rng(0)
    (subject,) = subjects([Persona.of(state.agents, 1)], items=1, claims=CODES, rng=rng)
    return policy.probabilities(subject)[0]


def test_probabilities_by_hand():
    weighed, empty = (-1.0, -1.5, -2.0, -3.0, -2.5, -4.0), (-1.2, -1.6, -1.4, -2.0, -3.0, -2.2)
    logits = [0.0]
    for k in range(1, 6):
        moved = (weighed[k] - weighed[0]) - (empty[k] - empty[0])
        logits.append(BASE_LOG_ODDS[k - 1] + moved / 0.7)
    total = sum(map(math.exp, logits))
    by_hand = [math.exp(value) / total for value in logits]
    assert one(weighed, empty) == pytest.approx(by_hand)


def test_likings_among_letters_do_not_count():
    liking = (-0.5, -4.0, -3.0, -5.0, -2.0, -1.5)
    odds = [1.0, *map(math.exp, BASE_LOG_ODDS)]
    assert one(liking, liking) == pytest.approx([value / sum(odds) for value in odds])


def test_without_a_base_labels_count_as_they_are_weighed():
    weighed = tuple(map(math.log, (0.4, 0.2, 0.2, 0.1, 0.05, 0.05)))
    found = one(weighed, base=None, temperature=1.0)
    assert found == pytest.approx(np.exp(weighed))


def test_a_spoken_label_has_all_the_weight():
    silent = -math.inf
    assert one((silent, silent, 0.0, silent, silent, silent)).tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("weighed", [(-20.0,) * 6, (math.nan,) * 6, (-math.inf,) * 6])
def test_labels_the_model_does_not_think_of_are_no_answer(weighed):
    with pytest.raises(ChatError, match="the labels have"):
        one(weighed)


def test_core_agents_act_by_model_and_others_by_rule(done):
    policy, run = done
    actions = run.table("actions")
    agent, kind, by = (actions[name].to_numpy() for name in ("agent", "kind", "policy"))
    reacts = (kind >= ActionKind.LIKE) & (kind <= ActionKind.REPORT)
    assert set(by[reacts & (agent < 40)]) == {PolicyId.LLM}
    assert PolicyId.LLM not in by[agent >= 40]
    assert policy.tally.fallbacks == 0
    assert policy.tally.items > 100


def test_a_lexicon_of_another_world_is_refused():
    kept = KeptThinker(Book(), ScriptedThinker())
    policy = LlmPolicy(kept, RulePolicy(), Lexicon(("C1", "C4")))
    with pytest.raises(UsageError, match=r"reads \('C1', 'C4'\), and the world has \('C4', 'C1'\)"):
        world(policy).run(1)


def test_texts_are_marked_and_assets_never_have_the_model_s(done):
    policy, run = done
    posts, texts = run.table("posts"), run.table("texts")["content"].to_pylist()
    author, text = posts["author"].to_numpy(), posts["text"].to_numpy()
    red = np.isin(run.state.agents.role[author], [int(role) for role in RED]) & (author < 40)
    assert texts
    assert all(content.startswith("[SYNTHETIC] ") for content in texts)
    written = [texts[i] for i in text[red & (text != NO_TEXT)]]
    assert written
    assert all(re.search("claim C[41],", content) or "topic" in content for content in written)
    assert not any("doubt" in content for content in written)
    assert any("doubt" in content for content in texts)
    assert policy.tally.texts > 0
    assert policy.tally.templates > 0


def test_what_is_written_is_read_before_others_see_it(done):
    _, run = done
    posts, texts = run.table("posts"), run.table("texts")["content"].to_pylist()
    text, stance, claim = (posts[name].to_numpy() for name in ("text", "stance", "claim"))
    answers = np.isin(posts["kind"].to_numpy(), [PostKind.REPLY, PostKind.QUOTE])
    doubting = [
        row for row in np.flatnonzero((text != NO_TEXT) & answers) if "doubt" in texts[text[row]]
    ]
    assert doubting
    assert stance[doubting] == pytest.approx(math.tanh(-0.5))
    parents = posts["parent"].to_numpy()[doubting]
    assert (claim[doubting] == claim[parents]).all()


def test_calls_are_a_table_of_the_run(done):
    _, run = done
    calls = run.table("llm_calls")
    assert calls.schema.equals(LLM_CALLS, check_metadata=True)
    assert calls.num_rows > 100
    assert set(calls["agent"].to_numpy()) <= set(range(40))


def test_a_replay_from_calls_gives_the_same_bytes_and_needs_no_model(done, tmp_path):
    _, run = done
    book = Book.of_table(run.table("llm_calls"))
    replay = world(core_policy(None, book)).run(10)
    for name in TABLES:
        assert replay.table(name).equals(run.table(name)), name


def test_a_replay_of_another_seed_says_so(done):
    book = Book.of_table(done[1].table("llm_calls"))
    with pytest.raises(DataError, match="another run than the one that wrote the calls"):
        world(core_policy(None, book), seed=5).run(10)


def test_a_run_goes_on_from_a_checkpoint_with_its_memories(tmp_path):
    whole = world(core_policy(ScriptedThinker())).run(8, tmp_path / "whole")
    first = world(core_policy(ScriptedThinker()))
    first.run(4, tmp_path / "parts", checkpoint=4)
    resumed = world(core_policy(ScriptedThinker())).run(8, tmp_path / "parts", checkpoint=4)
    for name in TABLES:
        assert resumed.table(name).equals(whole.table(name)), name


class Failing(ScriptedThinker):
    """Has no answer for the agents whose number ends in these digits."""

    def __init__(self, digits):
        super().__init__()
        self._marks = tuple(f"{digit} in an invented" for digit in digits)

    def weigh(self, opening, questions, labels):
        if any(mark in opening for mark in self._marks):
            raise ChatError("no answer")
        return super().weigh(opening, questions, labels)


def test_the_rule_decides_where_the_model_fails_and_it_is_counted():
    policy = core_policy(Failing("12345"), most_fallbacks=1.0)
    actions = world(policy).run(10).table("actions")
    agent, kind, by = (actions[name].to_numpy() for name in ("agent", "kind", "policy"))
    reacts = (kind <= ActionKind.REPORT) & (agent < 40)
    fell = reacts & np.isin(agent % 10, [1, 2, 3, 4, 5])
    assert set(by[fell]) == {PolicyId.LLM_FALLBACK}
    assert set(by[reacts & ~fell]) == {PolicyId.LLM}
    assert 0.2 < policy.tally.fallback_share < 0.8


def test_failures_are_told_again_too():
    policy = core_policy(Failing("12345"), most_fallbacks=1.0)
    run = world(policy).run(10)
    book = Book.of_table(run.table("llm_calls"))
    replay = world(core_policy(None, book, most_fallbacks=1.0)).run(10)
    for name in TABLES:
        assert replay.table(name).equals(run.table(name)), name


def test_too_many_failures_end_the_run():
    policy = core_policy(Failing("1"), patience=20)
    with pytest.raises(TooManyFallbacks, match=r"failed in \d+ of \d+ sessions, more than 5%"):
        world(policy).run(10)
    assert policy.tally.sessions >= 20


def test_a_text_that_names_something_real_becomes_a_template():
    policy = core_policy(ScriptedThinker(says="Read it on Facebook."))
    texts = world(policy).run(6).table("texts")["content"].to_pylist()
    assert texts
    assert not any("Facebook" in content for content in texts)
    assert policy.tally.texts == 0


def test_control_characters_do_not_get_through():
    policy = core_policy(ScriptedThinker(says="a\x1b[31mb\u202ec\nd" + "x" * 400))
    texts = world(policy).run(6).table("texts")["content"].to_pylist()
    wrote = [content for content in texts if "xxx" in content]
    assert wrote
    assert all(content.isprintable() and len(content) <= 292 for content in wrote)


def test_items_tell_what_the_rule_reads():
    """Probes and runs speak of the same features."""
    policy = core_policy(ScriptedThinker())
    seen = []

    class Watching(LlmPolicy):
        def act(self, tick, agents, feeds, state):
            expected = rule_features(tick, agents, feeds, state)[:, 1:]
            for row, agent in enumerate(agents.tolist()):
                items = tuple(shown(tick, feeds.rows(np.array([row])), state))
                persona = Persona.of(state.agents, agent)
                subject = Subject(
                    persona, dict(zip(CODES, state.beliefs[agent].tolist(), strict=True)), (), items
                )
                if items:
                    part = slice(feeds.start[row], feeds.start[row + 1])
                    seen.append((features(subject), expected[part]))
            return super().act(tick, agents, feeds, state)

    watching = Watching(
        policy._thinker, RulePolicy(), Lexicon(CODES), settings=LlmSettings(base=EAGER)
    )
    world(watching).run(6)
    ours, rule = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    hidden = [5, 7]  # falsehood, and what was pre-bunked
    assert len(ours) > 50
    assert np.delete(ours, hidden, 1) == pytest.approx(np.delete(rule, hidden, 1), abs=0.011)


def sizes(run):
    root = run.table("posts")["root"].to_numpy()
    return np.sort(np.unique(root, return_counts=True)[1])


def test_a_world_of_core_agents_spreads_as_one_of_calibrated_rules():
    """Acceptance item 7 in small: two samples of cascade sizes, Kolmogorov-Smirnov <= 0.15."""
    thinker = ScriptedThinker(agree=1.2, shares=0.6, trust=0.5)
    policy = core_policy(thinker, base=BASE_LOG_ODDS)
    base = Simulation(world=WORLD, n_agents=200, seed=9)
    state = base.fresh()
    people = [Persona.of(state.agents, row) for row in range(50)]
    probed = subjects(people, items=20, claims=CODES, rng=np.random.default_rng(3))
    rule = calibrate(ask(policy, probed), core=thinker.identity, seed=0)
    everyone = Core(core_policy(thinker, base=BASE_LOG_ODDS), np.arange(200, dtype=np.uint32))
    calibrated = RulePolicy(coefficients=rule.coefficients())
    by_model = Simulation(world=WORLD, n_agents=200, seed=9, core=everyone).run(24)
    by_rule = Simulation(world=WORLD, n_agents=200, seed=9, policy=calibrated).run(24)
    ours, theirs = sizes(by_model), sizes(by_rule)
    grid = np.arange(1, max(ours[-1], theirs[-1]) + 1)
    gaps = np.searchsorted(ours, grid, side="right") / len(ours) - np.searchsorted(
        theirs, grid, side="right"
    ) / len(theirs)
    assert ours[-1] > 3
    assert np.abs(gaps).max() <= 0.15


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"temperature": 0.0}, "temperature must be over 0"),
        ({"base": (0.0,)}, "base needs 5 log-odds, got 1"),
        ({"items": 0}, "at least 1"),
        ({"most_fallbacks": 1.5}, "shares from 0 to 1"),
    ],
)
def test_settings_out_of_range_are_refused(given, complaint):
    with pytest.raises(UsageError, match=complaint):
        LlmSettings(**given)


def test_the_embedded_model_decides_and_is_told_again(tmp_path):
    from burnish.methods.socialsim.thinking import LocalThinker

    try:
        thinker = LocalThinker("gguf:smollm2-135m-instruct")
    except AssetError as missing:
        pytest.skip(str(missing))
    path = tmp_path / "calls.jsonl"
    agents = Simulation(world=WORLD, n_agents=20, seed=1).fresh().agents
    rng = np.random.default_rng(0)
    (subject,) = subjects([Persona.of(agents, 3)], items=3, claims=CODES, rng=rng)
    found = core_policy(thinker, Book(path)).probabilities(subject)
    assert found.sum(axis=1) == pytest.approx(1)
    assert len(np.unique(found.round(6), axis=0)) == 3
    assert core_policy(None, Book(path)).probabilities(subject).tolist() == found.tolist()
