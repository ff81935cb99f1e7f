from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass

from burnish.errors import ConfigError, UsageError
from burnish.runs.settings import as_dict, as_overrides, build_config, describe


@dataclass(frozen=True, kw_only=True)
class Config:
    tokens: Annotated[
        int, Field(ge=1, le=99, description="longest reply", json_schema_extra={"unit": "tokens"})
    ] = 8
    rate: Annotated[float, Field(gt=0)] = 0.5
    style: Literal["plain", "plan"] = "plain"
    shots: tuple[int, ...] = (0,)
    cells: tuple[Annotated[str, Field(pattern=r"^\dx\d$")], ...] = ()
    model: str = "embedded"
    hints: bool = False
    limit: int | None = None

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"tokens": 4},
        "cpu": {},
        "paper": {"tokens": 64, "shots": (0, 3)},
    }

    def __post_init__(self) -> None:
        if self.style == "plan" and self.tokens < 5:
            raise ConfigError(f"style plan needs at least 5 tokens, got {self.tokens}")


def test_later_sources_win(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("tokens: 16\nrate: 0.25\nshots: [1, 2]\n")
    assert build_config(Config, "paper").tokens == 64
    config = build_config(Config, "paper", file, ["tokens=32"], {"model": "mine", "data": None})
    assert config == Config(tokens=32, rate=0.25, shots=(1, 2), model="mine")


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("rate=1e-4", "rate", 1e-4),
        ("rate=2", "rate", 2.0),
        ("shots=[0, 5]", "shots", (0, 5)),
        ("shots=[]", "shots", ()),
        ("model=on", "model", "on"),
        ("model=2024-01-01", "model", "2024-01-01"),
        ("model=http://host/v1#a=b", "model", "http://host/v1#a=b"),
        ("model=", "model", ""),
        ("hints=yes", "hints", True),
        ("limit=null", "limit", None),
        ("cells=[1x2, '2x1']", "cells", ("1x2", "2x1")),
    ],
)
def test_overrides_are_yaml_except_where_text_is_wanted(text, field, value):
    assert getattr(build_config(Config, "cpu", overrides=[text]), field) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token=3", r"--set token=3: unknown setting 'token'; did you mean 'tokens'\?"),
        ("zzzz=3", "unknown setting 'zzzz'; there are: tokens, rate"),
        ("tokens", "wanted name=value"),
        ("tokens=0", "--set tokens=0: tokens should be greater than or equal to 1, got 0"),
        ("tokens=100", "less than or equal to 99, got 100"),
        ("tokens=true", "tokens should be a valid integer, got True"),
        ("tokens=many", "tokens should be a valid integer, .*got 'many'"),
        ("tokens=2.5", "got 2.5"),
        ("rate=.inf", "rate must be finite, got inf"),
        ("rate=.nan", "rate must be finite, got nan"),
        ("shots=3", r"shots should be a list such as \[a, b\], got 3"),
        ("shots=[3", "not a YAML value"),
        ("shots=*a", "aliases"),
        ("cells=[1x1, 1y1]", r"cells\[1\] .*got '1y1'"),
        ("style=plane", "style should be 'plain' or 'plan', got 'plane'"),
        ("model=!!python/name:os.system", None),
        ("shots=!!python/object/apply:os.getcwd []", "could not determine a constructor"),
    ],
)
def test_a_wrong_override_is_named(text, message):
    if message is None:  # plain text where text is wanted
        assert build_config(Config, "cpu", overrides=[text]).model == text.removeprefix("model=")
        return
    with pytest.raises(ConfigError, match=message):
        build_config(Config, "cpu", overrides=[text])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# note\ntokens: 0\n", r"c\.yaml:2: tokens should be greater than or equal to 1, got 0"),
        ("rate: 1\ntokenz: 3\n", r"c\.yaml:2: unknown setting 'tokenz'; did you mean 'tokens'"),
        ("- tokens\n", "wanted lines of `name: value`"),
        ("tokens: 1\ntokens: 2\n", r"c\.yaml:2: 'tokens' was set in line 1 already"),
        ("shots: &a [1]\ncells: *a\n", r"c\.yaml:2: aliases"),
        ("rate: 1\nshots: [\n", r"c\.yaml:3: "),
        ("model: no\n", r"c\.yaml:1: model should be a valid string, got False"),
        ("model: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path, content, message):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(ConfigError, match=message):
        build_config(Config, "cpu", tmp_path / "c.yaml")


def test_unreadable_files(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        build_config(Config, "cpu", tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        build_config(Config, "cpu", tmp_path)
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x80")
    with pytest.raises(ConfigError, match="not UTF-8"):
        build_config(Config, "cpu", tmp_path / "c.yaml")


def test_an_empty_file_sets_nothing(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing yet\n")
    assert build_config(Config, "cpu", tmp_path / "c.yaml") == Config()


def test_rules_between_fields_speak_for_themselves():
    with pytest.raises(ConfigError, match=r"^style plan needs at least 5 tokens, got 4$"):
        build_config(Config, "quick", overrides=["style=plan"])


def test_direct_options():
    with pytest.raises(UsageError, match="no setting 'data'"):
        build_config(Config, "cpu", direct={"data": "f.jsonl"})
    with pytest.raises(ConfigError, match="--set model=a and --model b"):
        build_config(Config, "cpu", overrides=["model=a"], direct={"model": "b"})


def test_unknown_preset():
    with pytest.raises(ConfigError, match=r"unknown preset 'qick'; did you mean 'quick'\?"):
        build_config(Config, "qick")


def test_describe_says_everything_once():
    rows = {row.name: row for row in describe(Config)}
    assert list(rows) == [
        *("tokens", "rate", "style", "shots", "cells", "model", "hints", "limit"),
    ]
    tokens = rows["tokens"]
    assert (tokens.type, tokens.default, tokens.unit) == ("integer", 8, "tokens")
    assert (tokens.range, tokens.help) == (">= 1, <= 99", "longest reply")
    assert tokens.presets == {"quick": 4, "cpu": 8, "paper": 64}
    assert rows["rate"].range == "> 0"
    assert rows["style"].type == "'plain' | 'plan'"
    assert rows["shots"].type == "list of integer"
    assert rows["cells"].range == r"matches ^\dx\d$"
    assert rows["limit"].type == "integer | null"


@pytest.mark.parametrize("preset", ["quick", "cpu", "paper"])
def test_overrides_round_trip(preset):
    config = Config(tokens=9, rate=1e-05, style="plan", shots=(1, 2), model="a b=c", limit=3)
    assert build_config(Config, preset, overrides=as_overrides(config, preset)) == config
    assert as_overrides(build_config(Config, preset), preset) == []


def test_as_dict_is_json():
    assert as_dict(Config(shots=(1,)))["shots"] == [1]
