"""A method's settings: where their values come from, and what to say of each.

A config is a frozen pydantic dataclass whose fields carry their help, unit and range once, as
`Annotated[int, Field(description="...", ge=1, json_schema_extra={"unit": "tokens"})] = 64`, with a
class attribute `presets` that maps "quick", "cpu" and "paper" to what differs from the defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from burnish.errors import ConfigError, UsageError, nearest

Config = TypeVar("Config")


@dataclass(frozen=True)
class Setting:
    """One field of a config, for people to read; values are JSON-ready.

    Attributes:
        name: of the field.
        type: "integer", "list of string", "'naive' | 'cot'", ...
        default: value when neither preset nor user says anything.
        unit: "" where there is none.
        range: e.g. ">= 1", "" where anything of the type goes.
        help: one sentence.
        presets: its value in each preset.
    """

    name: str
    type: str
    default: Any
    unit: str
    range: str
    help: str
    presets: Mapping[str, Any]


def build_config(
    cls: type[Config],
    preset: str,
    config_file: Path | None = None,
    overrides: Iterable[str] = (),
    direct: Mapping[str, Any] | None = None,
) -> Config:
    """A config from a preset, a YAML file and single settings, each winning over the one before.

    Args:
        cls: the method's config class.
        preset: a key of `cls.presets`.
        config_file: a YAML mapping from field names to values.
        overrides: "name=value" each; the value is a YAML scalar or list, or plain text where
            the field is a string.
        direct: values of options such as `--model`; None stands for "not given".

    Raises:
        ConfigError: unknown preset or field, wrong type, out of range, or an unreadable file; the
            message names where the value came from.
        UsageError: `direct` has what this config has no field for.
    """
    fields = _fields(cls)
    values, origin = _preset(cls, preset), {}
    for name, value, where in _file_values(config_file) if config_file else ():
        _check_known(name, fields, where)
        values[name], origin[name] = value, where
    for text in overrides:
        name, value = _override(text, fields)
        values[name], origin[name] = value, f"--set {text}"
    for name, value in (direct or {}).items():
        if value is None:
            continue
        if name not in fields:
            raise UsageError(f"--{name} {value}: this method has no setting {name!r}; drop it")
        if origin.get(name, "").startswith("--set"):
            raise ConfigError(
                f"{origin[name]} and --{name} {value} set one thing; give one of them"
            )
        values[name], origin[name] = value, f"--{name} {value}"
    return _validated(cls, values, origin, preset)


def as_dict(config: object) -> dict[str, Any]:
    """Every setting of a config by name, as JSON types."""
    dumped: dict[str, Any] = TypeAdapter(type(config)).dump_python(config, mode="json")
    return dumped


def describe(cls: type[Any]) -> list[Setting]:
    """What there is to set, in the order of the fields.

    Raises:
        ConfigError: a preset has a value its field does not take.
    """
    presets = {name: as_dict(build_config(cls, name)) for name in cls.presets}
    return [
        Setting(
            name=name,
            type=_type(schema),
            default=schema.get("default"),
            unit=schema.get("unit", ""),
            range=_range(schema) or _range(schema.get("items", {})),
            help=schema.get("description", ""),
            presets={preset: values[name] for preset, values in presets.items()},
        )
        for name, schema in _fields(cls).items()
    ]


def as_overrides(config: object, preset: str) -> list[str]:
    """The "name=value" texts that turn `preset` into `config`, as `build_config` reads them."""
    base, fields = as_dict(build_config(type(config), preset)), _fields(type(config))
    return [
        f"{name}={value if _is_text(fields[name]) else json.dumps(value)}"
        for name, value in as_dict(config).items()
        if value != base[name]
    ]


def _fields(cls: type[Any]) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = TypeAdapter(cls).json_schema().get("properties", {})
    return properties


def _preset(cls: type[Any], preset: str) -> dict[str, Any]:
    if preset not in cls.presets:
        raise ConfigError(f"unknown preset {preset!r}; {nearest(preset, cls.presets)}")
    return dict(cls.presets[preset])


def _check_known(name: str, fields: Mapping[str, Any], where: str) -> None:
    if name not in fields:
        raise ConfigError(f"{where}: unknown setting {name!r}; {nearest(name, fields)}")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without aliases, and with 1e-4 as a number."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's stubs
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not read; write the value out", problem_mark=mark
            )
        return super().compose_node(parent, index)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _override(text: str, fields: Mapping[str, dict[str, Any]]) -> tuple[str, Any]:
    name, separator, raw = text.partition("=")
    if not separator:
        raise ConfigError(f"--set {text}: wanted name=value; e.g. --set {next(iter(fields))}=...")
    _check_known(name, fields, f"--set {text}")
    if _is_text(fields[name]):
        return name, raw
    try:
        return name, yaml.load(raw, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"--set {text}: not a YAML value: {_problem(error)}") from None


def _is_text(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "string"


def _file_values(path: Path) -> Iterable[tuple[str, Any, str]]:
    """(name, value, "FILE:LINE") of each entry of a YAML mapping."""
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        if root is not None and not isinstance(root, yaml.MappingNode):
            raise ConfigError(f"{path}: wanted lines of `name: value`, got something else")
        lines: dict[str, int] = {}
        for key, node in root.value if root else ():
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                raise ConfigError(f"{path}:{line}: {name!r} was set in line {lines[name]} already")
            lines[name] = line
            yield name, loader.construct_object(node, deep=True), f"{path}:{line}"
    except OSError as error:
        raise ConfigError(f"--config {path}: {error.strerror}; give a YAML file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"--config {path}: not UTF-8 text; give a YAML file") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ConfigError(f"{path}:{line}: {_problem(error)}") from None


def _problem(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def _validated(
    cls: type[Config], values: Mapping[str, Any], origin: Mapping[str, str], preset: str
) -> Config:
    # Strict validation of JSON takes a list for a tuple, and no text or truth value for a number.
    texts = []
    for name, value in values.items():
        try:
            texts.append(f"{json.dumps(name)}: {json.dumps(value, default=str, allow_nan=False)}")
        except ValueError:
            where = origin.get(name, f"preset {preset}")
            raise ConfigError(f"{where}: {name} must be finite, got {value}") from None
    try:
        return TypeAdapter(cls).validate_json(f"{{{', '.join(texts)}}}", strict=True)
    except ValidationError as failure:
        first = failure.errors()[0]
    if not first["loc"]:
        raise ConfigError(first["msg"].removeprefix("Value error, "))
    name = str(first["loc"][0])
    place = name + "".join(f"[{part}]" for part in first["loc"][1:])
    wanted = first["msg"].removeprefix("Input ").replace("valid array", "list such as [a, b]")
    where = origin.get(name, f"preset {preset}")
    raise ConfigError(f"{where}: {place} {wanted}, got {first['input']!r}")


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(repr(value) for value in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    if "anyOf" in schema:
        return " | ".join(_type(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


_BOUNDS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "pattern": "matches {}",
}


def _range(schema: Mapping[str, Any]) -> str:
    return ", ".join(text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema)
