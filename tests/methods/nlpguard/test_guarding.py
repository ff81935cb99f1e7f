"""The guard goes on while words are found and accuracy holds, and says why it stopped."""

from __future__ import annotations

import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.guarding import Reliance, guard, joined
from burnish.methods.nlpguard.moderating import MitigationError

DATA = ("he", "king", "old", "x")


def told(*rounds):
    """Share, accuracy and words found of each round; the model is the words it was not shown."""
    answers = iter(rounds)

    def measure(model):
        share, accuracy, words = next(answers)
        return Reliance(share, accuracy, Protected(dict.fromkeys(words, "sex")))

    return measure


def run(*rounds, most_share=0.05, most_loss=0.02, most_rounds=5):
    return guard(
        DATA,
        train=lambda data: f"model of {'/'.join(data)}",
        measure=told(*rounds),
        mitigate=lambda data, words: tuple(word for word in data if word not in words),
        most_share=most_share,
        most_loss=most_loss,
        most_rounds=most_rounds,
    )


def test_it_stops_when_the_share_is_reached():
    done = run((0.2, 0.7, ["he"]), (0.1, 0.7, ["king"]), (0.05, 0.69, ["old"]))
    assert (done.end, done.chosen, len(done.rounds)) == ("reached", 2, 3)
    assert [each.mitigated.words for each in done.rounds] == [(), ("he",), ("he", "king")]
    assert done.best.data == ("old", "x")  # from the data that were given, every time
    assert done.best.model == "model of old/x"


def test_the_protected_words_accumulate_over_the_rounds():
    # the second list no longer names what the first one did, yet it stays out
    done = run((0.3, 0.7, ["he"]), (0.2, 0.7, ["king"]), (0.1, 0.7, ["old"]), (0.0, 0.7, []))
    grown = [set(each.mitigated) for each in done.rounds]
    assert grown == [set(), {"he"}, {"he", "king"}, {"he", "king", "old"}]
    assert done.best.data == ("x",)


def test_a_clean_model_is_left_alone():
    done = run((0.05, 0.7, ["he"]))
    assert (done.end, done.chosen, done.best.data) == ("reached", 0, DATA)


def test_it_goes_back_when_accuracy_falls():
    done = run((0.2, 0.7, ["he"]), (0.1, 0.69, ["king"]), (0.0, 0.67, []))
    assert (done.end, done.chosen) == ("accuracy", 1)


def test_the_least_share_is_chosen_not_the_last():
    done = run((0.2, 0.7, ["he"]), (0.1, 0.7, ["king"]), (0.15, 0.7, ["old"]), most_rounds=2)
    assert (done.end, done.chosen, len(done.rounds)) == ("rounds", 1, 3)


def test_it_stops_when_nothing_new_is_found():
    done = run((0.2, 0.7, ["he"]), (0.1, 0.7, ["he"]))
    assert (done.end, done.chosen) == ("nothing new", 1)


def test_it_keeps_what_it_has_when_a_mitigation_would_lose_too_much():
    def mitigate(data, words):
        if "king" in words:
            raise MitigationError("too much")
        return tuple(word for word in data if word not in words)

    done = guard(
        DATA,
        train=len,
        measure=told((0.2, 0.7, ["he"]), (0.1, 0.7, ["king"])),
        mitigate=mitigate,
        most_share=0.0,
        most_loss=0.02,
    )
    assert (done.end, done.chosen, done.best.model) == ("loss", 1, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"most_share": 5}, "most_share is a share from 0 to 1, got 5"),
        ({"most_loss": -0.1}, r"most_loss is a share from 0 to 1, got -0\.1"),
        ({"most_rounds": 0}, "most_rounds is at least 1, got 0"),
    ],
)
def test_wrong_limits_are_refused(wrong, message):
    with pytest.raises(UsageError, match=message):
        run(**wrong)


@pytest.mark.parametrize("wrong", [float("nan"), 1.2, -0.1])
def test_a_reliance_that_is_no_share_is_refused(wrong):
    with pytest.raises(UsageError, match="accuracy is from 0 to 1"):
        Reliance(0.1, wrong, Protected({}))
    with pytest.raises(UsageError, match="share is from 0 to 1"):
        Reliance(wrong, 0.1, Protected({}))


def test_joined_keeps_corrections_and_the_first_category():
    first = Protected({"old": "age"}).override("may", "none", "a month")
    second = Protected({"old": "sex", "king": "sex"}, undecided=["pole"])
    both = joined(first, second)
    assert dict(both) == {"king": "sex", "old": "age"}
    assert both.undecided == ("pole",)
    assert both.overrides == first.overrides
