"""A false claim in a fictional port town: what comes of a label, and of ranking it down."""

import sys
import tempfile
from pathlib import Path

from burnish import socialsim as ss
from burnish.methods.socialsim.comparing import compare
from burnish.methods.socialsim.kept import KeptRun, effect_between

HOURS, SEEDS = 96, 3
kept = tempfile.TemporaryDirectory()
folder = Path(sys.argv[1] if len(sys.argv) > 1 else kept.name)

scenario = ss.Scenario.from_yaml("harbour_rumour").without_blue()
simulation = ss.Simulation(world=scenario.world, n_agents=2000, seed=7)
run = simulation.run(HOURS, folder / "campaign")
simulation.twin().run(HOURS, folder / "twin")
print(f"{scenario.world.name}, synthetic: {run.exposures:,} posts shown in {HOURS} h")

campaign, twin = KeptRun.at(folder / "campaign"), KeptRun.at(folder / "twin")
print("\nwhat the campaign did (one pair, so no interval)")
for effect in effect_between([campaign], [twin], seed=0):
    if effect.metric in ("false_claim_reach_percent", "belief_shift_people", "true_views"):
        print(f"  {effect.metric}: {effect.unchanged:.4g} -> {effect.changed:.4g}")

print(f"\ncountermeasures against none, {SEEDS} twins each (10 for a decision)")
plans = {
    "label": ss.BlueMeasure(kind=ss.BlueKind.LABEL, delay=6),
    "down-rank": ss.BlueMeasure(kind=ss.BlueKind.DOWNRANK, delay=6),
}
for name, effects in compare(simulation, HOURS, plans, seeds=SEEDS).effects.items():
    for effect in effects:
        if change := effect.relative:
            bounds = f"[{change.low:+.1f}, {change.high:+.1f}]"
            print(f"  {name:>9}: {effect.metric} {change.estimate:+.1f} % {bounds}")

print(f"\nstylised facts, without the campaign: {ss.stamp(twin.facts()) or 'all hold'}")

codes = [claim.code for claim in scenario.world.claims]
captions = ss.Captions(title=scenario.name, claims=dict(zip(codes, scenario.about, strict=True)))
page = ss.write_replay(campaign.folder, folder / "replay.html", captions, twin=twin.folder)
print(f"replay: {page.stat().st_size / 1e6:.1f} MB{f', {page}' if len(sys.argv) > 1 else ''}")
kept.cleanup()
