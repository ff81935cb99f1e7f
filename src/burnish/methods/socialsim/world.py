"""What the engine is told about a world: frozen settings, one class for each part.

Scenario files are turned into these; the engine reads nothing else. All ticks are whole numbers
from 0, one tick is a simulated hour, and every default is a suggestion of ours: the position paper
(arXiv 2310.07545) gives no values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from burnish.errors import ConfigError, nearest
from burnish.methods.socialsim.schema import AGE_BANDS, BIG_FIVE, EDUCATION_LEVELS


def share(name: str, value: float) -> None:
    """Refuse what is no probability or share; NaN included."""
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is a share from 0 to 1, got {value}")


def at_least(name: str, value: float, least: float) -> None:
    """Refuse what is below `least`; NaN included."""
    if not value >= least:
        raise ConfigError(f"{name} is at least {least}, got {value}")


def _known(name: str, numbers: tuple[int, ...], count: int) -> None:
    """Refuse the first number that nothing has."""
    for number in numbers:
        if not 0 <= number < count:
            raise ConfigError(f"{name} are numbers from 0 to {count - 1}, got {number}")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the fictional world that is tracked.

    Attributes:
        code: such as "C1"; the only thing operator posts say.
        true: whether it is, in that world.
        topic: of posts about it.
        prior: mean belief before the start, -1 to 1.
        spread: standard deviation of that belief, >= 0.
        partisan: what one unit of ideology adds to it.
    """

    code: str
    true: bool = False
    topic: int = 0
    prior: float = -0.2
    spread: float = 0.3
    partisan: float = 0.3

    def __post_init__(self) -> None:
        if not -1 <= self.prior <= 1:
            raise ConfigError(f"prior of {self.code} is a belief from -1 to 1, got {self.prior}")
        at_least(f"spread of {self.code}", self.spread, 0)
        if not math.isfinite(self.spread + self.partisan):
            raise ConfigError(
                f"spread and partisan of {self.code} are finite, got {self.spread} and "
                f"{self.partisan}"
            )


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something happens: outlets post about it, and everyone posts more about its topic.

    Attributes:
        tick: of the outlets' posts.
        topic: 0 to `topics` - 1.
        salience: factor of everyone's rate of new posts while it lasts, >= 0.
        duration: ticks.
        posts: by outlets, each by another one while they last.
        claim: index of the claim the posts are about, or None.
        stance: of these posts, -1 to 1.
    """

    tick: int
    topic: int = 0
    salience: float = 1.0
    duration: int = 6
    posts: int = 1
    claim: int | None = None
    stance: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PopulationSettings:
    """Who lives in the world; shares are of all accounts, benign ones are the rest."""

    vulnerable: float = 0.15
    trolls: float = 0.002
    bots: float = 0.01
    operators: float = 0.0002
    outlets: float = 0.0005
    fact_checkers: float = 0.0002
    communities: int = 8  # quantiles of ideology
    regions: int = 6
    activity_shape: float = 1.5  # Pareto of the second kind, which begins at 0
    activity_scale: float = 0.03
    activity_range: tuple[float, float] = (0.01, 1.0)
    attention: int = 10  # posts read per session, F
    signatures: bool = True  # whether assets' dates and hours set them apart from other accounts

    def __post_init__(self) -> None:
        shares = {
            name: getattr(self, name)
            for name in ("vulnerable", "trolls", "bots", "operators", "outlets", "fact_checkers")
        }
        for name, value in shares.items():
            share(name, value)
        share("the sum of all roles", sum(shares.values()))
        at_least("communities", self.communities, 1)
        at_least("regions", self.regions, 1)
        if not 1 <= self.attention <= 64:
            raise ConfigError(f"attention is 1 to 64 posts a session, got {self.attention}")
        low, high = self.activity_range
        if not 0 < low <= high <= 1:
            raise ConfigError(f"activity_range is two probabilities in order, got {low}, {high}")


class NetworkKind(Enum):
    """How the graph comes to be."""

    BLOCK = "block"  # stochastic block model with preferential attachment, the default
    ERDOS_RENYI = "er"
    WATTS_STROGATZ = "ws"
    BARABASI_ALBERT = "ba"
    LFR = "lfr"
    EDGES = "edges"  # the user's own list


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Who follows whom.

    Attributes:
        kind: of generator.
        mean_degree: followees per account.
        degree_sigma: of the lognormal out-degrees.
        degree_cap: most followees.
        homophily: share of followees in the own community.
        closure: share of edges redirected to a followee of another followee.
        reciprocity: share of edges that are returned.
        attractiveness: Pareto shape; smaller is more unequal.
        rewiring: of Watts-Strogatz.
        edges_path: a CSV or Parquet file with columns follower and followee, for EDGES.
    """

    kind: NetworkKind = NetworkKind.BLOCK
    mean_degree: float = 20.0
    degree_sigma: float = 1.0
    degree_cap: int = 2000
    homophily: float = 0.7
    closure: float = 0.1
    reciprocity: float = 0.2
    attractiveness: float = 1.3
    rewiring: float = 0.1
    edges_path: str | None = None

    def __post_init__(self) -> None:
        for name in ("homophily", "closure", "reciprocity", "rewiring"):
            share(name, getattr(self, name))
        at_least("mean_degree", self.mean_degree, 1)
        at_least("degree_cap", self.degree_cap, 1)
        at_least("degree_sigma", self.degree_sigma, 0)
        if not self.attractiveness > 1:
            raise ConfigError(f"attractiveness is above 1, got {self.attractiveness}")
        if (self.kind is NetworkKind.EDGES) != (self.edges_path is not None):
            raise ConfigError("edges_path goes with kind 'edges', and only with that")


class RankerKind(Enum):
    """How candidates are ordered."""

    RANDOM = "random"
    CHRONO = "chrono"
    POPULARITY = "popularity"
    FOLLOWERS_MIX = "followers_mix"
    HOT = "hot"
    SIMILARITY_RECENCY = "similarity_recency"
    BRIDGING = "bridging"
    ENGAGEMENT = "engagement"


@dataclass(frozen=True, kw_only=True)
class FeedSettings:
    """What an active account is shown.

    Attributes:
        ranker: orders the candidates.
        k_in: candidates from followees.
        k_out: candidates from the pool of trending posts.
        window: ticks after which a post is no candidate any more.
        pool: size of the trending pool.
        in_share: share of the feed kept for followees by `followers_mix`.
        noise: standard deviation, in logits, that mis-specifies `engagement`.
        sampling: share of exposures logged; those to tracked claims always are.
    """

    ranker: RankerKind = RankerKind.ENGAGEMENT
    k_in: int = 16
    k_out: int = 2
    window: int = 36
    pool: int = 200
    in_share: float = 0.6
    noise: float = 0.0
    sampling: float = 0.02

    def __post_init__(self) -> None:
        for name in ("in_share", "sampling"):
            share(name, getattr(self, name))
        for name in ("k_in", "k_out"):
            if not 0 <= getattr(self, name) <= 64:
                raise ConfigError(f"{name} is 0 to 64 candidates, got {getattr(self, name)}")
        at_least("window", self.window, 1)
        at_least("pool", self.pool, 1)
        at_least("noise", self.noise, 0)


class BeliefForm(Enum):
    """How exposures move beliefs."""

    HEGSELMANN_KRAUSE = "hk"
    DEFFUANT = "deffuant"


@dataclass(frozen=True, kw_only=True)
class BeliefSettings:
    """How exposures move beliefs: mu, epsilon, kappa and lambda of the update."""

    form: BeliefForm = BeliefForm.HEGSELMANN_KRAUSE
    step: float = 0.02
    confidence: float = 0.8
    repulsion: float = 0.0
    anchoring: float = 1.0  # lambda: 1 forgets where a belief began
    label_effect: float = 0.5  # what a label takes from a post's weight
    correction: float = 0.5  # share of the step back that a debunk makes; the rest is residue

    def __post_init__(self) -> None:
        for name in ("step", "anchoring", "label_effect", "correction"):
            share(name, getattr(self, name))
        at_least("confidence", self.confidence, 0)
        at_least("repulsion", self.repulsion, 0)


class Primitive(Enum):
    """What a red technique does in the model; none has a text."""

    ADD_BOTS = "add_bots"  # count=: bulk-created automated accounts
    FOLLOW_TRAIN = "follow_train"  # edges=: dense follows among assets
    SELECT_TARGETS = "select_targets"  # readers that assets follow and reply to
    TRIAL = "trial"  # posts=: two variants with few posts
    STANCE_RAMP = "stance_ramp"  # start_stance=, end_stance=: kernel of truth, then distortion
    REPOST_SWARM = "repost_swarm"  # bots repost the campaign in one tick
    REPLY_SWARM = "reply_swarm"  # bursts of replies under one post
    TOPIC_FLOOD = "topic_flood"  # posts=: a topic is filled
    AMPLIFY = "amplify"  # boost of assets' own reposting
    CROSS_GROUP = "cross_group"  # posts enter other communities
    ECHO_CHAMBER = "echo_chamber"  # posts stay in one community
    COORDINATED_ENGAGEMENT = "coordinated_engagement"  # likes that deceive the ranker
    FALSE_REPORTS = "false_reports"  # true posts are reported


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Which accounts a step is about: all that pass every condition.

    Attributes:
        community: index, or None for all.
        roles: `Role` numbers, empty for all that are no assets.
        min_susceptibility: 0 to 1.
        ideology: lowest and highest.
        regions: indices; empty for all, as the next two.
        ages: bands from 0, the youngest.
        education: levels from 0, the least schooling.
        big_five: lowest and highest by trait, -100 to 100; any value where a trait has no entry.
    """

    community: int | None = None
    roles: tuple[int, ...] = ()
    min_susceptibility: float = 0.0
    ideology: tuple[float, float] = (-1.0, 1.0)
    regions: tuple[int, ...] = ()
    ages: tuple[int, ...] = ()
    education: tuple[int, ...] = ()
    big_five: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _known("ages", self.ages, AGE_BANDS)
        _known("education", self.education, EDUCATION_LEVELS)
        for trait, (low, high) in self.big_five.items():
            if trait not in BIG_FIVE:
                raise ConfigError(f"big_five has no trait {trait!r}; {nearest(trait, BIG_FIVE)}")
            if not -100 <= low <= high <= 100:
                raise ConfigError(
                    f"big_five.{trait} is lowest, highest from -100 to 100; got {low}, {high}"
                )


@dataclass(frozen=True, kw_only=True)
class RedStep:
    """One technique of the abstract campaign.

    Attributes:
        technique: its DISARM id, for the record.
        primitive: what it does here.
        start: first tick.
        end: one past the last tick.
        intensity: share of the assets that take part, 0 to 1.
        claim: index of the claim it pushes.
        stance: of its posts, -1 to 1.
        targets: whom it is aimed at.
        parameters: numbers by name, as said beside each primitive.
    """

    technique: str
    primitive: Primitive
    start: int
    end: int
    intensity: float = 0.5
    claim: int = 0
    stance: float = 0.8
    targets: Targets = field(default_factory=Targets)
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        share(f"intensity of {self.technique}", self.intensity)
        if not 0 <= self.start < self.end:
            raise ConfigError(
                f"{self.technique} starts at tick {self.start} and ends at {self.end}; "
                "a step ends after it starts"
            )
        if not -1 <= self.stance <= 1:
            raise ConfigError(f"stance of {self.technique} is -1 to 1, got {self.stance}")


class BlueKind(Enum):
    """A countermeasure."""

    PREBUNK = "prebunk"  # fraction, strength, half_life
    LITERACY = "literacy"  # fraction, strength, half_life
    DEBUNK = "debunk"  # delay
    LABEL = "label"  # delay, strength (logits)
    NOTES = "notes"  # raters, threshold
    DOWNRANK = "downrank"  # delay, factor
    RATE_LIMIT = "rate_limit"  # cap: actions per day
    DELAY = "delay"  # delay: ticks a claim's posts wait
    EXPIRE = "expire"  # delay: ticks after which a claim's posts are not amplified
    SUSPEND = "suspend"  # threshold, strikes
    DUPLICATE_LIMIT = "duplicate_limit"  # cap: assets that may repost one root in a tick


@dataclass(frozen=True, kw_only=True)
class BlueMeasure:
    """One countermeasure of the plan; each kind reads the numbers named beside it above.

    Attributes:
        kind: what is done.
        start: first tick.
        end: one past the last tick, or None for the end of the run.
        claims: indices it is about; empty for all that are false.
        fraction: share of accounts reached.
        strength: what is added to inoculation or literacy, or taken from share logits.
        half_life: ticks after which half of it is gone.
        delay: ticks after a post.
        factor: of visibility.
        threshold: of the detector's score, or of a note's intercept.
        cap: count per account and day, or per root and tick.
        strikes: before suspension.
        raters: share of accounts that rate notes.
    """

    kind: BlueKind
    start: int = 0
    end: int | None = None
    claims: tuple[int, ...] = ()
    fraction: float = 0.5
    strength: float = 0.61
    half_life: float = 168.0
    delay: int = 15
    factor: float = 0.5
    threshold: float = 0.4
    cap: int = 20
    strikes: int = 3
    raters: float = 0.02

    def __post_init__(self) -> None:
        for name in ("fraction", "factor", "raters", "threshold"):
            share(f"{name} of {self.kind.value}", getattr(self, name))
        for name in ("start", "delay", "cap"):
            at_least(f"{name} of {self.kind.value}", getattr(self, name), 0)
        at_least(f"strikes of {self.kind.value}", self.strikes, 1)
        if not self.half_life > 0:
            raise ConfigError(f"half_life is above 0, got {self.half_life}")
        if self.end is not None and self.end <= self.start:
            raise ConfigError(
                f"{self.kind.value} starts at tick {self.start} and ends at {self.end}; "
                "a measure ends after it starts"
            )


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything the engine is told.

    Attributes:
        name: of the fictional world.
        claims: up to 8 that are tracked.
        events: scheduled, in any order.
        red: the campaign; empty for a world without one.
        blue: the countermeasures; empty for none.
        population: who lives there.
        network: who follows whom.
        feed: what is shown.
        beliefs: how it persuades.
        topics: how many there are.
        true_share: share of new posts that tell a true story.
        false_share: share of new posts that tell a false one.
        snapshot: ticks between snapshots of beliefs.
    """

    name: str
    claims: tuple[Claim, ...] = ()
    events: tuple[Event, ...] = ()
    red: tuple[RedStep, ...] = ()
    blue: tuple[BlueMeasure, ...] = ()
    population: PopulationSettings = field(default_factory=PopulationSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    feed: FeedSettings = field(default_factory=FeedSettings)
    beliefs: BeliefSettings = field(default_factory=BeliefSettings)
    topics: int = 8
    true_share: float = 0.35
    false_share: float = 0.15
    snapshot: int = 24

    def __post_init__(self) -> None:
        if len(self.claims) > 8:
            raise ConfigError(f"up to 8 claims are tracked, got {len(self.claims)}; drop some")
        if not 1 <= self.topics <= 255:
            raise ConfigError(f"topics is 1 to 255, got {self.topics}")
        share("true_share + false_share", self.true_share + self.false_share)
        at_least("snapshot", self.snapshot, 1)
        about = [event.claim for event in self.events if event.claim is not None]
        about += [step.claim for step in self.red]
        about += [claim for measure in self.blue for claim in measure.claims]
        for claim in about:
            if not 0 <= claim < len(self.claims):
                raise ConfigError(
                    f"the world has {len(self.claims)} claims, and a plan is about number {claim}"
                )
        for step in self.red:
            _known(f"regions of {step.technique}", step.targets.regions, self.population.regions)
