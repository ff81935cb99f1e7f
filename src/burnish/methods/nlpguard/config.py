"""Settings of an NLPGuard run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

KindName = Literal["linear", "minilm"]
ExplainerName = Literal["auto", "shap", "occlusion"]
MitigationName = Literal[
    "document_removal",
    "sentence_removal",
    "word_removal",
    "word_removal_both",
    "word_replacement",
    "word_variants",
    "word_variants_kept",
    "hypernym",
    "mask",
    "cda",
    "cds",
    "reweighing",
    "unawareness",
    "inlp",
    "leace",
    "explanation_regularisation",
]
ENCODER_ONLY = ("inlp", "leace", "explanation_regularisation")
"""Mitigations that need vectors or gradients of an encoder."""


_PUBLISHED: tuple[MitigationName, ...] = (
    "document_removal",
    "word_removal",
    "word_variants_kept",
)
"""What the released code does."""


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


@dataclass(frozen=True, kw_only=True)
class NlpguardConfig:
    """Which classifier is audited, on which texts, and which repairs are compared.

    The paper's body could not be obtained; settings marked so on the page come from the released
    code (arXiv 2407.01697, version 0.0.7).
    """

    data: Annotated[
        str,
        Field(
            description="an embedded set (occupations, dreaddit, tweets, spam), or your own "
            "labelled texts: CSV, TSV, JSON Lines, Parquet, a folder of datasets.save_to_disk or "
            "a hub id"
        ),
    ] = "dreaddit"
    text: Annotated[str, Field(description="column of the text, in your own data")] = "text"
    label: Annotated[str, Field(description="column of the label, in your own data")] = "label"
    split: Annotated[str, Field(description="of a hub data set, e.g. train")] = ""
    kinds: Annotated[
        tuple[KindName, ...],
        Field(min_length=1, description="classifiers that are trained, audited and repaired"),
    ] = ("linear", "minilm")
    encoder: Annotated[
        str, Field(description="that minilm fine-tunes: an asset's name, a hub id or a folder")
    ] = "all-minilm-l6-v2"
    test_share: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="of the texts, tested on and explained, in tenths; drawn anew for each "
            "seed",
            json_schema_extra=_unit("share"),
        ),
    ] = 0.3
    grouped: Annotated[
        bool,
        Field(
            description="keep texts of the same words in one part, so that none is tested on that "
            "was trained on"
        ),
    ] = True
    examples: Annotated[
        int,
        Field(
            ge=0,
            description="labelled texts that are used, drawn with the classes in the same shares; "
            "0 is all",
            json_schema_extra=_unit("items"),
        ),
    ] = 0
    encoder_examples: Annotated[
        int,
        Field(
            ge=0,
            description="the same for an encoder, which is slower; 0 is as many as `examples`",
            json_schema_extra=_unit("items"),
        ),
    ] = 0
    epochs: Annotated[
        int, Field(ge=1, description="of the encoder", json_schema_extra=_unit("epochs"))
    ] = 3
    learning_rate: Annotated[float, Field(gt=0, description="of the encoder, at its peak")] = 2e-4
    batch_size: Annotated[int, Field(ge=1, description="texts of a step of the encoder")] = 32
    max_length: Annotated[
        int,
        Field(
            ge=8,
            description="of a text, that an encoder reads; the rest is cut",
            json_schema_extra=_unit("tokens"),
        ),
    ] = 128
    explainer: Annotated[
        ExplainerName,
        Field(
            description="auto is Integrated Gradients for an encoder, exact for a linear model; "
            "shap and occlusion take any model"
        ),
    ] = "auto"
    encoder_texts: Annotated[
        int,
        Field(
            ge=0,
            description="of the test part that are explained for an encoder; 0 is all",
            json_schema_extra=_unit("items"),
        ),
    ] = 0
    steps: Annotated[
        int, Field(ge=0, description="of Integrated Gradients; 0 doubles them until complete")
    ] = 0
    granularity: Annotated[
        Literal["word", "token"], Field(description="what is scored; the released code: token")
    ] = "word"
    top: Annotated[
        int,
        Field(
            ge=1,
            description="words of each class that count as driving it, N",
            json_schema_extra=_unit("words"),
        ),
    ] = 100
    per_class: Annotated[
        bool, Field(description="edit each row only for the protected words of its own class")
    ] = False
    mitigations: Annotated[
        tuple[MitigationName, ...],
        Field(min_length=1, description="compared with none"),
    ] = ("word_removal", "word_removal_both", "word_variants_kept", "cda", "unawareness")
    encoder_mitigations: Annotated[
        tuple[MitigationName, ...], Field(description="of these, those tried on the encoder too")
    ] = ("word_removal", "word_removal_both")
    regularisation: Annotated[
        float, Field(gt=0, description="strength of explanation regularisation")
    ] = 1.0
    neighbours: Annotated[int, Field(ge=1, description="of a word, k of MS3 and MS4")] = 5
    seeds: Annotated[
        int,
        Field(
            ge=1,
            description="trainings of none and of word removal; splits and batches differ",
        ),
    ] = 2
    other_seeds: Annotated[
        int, Field(ge=1, description="of all other mitigations of an encoder; at most `seeds`")
    ] = 1
    swaps: Annotated[
        int, Field(ge=1, description="counterfactuals of each text, for flip rate and gap")
    ] = 3
    llm: Annotated[
        str,
        Field(
            description="that names categories beside the lexicon, to tell how far they agree: an "
            "asset's name, a hub id, a folder, a .gguf file; empty for none"
        ),
    ] = ""
    llm_words: Annotated[
        int,
        Field(ge=1, description="of the top lists it is asked", json_schema_extra=_unit("words")),
    ] = 60
    planted: Annotated[
        tuple[KindName, ...],
        Field(
            description="classifiers of `kinds` that also learn from a nonsense word planted in "
            "one class, which is then found and removed"
        ),
    ] = ("linear", "minilm")
    guard_rounds: Annotated[
        int, Field(ge=0, description="of the iterative guard on the linear model; 0 skips it")
    ] = 3
    race: Annotated[
        bool,
        Field(
            description="also time the explainers against Captum's and one text at a time, and "
            "the whole way by itself"
        ),
    ] = False
    workers: Annotated[
        int, Field(ge=0, description="trainings at once, one thread each; 0 is one a core")
    ] = 0

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            "encoder_examples": 360,
            "encoder_texts": 24,
            "max_length": 64,
            "encoder_mitigations": ("word_removal",),
            "planted": ("linear",),
            "seeds": 1,
            "epochs": 1,
            "swaps": 1,
        },
        "cpu": {
            "data": "occupations",
            "grouped": False,  # lines such as "English" are of many people
            "epochs": 5,
            "mitigations": get_args(MitigationName),
            "encoder_mitigations": get_args(MitigationName),
            "seeds": 5,
            "other_seeds": 1,
            "llm": "smollm2-135m-instruct",
            "race": True,
        },
        "paper": {
            "data": "occupations",
            "grouped": False,
            "encoder": "google-bert/bert-base-uncased",
            "learning_rate": 2e-5,
            "top": 400,
            "steps": 50,
            "granularity": "token",
            "mitigations": _PUBLISHED,
            "encoder_mitigations": _PUBLISHED,
            "seeds": 5,
            "other_seeds": 5,
            "llm": "meta-llama/Meta-Llama-3-8B-Instruct",
            "llm_words": 800,
        },
    }
