"""Settings of a CAP run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

Share = Annotated[float, Field(gt=0, lt=1)]
UnitName = Literal["first-order", "unit-magnitude"]
WeightName = Literal["magnitude", "movement", "soft-movement", "platon", "obert", "smp", "wanda"]
ArmName = Literal["ce", "kd", "cap"]


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


@dataclass(frozen=True, kw_only=True)
class CapConfig:
    """What is pruned, on what data, how, and what it is compared with.

    Published settings: the released scripts of arXiv 2112.07198.
    """

    model: Annotated[
        str, Field(description="encoder to prune: an asset's name, a hub id or a folder")
    ] = "all-minilm-l6-v2"
    data: Annotated[
        str,
        Field(
            description="your own file (CSV, TSV, JSON Lines, Parquet), a folder of "
            "datasets.save_to_disk or a hub id, in place of the embedded sets"
        ),
    ] = ""
    task: Annotated[
        Literal["classification", "pairs", "qa"], Field(description="what `data` holds")
    ] = "classification"
    text: Annotated[
        str, Field(description='column of the text; empty is "text", or "context" for qa')
    ] = ""
    other: Annotated[
        str, Field(description='column of the second text; empty is "question" for qa')
    ] = ""
    label: Annotated[str, Field(description="column of the class")] = "label"
    split: Annotated[str, Field(description="of a hub data set, e.g. train")] = ""
    test_split: Annotated[
        str, Field(description="scored on in place of examples held out, e.g. validation")
    ] = ""
    sets: Annotated[
        tuple[str, ...], Field(min_length=1, description="embedded sets, where `data` is empty")
    ] = ("tweets",)
    train_examples: Annotated[
        int, Field(ge=32, description="to train on, at most", json_schema_extra=_unit("items"))
    ] = 2000
    test_examples: Annotated[
        int, Field(ge=32, description="to score on, at most", json_schema_extra=_unit("items"))
    ] = 3000
    max_length: Annotated[
        int, Field(ge=8, description="longer texts are cut", json_schema_extra=_unit("tokens"))
    ] = 64
    seeds: Annotated[
        int,
        Field(
            ge=1,
            description="repetitions of distillation and CAP with the first of `units`, each with "
            "a teacher and training examples of its own",
        ),
    ] = 1
    weight_seeds: Annotated[
        int, Field(ge=1, description="the same with the first of `weights`; at most `seeds`")
    ] = 1
    table_seeds: Annotated[int, Field(ge=1, description="of everything else; at most `seeds`")] = 1
    teacher_epochs: Annotated[
        int, Field(ge=1, description="of the teacher", json_schema_extra=_unit("epochs"))
    ] = 3
    teacher_learning_rate: Annotated[float, Field(gt=0, description="peak, of the teacher")] = 1e-4
    units: Annotated[
        tuple[UnitName, ...], Field(description="structured criteria that are compared")
    ] = ("first-order",)
    stages: Annotated[
        tuple[Share, ...],
        Field(
            min_length=1,
            description="shares of heads and feed-forward units gone after each stage",
            json_schema_extra=_unit("share"),
        ),
    ] = (0.5, 0.7, 0.85)
    stage_epochs: Annotated[
        int, Field(ge=1, description="after a stage", json_schema_extra=_unit("epochs"))
    ] = 1
    final_epochs: Annotated[
        int, Field(ge=1, description="after the last stage", json_schema_extra=_unit("epochs"))
    ] = 2
    weights: Annotated[
        tuple[WeightName, ...], Field(description="unstructured criteria that are compared")
    ] = ()
    weight_sparsities: Annotated[
        tuple[Share, ...],
        Field(
            description="shares of encoder weights gone, a pruning each",
            json_schema_extra=_unit("share"),
        ),
    ] = (0.9,)
    weight_epochs: Annotated[
        int, Field(ge=1, description="of unstructured pruning", json_schema_extra=_unit("epochs"))
    ] = 4
    mask_refresh: Annotated[
        int,
        Field(
            ge=1,
            description="unstructured masks are made anew every so often",
            json_schema_extra=_unit("steps"),
        ),
    ] = 10
    objectives: Annotated[
        tuple[ArmName, ...],
        Field(min_length=1, description="labels alone, with distillation, with the contrast too"),
    ] = ("ce", "kd", "cap")
    batch_size: Annotated[int, Field(ge=1, description="examples in a step")] = 16
    learning_rate: Annotated[float, Field(gt=0, description="peak, of weights, in retraining")] = (
        2e-4
    )
    score_learning_rate: Annotated[
        float, Field(gt=0, description="peak, of learned scores (movement)")
    ] = 1e-2
    weight_learning_rate: Annotated[
        float, Field(gt=0, description="peak, of weights, in unstructured pruning")
    ] = 2e-4
    freeze_embeddings: Annotated[
        bool, Field(description="train no embeddings, of teacher or pruned model")
    ] = True
    weight_decay: Annotated[float, Field(ge=0, description="of AdamW")] = 0.01
    alpha: Annotated[float, Field(ge=0, description="weight of the labels")] = 0.1
    beta: Annotated[float, Field(ge=0, description="weight of distillation")] = 0.9
    kd_temperature: Annotated[float, Field(gt=0, description="of distillation")] = 1.0
    tau: Annotated[float, Field(gt=0, description="temperature of the contrast")] = 0.1
    lambda_u: Annotated[
        Annotated[float, Field(ge=0)] | Literal["auto"],
        Field(
            description="weight of the unsupervised contrast; auto is 0.03 below 10,000 examples, "
            "else 0.3"
        ),
    ] = "auto"
    lambda_s: Annotated[float, Field(ge=0, description="weight of the supervised contrast")] = 0.005
    extra: Annotated[
        int, Field(ge=0, description="further keys of each bank, at most half the examples")
    ] = 1024
    reduction: Annotated[
        Literal["mean", "reference"],
        Field(description="of the contrast: formula, or release"),
    ] = "mean"
    pooling: Annotated[
        Literal["auto", "cls", "mean"],
        Field(description="the vector that is contrasted; auto is the encoder's own"),
    ] = "auto"
    use: Annotated[
        tuple[Literal["pre", "snap", "fine"], ...],
        Field(description="views contrasted with: PrC, SnC, FiC"),
    ] = ("pre", "snap", "fine")
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(description="of matrix products; auto is bfloat16 where the processor has it"),
    ] = "auto"
    workers: Annotated[
        int, Field(ge=0, description="prunings at once, one thread each; 0 is one a core")
    ] = 0
    latency: Annotated[bool, Field(description="export to ONNX and time a batch")] = True
    latency_shapes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[1-9]\d*x[1-9]\d*$")], ...],
        Field(description="batch x tokens that are measured", json_schema_extra=_unit("tokens")),
    ] = ("1x128",)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            "train_examples": 400,
            "test_examples": 600,
            "max_length": 48,
            "teacher_epochs": 2,
            "stages": (0.7,),
        },
        "cpu": {
            "sets": ("tweets", "spam", "dreaddit"),
            "train_examples": 1200,
            "max_length": 40,
            "seeds": 5,
            "weight_seeds": 2,
            "units": ("first-order", "unit-magnitude"),
            "weights": ("magnitude", "movement", "platon", "smp"),
            "weight_sparsities": (0.9, 0.97),
            "weight_epochs": 3,
            "latency_shapes": ("1x32", "1x128", "8x64"),
        },
        "paper": {
            "model": "google-bert/bert-base-uncased",
            "data": "nyu-mll/glue:sst2",
            "text": "sentence",
            "split": "train",
            "test_split": "validation",
            "train_examples": 1_000_000,
            "test_examples": 1_000_000,
            "max_length": 128,
            "seeds": 5,
            "teacher_learning_rate": 2e-5,
            "weights": ("movement", "soft-movement"),
            "precision": "float32",
            "teacher_epochs": 3,
            "stages": tuple(step / 10 for step in range(1, 10)),
            "stage_epochs": 2,
            "final_epochs": 2,
            "weight_sparsities": (0.5, 0.9, 0.97),
            "weight_epochs": 10,
            "mask_refresh": 1,
            "batch_size": 16,
            "learning_rate": 2e-5,
            "weight_learning_rate": 3e-5,
            "freeze_embeddings": False,
            "lambda_u": 0.3,
            "lambda_s": 3.0,
            "extra": 4096,
            "reduction": "reference",
            "pooling": "cls",
        },
    }
