"""What a core agent reads: codes and numbers, and assets look like anyone."""

from __future__ import annotations

import pytest

from burnish.methods.socialsim.personas import RED
from burnish.methods.socialsim.prompting import LABELS, Item, opening, question, task
from burnish.methods.socialsim.schema import ActionKind, Label, Role


def test_a_question_tells_what_the_rule_reads():
    item = Item(
        author_role=Role.OUTLET,
        credibility=0.75,
        claim="C2",
        stance=-0.4,
        age=5,
        shares=3,
        seen=2,
        labels=int(Label.WARNING | Label.NOTE),
        text="so it is said",
    )
    assert question(item) == (
        "Post by a news outlet (credibility 0.8), 5 h old: claim C2, stance -0.4. "
        "Reposted by 3 you follow. Seen 2 times before. "
        "It carries a warning and a readers' note. It says: so it is said"
    )
    assert item.keys == ("C2", "topic 0")
    assert item.marked


def test_what_is_not_there_is_not_told():
    item = Item(topic=3, labels=int(Label.EXPIRED | Label.DELAYED))
    assert question(item).endswith("topic 3, stance +0.0.")
    assert item.keys == ("topic 3",)
    assert not item.marked


@pytest.mark.parametrize("role", sorted(RED))
def test_coordinated_accounts_look_like_anyone(role):
    assert question(Item(author_role=role)) == question(Item(author_role=Role.BENIGN))


@pytest.mark.parametrize("kind", [ActionKind.QUOTE, ActionKind.REPLY])
def test_an_answer_is_asked_for_with_a_side(kind):
    asked = task(kind, Item(claim="C1"), -0.5)
    assert asked.startswith(question(Item(claim="C1")))
    assert "You take the stance -0.5 on C1" in asked
    assert "on topic 4" in task(kind, Item(topic=4), 0.0)


def test_a_new_post_is_asked_for_freely():
    assert task(ActionKind.POST).startswith("Write your next post")


def test_an_opening_ends_with_the_actions_in_their_order(persona):
    lines = opening(persona, {"C0": 0.1}, ["hour 3: you saw C0"]).splitlines()
    assert "hour 3: you saw C0" in lines
    assert [line[0] for line in lines[-6:]] == list(LABELS)
    assert [line.split()[1] for line in lines[-6:]] == [
        *("ignore", "like", "repost", "quote", "reply", "report")
    ]


@pytest.fixture
def persona():
    from burnish.methods.socialsim.personas import Persona
    from burnish.methods.socialsim.population import populate
    from burnish.methods.socialsim.world import PopulationSettings

    return Persona.of(populate(PopulationSettings(), 3, 0, seed=1), 1)
