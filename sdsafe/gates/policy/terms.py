"""Lists of terms in files of their own: the shared ones that ship with sdsafe, and those beside a user's pack.

Three forms are read: YAML for curated lists, CSV with the columns ``term``, ``alias`` and ``note`` for what comes out
of a spreadsheet, and TXT with one term a line for lists of any length. Every error names the file and the line.
"""

from __future__ import annotations

import csv
import functools
import io
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, Self

from pydantic import Field, model_validator

from sdsafe._internal.documents import MAX_BYTES, read_yaml
from sdsafe._internal.strict import Strict, build
from sdsafe._internal.text.normalize import fold
from sdsafe.errors import PolicyFormatError
from sdsafe.gates.policy.model import Term, TermList

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LONGEST_TERM", "SharedTerms", "can_match", "read_shared", "read_terms", "shared_names"]

LONGEST_TERM = 200
"""Characters of a term."""

_MAX_TEXT = 64_000_000  # bytes of a CSV or TXT file: a million terms are about twenty
_COLUMNS = ("term", "alias", "note")
_MORE = "|"  # between several aliases in one cell
_SHOWN = 60


class SharedTerms(TermList):
    """A list that ships with sdsafe. Several packs may use it; it is matched and reported once."""


class _File(Strict):
    """The whole of a shared list (``sdsafe.terms/1``)."""

    format: Literal["sdsafe.terms/1"]
    id: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,63}$")]
    category: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    title: Annotated[str, Field(min_length=1, max_length=400)]
    note: Annotated[str, Field(min_length=1, max_length=2000)]
    source: Annotated[str, Field(min_length=1, max_length=400)]
    match: Literal["words", "substring"] = "words"
    tolerance: Literal[0, 1] = 0
    terms: Annotated[tuple[str | Term, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if self.id != self.category:
            raise ValueError("id and category of one name")
        return self


def shared_names() -> tuple[str, ...]:
    """Return the names of the lists that ship, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


@functools.lru_cache(maxsize=64)
def read_shared(name: str) -> SharedTerms:
    """Return the list called ``name``.

    Raises:
        PolicyFormatError: It is not one of ``shared_names()``, or damaged.
    """
    file = f"terms/{name}.yaml"
    if name not in shared_names():
        known = ", ".join(shared_names()) or "none"
        raise PolicyFormatError(file=file, key="", expected=f"a list that ships ({known})", found=repr(name[:_SHOWN]))
    read = build(_File, read_yaml((_folder() / f"{name}.yaml").read_bytes(), file), file)
    if read.id != name:
        raise PolicyFormatError(file=file, key="id", expected=repr(name), found=repr(read.id))
    fields = {key: getattr(read, key) for key in ("category", "match", "tolerance", "terms", "note", "source")}
    return SharedTerms(**fields)


def read_terms(path: Path, file: str, category: str) -> tuple[str | Term, ...]:
    """Return the terms of a file beside a pack.

    Args:
        path: A ``.yaml``, ``.csv`` or ``.txt`` file.
        file: What to call it in errors.
        category: Of the list that it belongs to.

    Raises:
        PolicyFormatError: It cannot be read, is too large, or holds what is no term; names the line.
    """
    if path.suffix == ".yaml":
        value = {"category": category, "terms": read_yaml(_bytes(path, file, MAX_BYTES), file)}
        return build(TermList, value, file).terms
    data = _bytes(path, file, _MAX_TEXT)
    if len(data) > _MAX_TEXT:
        raise PolicyFormatError(file=file, key="", expected=f"at most {_MAX_TEXT:,} bytes", found="more")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyFormatError(file=file, key=f"line {line}", expected="UTF-8", found="another encoding") from error
    return tuple(_rows(text, file) if path.suffix == ".csv" else _lines(text, file))


def can_match(term: str) -> bool:
    """Say whether a term has a letter or digit, and is short enough to be one."""
    return len(term) <= LONGEST_TERM and any(map(str.isalnum, term if term.isascii() else fold(term)))


def _folder() -> Path:
    return Path(str(files("sdsafe_policies"))) / "terms"


def _bytes(path: Path, file: str, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise PolicyFormatError(file=file, key="", expected="a file that can be read", found=found) from error


def _lines(text: str, file: str) -> Iterator[str]:
    """Yield the terms of a TXT file: one a line, ``#`` begins a comment line, empty lines do not count."""
    for number, line in enumerate(text.split("\n"), 1):
        term = line.strip()
        if not term or term.startswith("#"):
            continue
        if not can_match(term):
            _no_term(file, number, term)
        yield term


def _rows(text: str, file: str) -> Iterator[str | Term]:
    """Yield the terms of a CSV file; its first row names the columns, of which only ``term`` must be there."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _columns(next(reader, []), file)
        at = {name: columns.index(name) for name in columns}
        for row in reader:
            if len(row) > len(columns):
                _refuse(file, reader.line_num, f"{len(columns)} cells", f"{len(row)}: quote cells with commas")
            if any(map(str.strip, row)):
                cells = {name: row[place].strip() for name, place in at.items() if place < len(row)}
                yield _row(cells, file, reader.line_num)
    except csv.Error as error:
        _refuse(file, reader.line_num, "CSV", str(error))


def _columns(header: list[str], file: str) -> list[str]:
    columns = [name.strip().lower() for name in header]
    expected = f"a first row that names the columns {', '.join(_COLUMNS)}, of which alias and note may be left out"
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown or "term" not in columns or len(set(columns)) < len(columns):
        _refuse(file, 1, expected, ascii(", ".join(columns)[:_SHOWN]) if columns else "an empty file")
    return columns


def _row(cells: dict[str, str], file: str, line: int) -> str | Term:
    term, note, alias = cells.get("term", ""), cells.get("note", ""), cells.get("alias", "")
    aliases = tuple(each.strip() for each in alias.split(_MORE) if each.strip()) if alias else ()
    for text in (term, *aliases):
        if not can_match(text):
            _no_term(file, line, text)
    return Term(term=term, aliases=aliases, note=note) if aliases or note else term


def _no_term(file: str, line: int, found: str) -> NoReturn:
    expected = f"a term with a letter or digit, of at most {LONGEST_TERM} characters"
    _refuse(file, line, expected, ascii(found[:_SHOWN]) if len(found) <= LONGEST_TERM else f"{len(found):,} characters")


def _refuse(file: str, line: int, expected: str, found: str) -> NoReturn:
    raise PolicyFormatError(file=file, key=f"line {line}", expected=expected, found=found)
