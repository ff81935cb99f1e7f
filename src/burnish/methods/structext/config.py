"""Settings of a StrucText-Eval run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

Cell = Annotated[str, Field(pattern=r"^[1-9]\d*x[1-9]\d*$")]


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


@dataclass(frozen=True, kw_only=True)
class StructextConfig:
    """What is asked, of whom, and how much of it.

    Published settings: arXiv 2406.10621v3, section 4, and the October 2024 release.
    """

    model: Annotated[
        str,
        Field(
            description="chat model: an asset's name, a hub id, a folder, a .gguf file, an "
            "endpoint, or 'none' for the baselines alone"
        ),
    ] = "smollm2-135m-instruct"
    data: Annotated[
        str, Field(description="a suite in JSON Lines to ask instead of a fresh one")
    ] = ""
    profile: Annotated[
        Literal["official", "corrected"],
        Field(description="generator: as released, or with its defects mended"),
    ] = "corrected"
    languages: Annotated[tuple[str, ...], Field(description="of the eight; empty for all")] = ()
    grid: Annotated[
        tuple[Cell, ...],
        Field(description="depth x width of the documents", json_schema_extra=_unit("ratios")),
    ] = ("1x1", "1x2", "2x1")
    columns: Annotated[
        int, Field(ge=1, description="columns of the documents", json_schema_extra=_unit("ratio"))
    ] = 6
    items: Annotated[int, Field(ge=1, description="questions for each rule and cell")] = 4
    few_shot_items: Annotated[
        int, Field(ge=0, description="how many of them are asked with examples too; 0 for all")
    ] = 0
    shots: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...],
        Field(description="worked examples in the prompt; several are compared"),
    ] = (0,)
    simple_shots: Annotated[
        bool, Field(description="also ask with the same number of examples drawn at 2x1")
    ] = False
    hints: Annotated[bool, Field(description="add the rule hint to the prompt")] = False
    prompt: Annotated[Literal["release", "paper"], Field(description="wording of the prompt")] = (
        "release"
    )
    style: Annotated[
        Literal["naive", "cot", "plan"],
        Field(description="answer at once, think step by step, or plan first"),
    ] = "naive"
    forced_choice: Annotated[
        bool, Field(description="also let the model pick among five answers by likelihood")
    ] = True
    max_prompt_tokens: Annotated[
        int,
        Field(ge=64, description="longer prompts are skipped", json_schema_extra=_unit("tokens")),
    ] = 2000
    max_new_tokens: Annotated[
        int,
        Field(
            ge=0,
            description="longest reply; 0 for max(64, 1.3 x the reference)",
            json_schema_extra=_unit("tokens"),
        ),
    ] = 0
    batch_size: Annotated[int, Field(ge=1, description="prompts the model reads at once")] = 8
    train_steps: Annotated[
        int,
        Field(ge=0, description="fine-tuning steps on fresh questions; 0 for none"),
    ] = 0
    train_batch: Annotated[int, Field(ge=1, description="questions in a training step")] = 8
    learning_rate: Annotated[float, Field(gt=0, description="peak rate of AdamW")] = 1e-3
    lora_rank: Annotated[
        int, Field(ge=0, description="rank of the LoRA adapters; 0 trains every weight")
    ] = 16
    held_out_items: Annotated[
        int, Field(ge=1, description="questions for each rule before and after training")
    ] = 8

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"items": 1, "grid": ("1x1", "2x1"), "max_new_tokens": 64},
        "cpu": {
            "profile": "official",
            "items": 10,
            "few_shot_items": 5,
            "shots": (0, 3),
            "simple_shots": True,
            "batch_size": 24,
            "train_steps": 300,
            "held_out_items": 10,
        },
        "paper": {
            "profile": "official",
            "grid": tuple(f"{depth}x{width}" for depth in (1, 2, 3) for width in (1, 2, 3)),
            "items": 2,
            "shots": (0, 3),
            "simple_shots": True,
            "max_prompt_tokens": 131072,
            "model": "Qwen/Qwen2-7B-Instruct",
        },
    }

    @property
    def cells(self) -> tuple[tuple[int, int], ...]:
        """The grid as pairs of (depth, width)."""
        pairs = (cell.split("x") for cell in self.grid)
        return tuple((int(depth), int(width)) for depth, width in pairs)
