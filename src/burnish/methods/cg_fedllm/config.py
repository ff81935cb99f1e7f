"""Settings of a CG-FedLLM run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

CodecName = Literal[
    "fp32",
    "fp16",
    "int8",
    "nf4",
    "top-k",
    "dgc",
    "qsgd",
    "sign",
    "majority-sign",
    "masked-sign",
    "powersgd",
    "pca",
    "srht",
    "sketch",
    "kseed",
    "shifted",
    "autoencoder",
    "autoencoder-wide",
]
LEARNED = ("pca", "autoencoder", "autoencoder-wide")
"""Codecs that are fitted to collected updates."""
Represent = Literal["state", "delta", "grad"]
"""What clients send: their adapter, its change over the round, or their mean gradient."""
Aggregate = Literal["weighted_mean", "literal_sum", "exact_product"]
"""How the server joins adapters."""


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


@dataclass(frozen=True, kw_only=True)
class CgFedllmConfig:
    """What is fine-tuned, on whose data, and which codecs carry the updates.

    Published settings: arXiv 2405.13746; defaults where it is silent are those of the code it
    builds on (Shepherd).
    """

    model: Annotated[
        str,
        Field(
            description="causal language model: an asset's name, a hub id, a folder, a .gguf file; "
            "or tiny-llama, made and trained on the spot"
        ),
    ] = "tiny-llama"
    data: Annotated[
        str,
        Field(
            description="your own texts (CSV, TSV, JSON Lines, Parquet), a folder of "
            "datasets.save_to_disk or a hub id, in place of the embedded corpus"
        ),
    ] = ""
    text: Annotated[str, Field(description="column of the text, where `data` is given")] = "text"
    group: Annotated[
        str, Field(description="column of the group a text belongs to, such as its author")
    ] = "group"
    split: Annotated[str, Field(description="of a hub data set, e.g. train")] = ""
    corpus: Annotated[
        Literal["state-of-the-union", "dreaddit"],
        Field(description="embedded texts: speeches by president, or posts by what they show"),
    ] = "dreaddit"
    block: Annotated[
        int,
        Field(ge=8, description="length of a training example", json_schema_extra=_unit("tokens")),
    ] = 64
    clients: Annotated[int, Field(ge=1, description="in the federation")] = 4
    fraction: Annotated[
        float,
        Field(
            gt=0, le=1, description="of clients asked in a round", json_schema_extra=_unit("share")
        ),
    ] = 1.0
    concentration: Annotated[
        float, Field(gt=0, description="alpha of Dirichlet: how evenly groups spread over clients")
    ] = 0.5
    heldout_blocks: Annotated[
        int, Field(ge=1, description="that nobody trains on", json_schema_extra=_unit("items"))
    ] = 32
    rank: Annotated[int, Field(ge=1, description="of the LoRA adapters")] = 8
    lora_alpha: Annotated[float, Field(gt=0, description="scale of the adapters times rank")] = 16.0
    dropout: Annotated[
        float, Field(ge=0, lt=1, description="in the adapters", json_schema_extra=_unit("share"))
    ] = 0.05
    rounds: Annotated[int, Field(ge=1, description="of federated fine-tuning")] = 4
    local_epochs: Annotated[
        int, Field(ge=1, description="of a client in a round", json_schema_extra=_unit("epochs"))
    ] = 1
    local_steps: Annotated[
        int,
        Field(
            ge=1, description="of a client in a round, at most", json_schema_extra=_unit("steps")
        ),
    ] = 4
    batch_size: Annotated[int, Field(ge=1, description="blocks in a step")] = 8
    learning_rate: Annotated[
        float, Field(gt=0, description="of the clients' AdamW, at the first step of a round")
    ] = 1e-3
    zeroth_order_rate: Annotated[
        float, Field(gt=0, description="of the clients' steps with kseed, which has no gradients")
    ] = 1e-4
    aggregate: Annotated[
        Aggregate,
        Field(description="how the server joins adapters"),
    ] = "weighted_mean"
    represent: Annotated[
        Represent, Field(description="what is sent: the adapter, its change, or the mean gradient")
    ] = "delta"
    downlink: Annotated[bool, Field(description="encode what the server sends, too")] = False
    codecs: Annotated[
        tuple[CodecName, ...],
        Field(
            min_length=1, description="compared with sending float32, with error feedback and gain"
        ),
    ] = ("int8", "sign", "masked-sign", "top-k", "pca", "autoencoder")
    plain: Annotated[
        tuple[CodecName, ...],
        Field(description="compared without error feedback and gain, too"),
    ] = ()
    as_published: Annotated[
        bool,
        Field(description="also federate with the paper's AutoEncoder on states, unguarded"),
    ] = False
    seeds: Annotated[
        int, Field(ge=1, description="federations of each codec; clients and batches differ")
    ] = 1
    plain_seeds: Annotated[
        int,
        Field(ge=1, description="of codecs without safeguards or with privacy; at most `seeds`"),
    ] = 1
    share_first: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="of each client's blocks that train the codec and nothing else",
            json_schema_extra=_unit("share"),
        ),
    ] = 0.3
    collect_rounds: Annotated[
        int, Field(ge=2, description="of federated LoRA whose updates train the codecs")
    ] = 10
    federated: Annotated[
        bool, Field(description="collect in a federation; else every client trains alone")
    ] = True
    inits: Annotated[
        int,
        Field(
            ge=1, description="initialisations collected under; from 2, their coupling is tested"
        ),
    ] = 1
    codec_steps: Annotated[
        int, Field(ge=1, description="of the AutoEncoder", json_schema_extra=_unit("steps"))
    ] = 300
    codec_batch: Annotated[int, Field(ge=1, description="updates in a step of the AutoEncoder")] = 4
    codec_learning_rate: Annotated[float, Field(gt=0, description="of the AutoEncoder's Adam")] = (
        2e-4
    )
    certify_states: Annotated[
        bool, Field(description="also fit and certify the AutoEncoder on states")
    ] = False
    epsilons: Annotated[
        tuple[Annotated[float, Field(gt=0)], ...],
        Field(
            description="privacy budgets the noise is computed for", json_schema_extra=_unit("nats")
        ),
    ] = (0.25, 2.0, 8.0)
    delta: Annotated[float, Field(gt=0, lt=1, description="of differential privacy")] = 1e-5
    clip: Annotated[
        float, Field(gt=0, description="largest norm of a private update, before noise")
    ] = 1.0
    private_codec: Annotated[
        Literal["", "fp32", "int8", "sign", "masked-sign", "pca", "autoencoder"],
        Field(description="federated once for each of `epsilons`; empty for none"),
    ] = ""
    hostile_payloads: Annotated[
        int,
        Field(
            ge=0,
            description="damaged payloads thrown at the server",
            json_schema_extra=_unit("items"),
        ),
    ] = 2000
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(description="of matrix products; auto is bfloat16 where the processor has it"),
    ] = "auto"
    workers: Annotated[
        int, Field(ge=0, description="federations at once, one thread each; 0 is one a core")
    ] = 0

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"learning_rate": 5e-3},
        "cpu": {
            "model": "smollm2-135m-instruct",
            "corpus": "state-of-the-union",
            "block": 128,
            "local_steps": 3,
            "batch_size": 4,
            "heldout_blocks": 16,
            "collect_rounds": 12,
            "seeds": 3,
            "codecs": tuple(name for name in get_args(CodecName) if name != "fp32"),
            "plain": ("top-k", "sign", "masked-sign", "pca"),
            "as_published": True,
            "certify_states": True,
            "inits": 3,
            "codec_steps": 2000,
            "private_codec": "masked-sign",
            "hostile_payloads": 100_000,
        },
        "paper": {
            "model": "huggyllama/llama-7b",
            "data": "databricks/databricks-dolly-15k",
            "text": "response",
            "group": "category",
            "split": "train",
            "block": 512,
            "clients": 100,
            "fraction": 0.05,
            "rounds": 20,
            "local_steps": 1_000_000,
            "batch_size": 32,
            "learning_rate": 1.5e-4,
            "seeds": 3,
            "codecs": ("int8", "sign", "masked-sign", "top-k", "pca", "autoencoder"),
            "as_published": True,
            "certify_states": True,
            "collect_rounds": 20,
            "codec_steps": 3000,
            "private_codec": "autoencoder",
        },
    }
