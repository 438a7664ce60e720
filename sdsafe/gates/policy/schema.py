"""The JSON Schema of packs and of their cases, made from the models that read them: for editors, and for other tools.

It says what a file may look like. That categories exist, that expressions compile and that terms can match is
checked when a pack loads, and by ``sdsafe policy lint``.
"""

from __future__ import annotations

import ast
import inspect
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from sdsafe._internal.strict import Strict
from sdsafe.gates.policy.cases import _CaseFile
from sdsafe.gates.policy.model import Pack
from sdsafe.gates.policy.obligations import OBLIGATIONS
from sdsafe.gates.policy.terms import _File as _TermFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["SCHEMAS", "json_schema"]

SCHEMAS: Mapping[str, type[Strict]] = {"pack": Pack, "cases": _CaseFile, "terms": _TermFile}
"""What has a schema: ``policy.yaml``, ``cases.yaml``, and lists of terms in files of their own."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_JSON_TYPES = {str: "string", int: "integer", bool: "boolean"}


def json_schema(of: str = "pack") -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file.

    Args:
        of: A key of ``SCHEMAS``.
    """
    model = SCHEMAS[of]
    schema = model.model_json_schema(by_alias=True)
    described = {each.__name__: each for each in _models(model)}
    for name, part in (*schema.get("$defs", {}).items(), (model.__name__, schema)):
        if name in described:
            _describe(part, described[name])
        if name == "Duty":
            part["oneOf"] = list(_duties())
    return {"$schema": _DIALECT, "title": f"sdsafe {of}", **{k: v for k, v in schema.items() if k != "title"}}


def _duties() -> Iterator[dict[str, Any]]:
    """Yield one alternative per obligation, so that an editor offers its parameters."""
    for code, accepted in OBLIGATIONS.items():
        params = {
            "type": "object",
            "properties": {name: {"type": _JSON_TYPES[kind]} for name, kind in accepted.items()},
            "additionalProperties": False,
        }
        yield {"properties": {"code": {"const": code}, "params": params}, "required": ["code"]}


def _models(model: type[Strict]) -> Iterator[type[Strict]]:
    """Yield every strict model of the module that ``model`` is in, and itself."""
    for value in vars(sys.modules[model.__module__]).values():
        if isinstance(value, type) and issubclass(value, Strict) and value is not Strict:
            yield value


def _describe(part: dict[str, Any], model: type[Strict]) -> None:
    """Put the sentences under the fields of a model into its schema: an editor shows them where they are needed."""
    body = ast.parse(dedent(inspect.getsource(model))).body[0]
    if not isinstance(body, ast.ClassDef):
        return
    for field, note in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(note, ast.Expr)
            and isinstance(note.value, ast.Constant)
            and isinstance(note.value.value, str)
        ):
            info = model.model_fields.get(field.target.id)
            described = part.get("properties", {}).get((info and info.alias) or field.target.id)
            if described is not None:
                described.setdefault("description", inspect.cleandoc(note.value.value).replace("``", "`"))
