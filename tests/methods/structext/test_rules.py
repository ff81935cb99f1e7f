import pytest

from burnish.errors import UsageError
from burnish.methods.structext.rules import LANGUAGES, RULES, TASKS, rules_of


def test_the_catalogue_has_29_rules_of_eight_languages():
    assert len(RULES) == 29
    counts = {language: len(rules_of(language)) for language in LANGUAGES}
    assert counts == {
        "tree": 3, "csv": 4, "json": 5, "yaml": 5, "xml": 3, "markdown": 3, "latex": 3, "org": 3,
    }  # fmt: skip
    assert {rule.task for rule in RULES.values()} == set(TASKS)
    assert all(rule.hint for rule in RULES.values())


@pytest.mark.parametrize("profile", ["official", "corrected"])
@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_question_reads_back_into_its_variables(rule, profile):
    template = rule.template(profile)
    names = [part.split("}")[0] for part in template.split("{")[1:]]
    question = rule.ask(profile) % tuple(f"value{index}" for index in range(len(names)))
    asked = rule.read(question + " ")
    assert list(asked.variables.items()) == [
        (name, f"value{index}") for index, name in enumerate(names)
    ]
    assert asked.profile in (profile, None)


def test_another_rules_question_is_refused():
    with pytest.raises(UsageError, match=r"rule tree\.2 asks .* but the question is 'How many"):
        RULES["tree.2"].read("How many people are male?")
