"""What a run does, as a list of jobs: collect updates, fit codecs, federate with each."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.methods.cg_fedllm.config import LEARNED, CgFedllmConfig, Represent

DENSE = "fp32"


@dataclass(frozen=True)
class Collect:
    """A federation whose every update is kept, under an initialisation of its own."""

    init: int

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"collect-{self.init}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return ()


@dataclass(frozen=True)
class Fit:
    """A codec trained on the updates of the first initialisation, and its certificate."""

    codec: str
    represent: Represent

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"fit-{self.codec}-{self.represent}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return (Collect(0).key,)


@dataclass(frozen=True)
class Certify:
    """Certificates of codecs that are not trained, on the same updates, to compare with."""

    represent: Represent

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"certify-{self.represent}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return (Collect(0).key,)


@dataclass(frozen=True)
class Couple:
    """How much of an update PCA keeps, fitted under this initialisation or under the first."""

    init: int

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"couple-{self.init}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return (Collect(0).key, Collect(self.init).key)


@dataclass(frozen=True)
class Arm:
    """A federation.

    Attributes:
        codec: name of what carries the updates.
        seed: which clients are asked, and in what order they read their data.
        represent: what is sent.
        guarded: with error feedback and gain.
        epsilon: privacy budget the noise is made for; 0 for none.
    """

    codec: str
    seed: int
    represent: Represent = "delta"
    guarded: bool = True
    epsilon: float = 0.0

    @property
    def name(self) -> str:
        """Of the arm without its seed, as tables show it."""
        state = "" if self.represent == "delta" else f" on {self.represent}"
        plain = "" if self.guarded else " (plain)"
        private = f" (epsilon {self.epsilon:g})" if self.epsilon else ""
        return f"{self.codec}{state}{plain}{private}"

    @property
    def key(self) -> str:
        """Names the job's result."""
        parts = [self.codec, self.represent, "guarded" if self.guarded else "plain"]
        private = [f"epsilon-{self.epsilon:g}"] if self.epsilon else []
        return "-".join(["federate", *parts, *private, str(self.seed)])

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return (Fit(self.codec, self.represent).key,) if self.codec in LEARNED else ()


Job = Collect | Fit | Certify | Couple | Arm


def jobs_of(config: CgFedllmConfig) -> list[Job]:
    """Every job of a run, in the order they are begun: what others wait for comes first."""
    arms = arms_of(config)
    fits = _fits(config, arms)
    collects = [Collect(init) for init in range(config.inits)] if fits else []
    couples = [Couple(init) for init in range(1, len(collects))]
    certifies = [Certify(represent) for represent in dict.fromkeys(fit.represent for fit in fits)]
    fitted = {fit.key for fit in fits}
    early = [arm for arm in arms if not fitted & set(arm.needs)]
    late = [arm for arm in arms if fitted & set(arm.needs)]
    return [*collects[:1], *fits, *early, *collects[1:], *late, *certifies, *couples]


def arms_of(config: CgFedllmConfig) -> list[Arm]:
    """The federations of a run: float32 first, then every codec, seed by seed."""
    codecs = [name for name in config.codecs if name != DENSE]
    arms = []
    for seed in range(config.seeds):
        arms.append(Arm(DENSE, seed, config.represent, guarded=False))
        arms += [Arm(name, seed, config.represent) for name in codecs]
        if seed >= config.plain_seeds:
            continue
        arms += [Arm(name, seed, config.represent, guarded=False) for name in config.plain]
        if config.as_published:
            arms.append(Arm("autoencoder", seed, "state", guarded=False))
        if config.private_codec:
            arms += [
                Arm(config.private_codec, seed, config.represent, epsilon=epsilon)
                for epsilon in config.epsilons
            ]
    return arms


def _fits(config: CgFedllmConfig, arms: list[Arm]) -> list[Fit]:
    wanted = {Fit(arm.codec, arm.represent): None for arm in arms if arm.codec in LEARNED}
    if config.certify_states:
        states = [Fit(fit.codec, "state") for fit in wanted if fit.codec != "pca"]
        wanted |= dict.fromkeys(states)
    return list(wanted)
