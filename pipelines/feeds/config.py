"""Reading YAML into strict pydantic models, with errors a person can act on.

`StrictModel` is the base of every contract and binding model; `read_yaml` refuses a key given twice
(plain YAML keeps the last one silently); `config_error` turns pydantic's findings into one message.
"""

import inspect
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

try:  # ten times as fast, and loading the definitions reads dozens of files
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # a PyYAML that was built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

from pipelines.feeds.errors import ConfigError

SOURCE_KINDS = ("file", "postgres", "mysql")
"""The values of `type` by which a source's keys are told."""


# Up to the last @ of the word: a password may hold one, and slashes, if it was not written as %XX.
_CREDENTIALS = re.compile(r"//[^\s'\"<>]*@")
_SHOWN_CHARACTERS = 200


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys and says which keys it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _name_accepted_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [key for key in data if key not in cls.model_fields]
            if unknown:
                raise ValueError(
                    f"unknown key {_shown(unknown[0])}; accepted keys: {', '.join(cls._own_keys_first())}"
                )
        return data

    @classmethod
    def _own_keys_first(cls) -> list[str]:
        keys = [key for base in cls.__mro__ for key in inspect.get_annotations(base)]
        return [key for key in dict.fromkeys(keys) if key in cls.model_fields]


class _UniqueKeyLoader(SafeLoader):
    """A safe loader for which a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Raises:
        ConfigError: the file is missing, is not YAML, gives a key twice or holds no mapping.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "a.yaml")
        ...     _ = file.write_text("feed: products")
        ...     read_yaml(file)
        {'feed': 'products'}
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    try:
        # _UniqueKeyLoader derives from SafeLoader, so no Python object can be made by the file.
        data = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise ConfigError(redacted(f"{file}: is not valid YAML: {error}")) from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        # What PyYAML says of a date that does not exist, of a tag on a value that is none of its kind, and of
        # more brackets than it can follow.
        raise ConfigError(
            redacted(f"{file}: holds a value that YAML cannot read, such as the date 2024-02-30: {error}")
        ) from error
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: must hold a mapping of keys to values, not {type(data).__name__}")
    return data


def config_error(file: Path, error: ValidationError) -> ConfigError:
    """One `ConfigError` for all findings of a `ValidationError`: file, key, what is accepted, value."""
    lines = []
    for finding in error.errors(include_url=False):
        keys = _keys(finding["loc"])
        if finding["type"] == "union_tag_invalid":
            keys.append("type")
        key = ".".join(keys) or "(the whole file)"
        message = finding["msg"].removeprefix("Value error, ")
        value = finding["input"]
        # A mapping's text would drown the message, which names the offending key already.
        # A URL may hold a password, and so may what was meant to be the name of a variable.
        secret = bool(finding["loc"]) and finding["loc"][-1] in ("url", "secret")
        given = "" if secret or isinstance(value, Mapping | BaseModel) else f" (given: {_shown(value)})"
        lines.append(redacted(f"{file}: {key}: {message}{given}"))
    return ConfigError("\n".join(lines))


def redacted(text: str) -> str:
    """The text with `***` for user and password of every URL in it: one may stand where no URL belongs.

    Example:
        >>> redacted("given: 'postgresql://shop:secret@db.example/shop'")
        "given: 'postgresql://***@db.example/shop'"
    """
    return _CREDENTIALS.sub("//***@", text)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the file: pydantic adds which kind of source it took, which stands at no such place."""
    keys: list[str] = []
    for part in map(str, location):
        is_kind = part in SOURCE_KINDS and (keys[-1:] == ["source"] or keys[-2:-1] == ["also"])
        if not is_kind:
            keys.append(part)
    return keys
