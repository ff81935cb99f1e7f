"""Cards say what the numbers say, and nothing of what an account hides."""

from __future__ import annotations

import pytest

from burnish.methods.socialsim.personas import Persona, card
from burnish.methods.socialsim.population import populate
from burnish.methods.socialsim.schema import Role
from burnish.methods.socialsim.world import PopulationSettings

ONE = {
    "agent": 7,
    "role": Role.BENIGN,
    "age": 0,
    "education": 2,
    "region": 3,
    "big_five": (50, 0, -40, 0, 0),
    "ideology": -0.25,
    "susceptibility": 0.9,
    "literacy": 0.1,
    "trust": 0.5,
}


def test_a_card_has_traits_and_beliefs():
    text = card(Persona(**ONE), {"C3": 0.5, "C1": -1.0})
    assert "account 7" in text
    assert "Age under 18, a degree, region 3" in text
    assert "You are curious and reserved." in text
    assert "leaning is -0.25" in text
    assert "seldom check facts, trust some accounts and are easy to persuade" in text
    assert "C3 +0.50, C1 -1.00" in text


def test_weak_traits_get_no_word_and_no_claims_no_line():
    text = card(Persona(**ONE | {"big_five": (10, -10, 0, 29, -29)}), {})
    assert "even-tempered" in text
    assert "claim" not in text


def test_a_faded_pre_bunking_is_not_told():
    told = [card(Persona(**ONE | {"inoculation": v}), {"C1": 0.0}) for v in (0.1, 0.8)]
    assert ["mislead" in text for text in told] == [False, True]


@pytest.mark.parametrize("role", list(Role))
def test_a_persona_is_a_row_of_the_accounts(role):
    agents = populate(PopulationSettings(), 20, 0, seed=3)
    agents.role[4] = role
    persona = Persona.of(agents, 4)
    assert persona.role is role
    assert persona.trust == agents.trust[4]
    assert persona.big_five == tuple(agents.big_five[4])
    assert card(persona, {"C1": 0.1}) == card(Persona.of(agents, 4), {"C1": 0.1})
