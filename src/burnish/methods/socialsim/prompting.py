"""What a core agent is asked: an opening that a session shares, and one question for each post.

The opening holds the persona's card, its memory and the actions; a question holds one post. Posts
are asked about one at a time, as one scrolls, so that a probe of the calibration is the same
question as a decision in a run, and so that the opening is read once a session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from burnish.methods.socialsim.personas import Persona, card
from burnish.methods.socialsim.schema import ActionKind, Label, Role

LABELS = ("A", "B", "C", "D", "E", "F")
"""Of none, like, repost, quote, reply, report: `ActionKind` 0 to 5."""
UNREADABLE = "A post in your feed did not load."
"""The question without content, whose weighing is what labels weigh by themselves."""

_WORDS = ("ignore it", "like it", "repost it", "quote it", "reply to it", "report it")
_AUTHORS = {Role.OUTLET: "a news outlet", Role.FACT_CHECKER: "a fact checker"}
_MARKS = (
    (Label.WARNING, "a warning"),
    (Label.NOTE, "a readers' note"),
    (Label.DEBUNK, "a fact check"),
)
_TASKS = {
    ActionKind.QUOTE: "Write one sentence to go with it",
    ActionKind.REPLY: "Write one sentence in reply to it",
}
_PLAINLY = "One plain sentence, no names, no links."


@dataclass(frozen=True, kw_only=True)
class Item:
    """A post as a reader is shown it.

    Attributes:
        author_role: `Role`; assets look like anyone else.
        credibility: of its author, 0 to 1.
        claim: code, or "" for none.
        stance: -1 to 1.
        topic: index.
        age: ticks since it was made.
        shares: followees of the reader who brought it.
        seen: earlier showings to the reader.
        labels: `Label` bits.
        text: what a core agent wrote, or "".
    """

    author_role: Role = Role.BENIGN
    credibility: float = 0.5
    claim: str = ""
    stance: float = 0.0
    topic: int = 0
    age: int = 0
    shares: int = 0
    seen: int = 0
    labels: int = 0
    text: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """What it is about, as memory looks it up."""
        about = (self.claim,) if self.claim else ()
        return (*about, f"topic {self.topic}")

    @property
    def marked(self) -> bool:
        """Whether a reader sees a label on it."""
        return any(self.labels & mark for mark, _ in _MARKS)


def opening(persona: Persona, beliefs: Mapping[str, float], remembered: Sequence[str] = ()) -> str:
    """The system's words of a session: card, memory, actions.

    Args:
        persona: whose session it is.
        beliefs: in each tracked claim by its code, -1 to 1.
        remembered: lines of `MemoryStream.recall`.
    """
    told = ["You remember:", *remembered] if remembered else []
    actions = [f"{label} {words}" for label, words in zip(LABELS, _WORDS, strict=True)]
    asked = ["You are shown one post. Answer with the letter of what you do:", *actions]
    return "\n".join([card(persona, beliefs), *told, *asked])


def question(item: Item) -> str:
    """One post, in one line and without a word that could move anyone: codes and numbers."""
    about = f"claim {item.claim}" if item.claim else f"topic {item.topic}"
    author = _AUTHORS.get(item.author_role, "an account")
    marks = [words for mark, words in _MARKS if item.labels & mark]
    parts = (
        f"Post by {author} (credibility {item.credibility:.1f}), {item.age} h old: "
        f"{about}, stance {item.stance:+.1f}.",
        f"Reposted by {item.shares} you follow." if item.shares else "",
        f"Seen {item.seen} times before." if item.seen else "",
        f"It carries {' and '.join(marks)}." if marks else "",
        f"It says: {item.text}" if item.text else "",
    )
    return " ".join(part for part in parts if part)


def task(kind: ActionKind, item: Item | None = None, own_stance: float = 0.0) -> str:
    """What to ask for a text: the post that is answered, and the side the persona takes.

    Args:
        kind: POST, QUOTE or REPLY.
        item: the post that is answered; None for a POST.
        own_stance: the persona's on what the item is about, -1 to 1.
    """
    if item is None:
        return f"Write your next post, about what matters to you. {_PLAINLY}"
    return (
        f"{question(item)} {_TASKS[kind]}. You take the stance {own_stance:+.1f} on "
        f"{item.keys[0]}. {_PLAINLY}"
    )
