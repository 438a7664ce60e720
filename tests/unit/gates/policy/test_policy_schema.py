"""The JSON Schema for editors: shipped files fit it, and what the loader refuses by form it refuses as well."""

from __future__ import annotations

import copy
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from sdsafe._internal.documents import read_yaml
from sdsafe.gates.policy.loader import available_packs
from sdsafe.gates.policy.obligations import OBLIGATIONS
from sdsafe.gates.policy.schema import json_schema

SHIPPED = Path(str(files("sdsafe_policies")))


def lists(value: Any) -> Any:
    """JSON has no tuples."""
    if isinstance(value, dict):
        return {key: lists(item) for key, item in value.items()}
    return [lists(item) for item in value] if isinstance(value, tuple) else value


def read(name: str, file: str) -> Any:
    path = SHIPPED / name / file
    return lists(read_yaml(path.read_bytes(), path.name))


def validator(of: str) -> Draft202012Validator:
    schema = json_schema(of)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", available_packs())
def test_every_shipped_pack_fits(name: str) -> None:
    validator("pack").validate(read(name, "policy.yaml"))
    validator("cases").validate(read(name, "cases.yaml"))


@pytest.mark.parametrize("path", sorted((SHIPPED / "terms").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_list_of_terms_fits(path: Path) -> None:
    validator("terms").validate(lists(read_yaml(path.read_bytes(), path.name)))


def mutated(*keys: Any, value: Any) -> Any:
    pack = copy.deepcopy(read("baseline", "policy.yaml"))
    at = pack
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = value
    return pack


@pytest.mark.parametrize(
    "pack",
    [
        mutated("efect", value="deny"),
        mutated("format", value="sdsafe.policy/9"),
        mutated("version", value="1"),
        mutated("rules", 0, "effect", value="refuse"),
        mutated("rules", 0, "stage", value="promt"),
        mutated("rules", 0, "obligations", value=[{"code": "watermarks"}]),
        mutated("rules", 0, "obligations", value=[{"code": "watermark", "params": {"x": 1}}]),
        mutated("terms", 0, "terms", value=[1]),
        mutated("terms", 0, "category", value="Not A Name"),
    ],
)
def test_what_an_editor_should_underline(pack: Any) -> None:
    with pytest.raises(ValidationError):
        validator("pack").validate(pack)


def test_fields_carry_the_sentences_of_the_code() -> None:
    schema = json_schema("pack")
    assert "cannot be evaluated" in schema["$defs"]["Rule"]["properties"]["on_error"]["description"]
    alternatives = schema["$defs"]["Duty"]["oneOf"]
    assert [each["properties"]["code"]["const"] for each in alternatives] == list(OBLIGATIONS)
