"""Detectors: a swarm is found, ordinary accounts are not told apart, text gives nothing away."""

from __future__ import annotations

import math

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.detectors import (
    detection,
    features,
    is_asset,
    scores,
    text_scores,
    ticks_to_detection,
)
from burnish.methods.socialsim.schema import NONE, Role

BOT = int(Role.BOT)
AGENTS, BOTS, ROOTS = 2000, 40, 300


@pytest.fixture(scope="module")
def world(by_hand):
    """Posts and accounts in which bots repost `intensity` of their share together."""

    def build(intensity, *, kind=3, bulk=False, seed=0):
        generator = np.random.default_rng(seed)
        acts = []
        for agent in range(AGENTS):
            together = agent < BOTS
            for number in range(int(generator.integers(2, 8))):
                if together and generator.random() < intensity:
                    acts.append((20 + number * 5, number, agent))
                else:
                    acts.append((int(generator.integers(1, 60)), _popular(generator), agent))
        acts.sort()
        roots = np.arange(ROOTS)
        tick, post, agent = (np.array(part) for part in zip(*acts, strict=True))
        posts = by_hand.table(
            by_hand.posts([None]).schema,
            ROOTS + len(acts),
            post=np.arange(ROOTS + len(acts)),
            author=np.concatenate([BOTS + roots, agent]),
            tick=np.concatenate([np.zeros(ROOTS, int), tick]),
            kind=np.repeat([0, kind], [ROOTS, len(acts)]),
            parent=np.concatenate([np.full(ROOTS, NONE), post]),
            root=np.concatenate([roots, post]),
        )
        created = -generator.integers(1, 20_000, AGENTS)
        created[:BOTS] = -100 if bulk else created[:BOTS]
        accounts = by_hand.agents(
            AGENTS, role=np.repeat([BOT, 0], [BOTS, AGENTS - BOTS]), created=created
        )
        return posts, accounts

    return build


def _popular(generator):
    return int(ROOTS * generator.random() ** 2)


def test_a_full_swarm_is_found_without_account_signatures(world):
    for kind in (3, 1):  # reposts and replies
        posts, agents = world(1.0, kind=kind)
        found = features(posts, agents).without("creation")
        result = detection(scores(found, is_asset(agents), seed=0), is_asset(agents))
        assert result.f1 >= 0.8
        assert result.auroc > 0.95


def test_bots_that_do_nothing_together_are_not_told_apart(world):
    results = []
    for seed in range(4):
        posts, agents = world(0.0, seed=seed)
        found = features(posts, agents).without("creation")
        score = scores(found, is_asset(agents), seed=seed)
        results.append(detection(score, is_asset(agents)).auroc)
    assert np.mean(results) == pytest.approx(0.5, abs=0.07)


def test_bulk_creation_gives_bots_away(world):
    posts, agents = world(0.0, bulk=True)
    found = features(posts, agents)
    assert detection(scores(found, is_asset(agents), seed=0), is_asset(agents)).auroc > 0.95


def test_features_by_hand(by_hand):
    # 0 and 1 repost post 0 in tick 3, 2 does so in tick 5; 3 reposts post 1 alone
    posts = by_hand.posts(
        [None, None, 0, 0, 0, 1], author=[4, 4, 0, 1, 2, 3], tick=[0, 0, 3, 3, 5, 5]
    )
    found = features(posts, by_hand.agents(5, created=[-9, -9, -8, -50, -90]))
    columns = dict(zip(found.names, found.values.T, strict=True))
    assert columns["repost_burst"].tolist() == [math.log(2), math.log(2), 0, 0, 0]
    np.testing.assert_allclose(columns["repost_share"], [2 / 3, 2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(columns["repost_similarity"], [0.4, 0.4, 0.4, 0, 0], rtol=1e-6)
    assert columns["reply_burst"].tolist() == [0] * 5
    np.testing.assert_allclose(columns["creation_density"], np.log([3, 3, 3, 1, 1]))


def test_similarity_is_the_mean_cosine_to_the_nearest_accounts(by_hand):
    generator = np.random.default_rng(1)
    pairs = sorted({(int(generator.integers(30)), int(generator.integers(12))) for _ in range(150)})
    parent = [None] * 12 + [root for _, root in pairs]
    posts = by_hand.posts(parent, author=[30] * 12 + [agent for agent, _ in pairs])
    found = features(posts, by_hand.agents(31)).values[:30, 0]
    matrix = np.zeros((30, 12))
    for agent, root in pairs:
        matrix[agent, root] = 1
    matrix *= np.log(31 / matrix.sum(axis=0))
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
    cosine = matrix @ matrix.T
    np.fill_diagonal(cosine, 0)
    np.testing.assert_allclose(found, np.sort(cosine)[:, -5:].mean(axis=1), atol=1e-6)


def test_no_posts_are_no_evidence(by_hand):
    found = features(by_hand.posts([None]).slice(0, 0), by_hand.agents(3, created=[-1, -50, -99]))
    assert found.values.shape == (3, 7)
    assert not found.values.any()


def test_equal_templates_tell_a_text_detector_nothing():
    generator = np.random.default_rng(0)
    texts = [f"[SYNTHETIC] claim C{generator.integers(1, 4)}, stance +0.5" for _ in range(6000)]
    guilty = generator.random(6000) < 0.3
    assert detection(text_scores(texts, guilty, seed=0), guilty).auroc == pytest.approx(
        0.5, abs=0.05
    )


def test_a_giveaway_in_the_text_is_found():
    guilty = np.arange(200) % 4 == 0
    texts = np.where(guilty, "claim C1 now", "claim C1 today").tolist()
    assert detection(text_scores(texts, guilty, seed=0), guilty).auroc == 1


def test_scores_do_not_depend_on_anything_but_the_seed(world):
    posts, agents = world(1.0)
    found = features(posts, agents)
    one, two = (scores(found, is_asset(agents), seed=5) for _ in range(2))
    assert np.array_equal(one, two)


def test_detection_by_hand():
    guilty = np.array([True, True, False, False])
    score = np.array([0.9, 0.4, 0.6, 0.1])
    found = detection(score, guilty, threshold=0.5)
    assert (found.precision, found.recall, found.f1, found.auroc) == (0.5, 0.5, 0.5, 0.75)
    best = detection(score, guilty)
    assert (best.threshold, best.recall) == (0.4, 1)
    none = detection(score, guilty, threshold=2)
    assert math.isnan(none.precision)
    assert none.f1 == 0


def test_ticks_to_detection_count_from_the_start_of_the_campaign():
    score = np.array([[0.9, 0.0, 0.1], [0.2, 0.0, 0.8], [0.9, 0.0, 0.9]])
    found = ticks_to_detection(score, np.array([0, 12, 24]), 10, 0.5)
    assert found[[0, 2]].tolist() == [14, 2]
    assert math.isnan(found[1])
    assert np.isnan(ticks_to_detection(score, np.array([0, 12, 24]), 99, 0.5)).all()


def test_too_few_of_either_kind_are_refused(by_hand):
    found = features(by_hand.posts([None]), by_hand.agents(9))
    with pytest.raises(UsageError, match="at least 5 of either kind, got 9 labels, 1 of them"):
        scores(found, np.arange(9) == 0, seed=0)
