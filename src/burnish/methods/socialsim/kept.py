"""Runs that lie in folders: their outcomes, their stylised facts, and what one changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from burnish.errors import DataError, UsageError
from burnish.methods.socialsim.cascade_trees import cascades
from burnish.methods.socialsim.columns import column
from burnish.methods.socialsim.outcome_metrics import NEEDED, outcomes
from burnish.methods.socialsim.stylised_facts import Fact, facts
from burnish.methods.socialsim.tables import read
from burnish.methods.socialsim.twin_effects import Effect, effects

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class KeptRun:
    """A finished run in a folder.

    Attributes:
        folder: where it is.
        claims: codes, in order.
        claims_true: of each claim.
        sampling: share of untracked exposures that was logged.
        seed: of every draw.
        n_agents: accounts, those that the campaign adds aside.
    """

    folder: Path
    claims: tuple[str, ...]
    claims_true: tuple[bool, ...]
    sampling: float
    seed: int
    n_agents: int

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Read a folder's manifest.

        Raises:
            DataError: it holds no run.
        """
        try:
            plain = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            world: Mapping[str, Any] = plain["world"]
            return cls(
                folder,
                tuple(str(claim["code"]) for claim in world["claims"]),
                tuple(bool(claim["true"]) for claim in world["claims"]),
                float(world["feed"]["sampling"]),
                int(plain["seed"]),
                int(plain["n_agents"]),
            )
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise DataError(
                f"{folder} holds no run; give a folder that `burnish socialsim run` wrote"
            ) from None

    def outcomes(self) -> dict[str, float]:
        """Every metric of the run; see `outcomes`."""
        tables: dict[str, pa.Table] = {name: read(self.folder, name) for name in NEEDED}
        return outcomes(tables, claims_true=self.claims_true, sampling=self.sampling)

    def facts(self, *, falsity_factor: float = 1.7) -> tuple[Fact, ...]:
        """The stylised facts of the run; see `facts`. In-degrees are those before tick 0."""
        followee = column(read(self.folder, "edges"), "followee")
        agents = read(self.folder, "agents").num_rows
        return facts(
            cascades(read(self.folder, "posts")),
            np.bincount(followee, minlength=agents),
            falsity_factor=falsity_factor,
        )


def runs_in(folder: Path) -> tuple[KeptRun, ...]:
    """The run in a folder, or the runs in the folders right below it, by seed.

    Raises:
        DataError: there is none.
    """
    if (folder / _MANIFEST).exists():
        return (KeptRun.at(folder),)
    found = [KeptRun.at(path.parent) for path in folder.glob(f"*/{_MANIFEST}")]
    if not found:
        KeptRun.at(folder)  # says what is wrong
    return tuple(sorted(found, key=lambda run: run.seed))


def effect_between(
    changed: Sequence[KeptRun], unchanged: Sequence[KeptRun], *, seed: int
) -> tuple[Effect, ...]:
    """The effect of a change on every metric, over pairs of runs with equal seeds.

    Raises:
        UsageError: the runs are no twins: other seeds, sizes or claims.
    """
    keys = [[(run.seed, run.n_agents, run.claims) for run in runs] for runs in (changed, unchanged)]
    if keys[0] != keys[1]:
        told = [", ".join(f"{seed} ({n} accounts)" for seed, n, _ in own) for own in keys]
        raise UsageError(
            f"twins share seed, accounts and claims, got seeds {told[0]} and {told[1]}; run both "
            "with the same --seed and --agents"
        )
    return effects(
        [run.outcomes() for run in changed], [run.outcomes() for run in unchanged], seed=seed
    )
