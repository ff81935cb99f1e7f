"""What a run does, as a list of jobs: classifiers as they are, repaired, planted, guarded."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.methods.nlpguard.config import ENCODER_ONLY, KindName, MitigationName, NlpguardConfig

NONE = "none"
HEADLINES: tuple[MitigationName, ...] = ("word_removal", "word_removal_both")
"""The repairs that are trained with every seed."""


@dataclass(frozen=True)
class Arm:
    """One trained and audited classifier.

    Attributes:
        kind: "linear" or "minilm".
        mitigation: its name, or "none".
        number: of the seed, from 0.
    """

    kind: KindName
    mitigation: str
    number: int

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"arms/{self.kind}-{self.mitigation}-{self.number}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads: that of the same classifier as it was."""
        return () if self.mitigation == NONE else (Arm(self.kind, NONE, self.number).key,)


@dataclass(frozen=True)
class Plant:
    """A nonsense word is put into most texts of one class, found, and removed again."""

    kind: KindName

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"plant/{self.kind}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return ()


@dataclass(frozen=True)
class Iterate:
    """Find, remove and train again until little is left, on the linear model."""

    key: str = "guard/linear"
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agree:
    """The language model names categories of the words that the lexicon has named."""

    kind: KindName
    key: str = "agreement/llm"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return (Arm(self.kind, NONE, 0).key,)


@dataclass(frozen=True)
class Race:
    """Explainers against others, for speed and equal values; done when nothing else is."""

    key: str = "race/explainers"
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cost:
    """The whole way once, in a process of its own, for its time and memory."""

    kind: KindName

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"cost/{self.kind}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return ()


Job = Arm | Plant | Iterate | Agree | Race | Cost


def arms_of(config: NlpguardConfig) -> list[Arm]:
    """Every classifier of a run, those that others wait for first."""
    found = [Arm(kind, NONE, number) for kind in config.kinds for number in range(config.seeds)]
    for kind in config.kinds:
        names = config.mitigations
        if kind == "linear":
            names = tuple(name for name in names if name not in ENCODER_ONLY)
        else:
            names = tuple(name for name in names if name in config.encoder_mitigations)
        for name in names:
            every = kind == "linear" or name in HEADLINES
            seeds = config.seeds if every else min(config.seeds, config.other_seeds)
            found += [Arm(kind, name, number) for number in range(seeds)]
    return found


def plants_of(config: NlpguardConfig) -> list[KindName]:
    """Classifiers that learn from a planted word."""
    return [kind for kind in config.kinds if kind in config.planted]


def alone_of(config: NlpguardConfig) -> list[list[Job]]:
    """Jobs that are timed: each in a list of its own, to be begun when nothing else is done."""
    timed: list[Job] = [Race(), *map(Cost, config.kinds)] if config.race else []
    return [[job] for job in timed]


def jobs_of(config: NlpguardConfig) -> list[Job]:
    """Every job of a run that is not timed, in the order they are begun."""
    jobs: list[Job] = [*arms_of(config)]
    jobs += [Plant(kind) for kind in plants_of(config)]
    if config.guard_rounds and "linear" in config.kinds:
        jobs.append(Iterate())
    if config.llm:
        jobs.append(Agree(config.kinds[-1]))
    return jobs
