"""A sandboxed social network for disinformation research: campaigns, countermeasures, effects.

Pastor-Galindo et al., arXiv 2310.07545. Everything public is importable from here and loaded on
first use. Worlds are fictional and every table and page says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.socialsim.calibration import Calibration, calibrate, load_calibration
    from burnish.methods.socialsim.calls import Book, KeptThinker
    from burnish.methods.socialsim.cascade_trees import Cascades, cascades
    from burnish.methods.socialsim.comparison import Arm, Sweep, write_comparison
    from burnish.methods.socialsim.core_agents import choose_core
    from burnish.methods.socialsim.detectors import detection, features, scores, text_scores
    from burnish.methods.socialsim.llm_policy import LlmPolicy, LlmSettings
    from burnish.methods.socialsim.loop import Core, Run, Simulation
    from burnish.methods.socialsim.method import METHOD
    from burnish.methods.socialsim.name_gate import NameGate
    from burnish.methods.socialsim.outcome_metrics import outcomes
    from burnish.methods.socialsim.personas import Persona
    from burnish.methods.socialsim.probes import subjects
    from burnish.methods.socialsim.probing import ask
    from burnish.methods.socialsim.replay import Captions, write_replay
    from burnish.methods.socialsim.rule_policy import RuleCoefficients, RulePolicy
    from burnish.methods.socialsim.scenario import Scenario
    from burnish.methods.socialsim.scripted_core import ScriptedThinker
    from burnish.methods.socialsim.stance import Lexicon
    from burnish.methods.socialsim.stylised_facts import Fact, facts, stamp
    from burnish.methods.socialsim.sweeps import Job, jobs, sweep
    from burnish.methods.socialsim.thinking import ChatThinker, LocalThinker
    from burnish.methods.socialsim.twin_effects import Effect, effects
    from burnish.methods.socialsim.world import (
        BlueKind,
        BlueMeasure,
        Primitive,
        RankerKind,
        RedStep,
        World,
    )

_HOME = {
    "calibration": ("Calibration", "calibrate", "load_calibration"),
    "calls": ("Book", "KeptThinker"),
    "cascade_trees": ("Cascades", "cascades"),
    "comparison": ("Arm", "Sweep", "write_comparison"),
    "core_agents": ("choose_core",),
    "detectors": ("detection", "features", "scores", "text_scores"),
    "twin_effects": ("Effect", "effects"),
    "llm_policy": ("LlmPolicy", "LlmSettings"),
    "loop": ("Core", "Run", "Simulation"),
    "method": ("METHOD",),
    "name_gate": ("NameGate",),
    "outcome_metrics": ("outcomes",),
    "personas": ("Persona",),
    "probes": ("subjects",),
    "probing": ("ask",),
    "replay": ("Captions", "write_replay"),
    "rule_policy": ("RuleCoefficients", "RulePolicy"),
    "scenario": ("Scenario",),
    "scripted_core": ("ScriptedThinker",),
    "stance": ("Lexicon",),
    "stylised_facts": ("Fact", "facts", "stamp"),
    "sweeps": ("Job", "jobs", "sweep"),
    "thinking": ("ChatThinker", "LocalThinker"),
    "world": ("BlueKind", "BlueMeasure", "Primitive", "RankerKind", "RedStep", "World"),
}

__all__ = [
    "METHOD",
    "Arm",
    "BlueKind",
    "BlueMeasure",
    "Book",
    "Calibration",
    "Captions",
    "Cascades",
    "ChatThinker",
    "Core",
    "Effect",
    "Fact",
    "Job",
    "KeptThinker",
    "Lexicon",
    "LlmPolicy",
    "LlmSettings",
    "LocalThinker",
    "NameGate",
    "Persona",
    "Primitive",
    "RankerKind",
    "RedStep",
    "RuleCoefficients",
    "RulePolicy",
    "Run",
    "Scenario",
    "ScriptedThinker",
    "Simulation",
    "Sweep",
    "World",
    "ask",
    "calibrate",
    "cascades",
    "choose_core",
    "detection",
    "effects",
    "facts",
    "features",
    "jobs",
    "load_calibration",
    "outcomes",
    "scores",
    "stamp",
    "subjects",
    "sweep",
    "text_scores",
    "write_comparison",
    "write_replay",
]


__getattr__ = lazily(__name__, _HOME)
