"""The story of a run: train, explain, identify, repair in many ways, audit, compare."""

from __future__ import annotations

from functools import partial

from burnish import assets
from burnish.errors import ConfigError
from burnish.methods.nlpguard import points
from burnish.methods.nlpguard.arms import alone_of, jobs_of
from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.ground import ground_of, lexicon_of
from burnish.methods.nlpguard.rewriting import WORDNET
from burnish.methods.nlpguard.show import draw
from burnish.methods.nlpguard.work import do
from burnish.models.sources import find
from burnish.runs import Run
from burnish.runs.jobs import perform
from burnish.runs.machine import cores


def run(config: NlpguardConfig, run: Run) -> None:
    """Do every job that is missing, log what came out, and draw it."""
    check(config)
    run.note("texts", ground_of(config, run.seed, 0, config.kinds[0]).note)
    run.note("lexicon", "; ".join(lexicon_of().sources))
    if "minilm" in config.kinds:
        run.note("encoder", find(config.encoder).identity)
    if config.llm:
        run.note("language model", find(config.llm).identity)
    home = run.artifact("audit")
    stages = [jobs_of(config), *alone_of(config)]
    with run.progress(sum(map(len, stages)), "training and auditing") as progress:
        for some in stages:
            perform(
                some,
                partial(do, config, run.seed, home),
                home,
                workers=config.workers or cores(),
                on_done=lambda job: progress.advance(),
            )
    points.log_edits(run, home, config)
    points.log_reliance(run, home, config)
    points.log_performance(run, home, config)
    points.log_words(run, home, config)
    points.log_probes(run, home, config)
    points.log_checks(run, home, config)
    if config.race:
        points.log_race(run, home)
        points.log_cost(run, home, config)
    draw(run)


def check(config: NlpguardConfig) -> None:
    """Refuse settings that do not go together or lack an asset, before anything is done.

    Raises:
        ConfigError: which, and what to do.
        AssetMissing: WordNet, for hypernyms.
    """
    if config.other_seeds > config.seeds:
        raise ConfigError(
            f"other_seeds is at most seeds, got {config.other_seeds} and {config.seeds}"
        )
    odd = [name for name in config.encoder_mitigations if name not in config.mitigations]
    if odd:
        raise ConfigError(f"encoder_mitigations has {odd[0]}, which mitigations has not; add it")
    if "hypernym" in config.mitigations:
        assets.path(WORDNET)
