"""The tables of a run: Arrow schemas, the codes in their columns, and the mark they all carry.

Every table says in its metadata that what it holds is synthetic. Missing ids are `NONE`.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import pyarrow as pa

NONE = 0xFFFFFFFF  # no post, no agent: one past every id that may be given
NO_CLAIM = -1
NO_TEXT = -1
BIG_FIVE = ("openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism")
AGE_BANDS = 6  # of an account, 0 the youngest
EDUCATION_LEVELS = 4  # 0 the least schooling
WATERMARK = {b"watermark": b"synthetic"}


class Role(IntEnum):
    """What an account is in the fictional world."""

    BENIGN = 0
    VULNERABLE = 1
    TROLL = 2
    BOT = 3
    OPERATOR = 4
    OUTLET = 5
    FACT_CHECKER = 6


class Flag(IntFlag):
    """Marks of an account."""

    SUSPENDED = 1
    LIMITED = 2
    VERIFIED = 4
    CORE = 8


class PostKind(IntEnum):
    """How a post came to be."""

    POST = 0
    REPLY = 1
    QUOTE = 2
    REPOST = 3


class ActionKind(IntEnum):
    """What an agent does; within a tick actions are applied in this order, then by agent."""

    NONE = 0
    LIKE = 1
    REPOST = 2
    QUOTE = 3
    REPLY = 4
    REPORT = 5
    FOLLOW = 6
    UNFOLLOW = 7
    POST = 8


class Source(IntEnum):
    """Where a shown post came from: a followee, or the pool of trending posts."""

    IN_NETWORK = 0
    OUT_OF_NETWORK = 1


class Veracity(IntEnum):
    """Hidden truth of a post; `NEITHER` for what claims nothing."""

    NEITHER = 0
    TRUE = 1
    FALSE = 2


class Label(IntFlag):
    """What a reader sees attached to a post."""

    WARNING = 1
    NOTE = 2
    DEBUNK = 4
    EXPIRED = 8
    DELAYED = 16


class PolicyId(IntEnum):
    """Who decided on an action."""

    RULE = 0
    LLM = 1
    LLM_FALLBACK = 2
    SCENARIO = 3
    RED = 4
    BLUE = 5
    AUTOMATON = 6


class Measure(IntEnum):
    """A countermeasure as it meets one post or one account."""

    PREBUNK = 0
    LITERACY = 1
    DEBUNK = 2
    LABEL = 3
    NOTE = 4
    DOWNRANK = 5
    RATE_LIMIT = 6
    DELAY = 7
    EXPIRE = 8
    SUSPEND = 9
    DUPLICATE_LIMIT = 10
    STRIKE = 11


class Side(IntEnum):
    """Whose plan an event belongs to."""

    SCENARIO = 0
    RED = 1
    BLUE = 2


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(*column, nullable=False) for column in columns], WATERMARK)


AGENTS = _schema(
    ("agent", pa.uint32()),
    ("role", pa.uint8()),
    ("community", pa.uint16()),
    ("age", pa.uint8()),  # band, below AGE_BANDS
    ("education", pa.uint8()),  # below EDUCATION_LEVELS
    ("region", pa.uint8()),
    *((trait, pa.int8()) for trait in BIG_FIVE),  # -100 to 100
    ("ideology", pa.float32()),  # -1 to 1
    ("susceptibility", pa.float32()),  # 0 to 1, as the next two
    ("literacy", pa.float32()),
    ("trust", pa.float32()),
    ("activity", pa.float32()),  # probability per tick
    ("circadian", pa.uint8()),
    ("attention", pa.uint8()),  # posts read per session
    ("inoculation", pa.float32()),
    ("strikes", pa.uint8()),
    ("flags", pa.uint8()),  # Flag
    ("created", pa.int32()),  # hours before the start, negative
)
EDGES = _schema(
    ("follower", pa.uint32()),
    ("followee", pa.uint32()),
    ("birth", pa.uint16()),  # tick
)
POSTS = _schema(
    ("post", pa.uint32()),
    ("author", pa.uint32()),
    ("tick", pa.uint16()),
    ("kind", pa.uint8()),  # PostKind
    ("parent", pa.uint32()),  # the exact post that was seen, NONE for a POST
    ("root", pa.uint32()),  # itself for a POST
    ("depth", pa.uint16()),
    ("claim", pa.int16()),  # NO_CLAIM or index
    ("stance", pa.float32()),  # -1 to 1
    ("veracity", pa.uint8()),  # Veracity
    ("topic", pa.uint8()),
    ("text", pa.int32()),  # NO_TEXT or row of `texts`
    ("labels", pa.uint8()),  # Label
    ("visibility", pa.float32()),  # factor of its score
    ("likes", pa.uint32()),
    ("shares", pa.uint32()),  # direct reposts and quotes
    ("replies", pa.uint32()),
)
EXPOSURES = _schema(
    ("agent", pa.uint32()),
    ("post", pa.uint32()),
    ("tick", pa.uint16()),
    ("rank", pa.uint8()),  # 0 is the top
    ("source", pa.uint8()),  # Source
    ("via", pa.uint32()),  # the followee who brought it, NONE from the pool
)
ACTIONS = _schema(
    ("agent", pa.uint32()),
    ("tick", pa.uint16()),
    ("kind", pa.uint8()),  # ActionKind
    ("post", pa.uint32()),  # acted on; for POST the one made
    ("target", pa.uint32()),  # author of that post, or who is followed
    ("probability", pa.float32()),  # that was used to draw it
    ("policy", pa.uint8()),  # PolicyId
    ("text", pa.int32()),
)
BELIEFS = _schema(
    ("tick", pa.uint16()),
    ("claim", pa.int16()),
    ("agent", pa.uint32()),
    ("belief", pa.float32()),  # -1 to 1
)
MODERATION = _schema(
    ("tick", pa.uint16()),
    ("measure", pa.uint8()),  # Measure
    ("post", pa.uint32()),
    ("agent", pa.uint32()),
    ("value", pa.float32()),
)
EVENTS = _schema(
    ("tick", pa.uint16()),
    ("side", pa.uint8()),  # Side
    ("name", pa.string()),
    ("count", pa.uint32()),  # posts, accounts or edges touched
)
TEXTS = _schema(
    ("text", pa.uint32()),
    ("tick", pa.uint16()),
    ("agent", pa.uint32()),
    ("content", pa.string()),
)
LLM_CALLS = _schema(
    ("tick", pa.uint16()),
    ("agent", pa.uint32()),
    ("prompt_hash", pa.string()),
    ("model_hash", pa.string()),
    ("parameters", pa.string()),  # JSON
    ("text", pa.string()),
    ("prompt_tokens", pa.uint32()),
    ("completion_tokens", pa.uint32()),
    ("latency_ms", pa.float32()),
)

TABLES: dict[str, pa.Schema] = {
    "agents": AGENTS,
    "edges": EDGES,
    "posts": POSTS,
    "exposures": EXPOSURES,
    "actions": ACTIONS,
    "beliefs": BELIEFS,
    "moderation": MODERATION,
    "events": EVENTS,
    "texts": TEXTS,
    "llm_calls": LLM_CALLS,
}
