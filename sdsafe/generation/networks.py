"""ONNX networks that a request names: where the file is, what it contains, and what may be asked of it. Light.

A network takes a picture and gives one: it restores what it is shown, or enlarges it. Its identity is the SHA-256 of
its file; nothing of it runs here (``restoring`` does that).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdsafe.core.regions import read_boxes
from sdsafe.core.request import Task
from sdsafe.errors import GenerationError, RequestError
from sdsafe.generation.adapters import stated_licence
from sdsafe.generation.enlarging import refuse_idle, require_room
from sdsafe.generation.families import NETWORK, check_parameters
from sdsafe.generation.hashing import LOCAL, FileHashes, LocalNames
from sdsafe.generation.identity import expect
from sdsafe.generation.tasks import resolve_pictures

if TYPE_CHECKING:
    from sdsafe.core.request import GenerationRequest, ModelRef, Scalar, Size

__all__ = ["NetworkLocator", "is_meant"]

_FILE = re.compile(r".*\.onnx(~\d+)?", re.IGNORECASE | re.DOTALL)  # the number tells two of one name apart in records
_MAX_BYTES = 2 << 30  # what one protobuf message can hold
_MIN_SIDE = 8  # pixels of a box


def is_meant(request: GenerationRequest) -> bool:
    """Say whether a request is one for an ONNX network."""
    if request.task is Task.RESTORE:
        return True
    return request.task is Task.UPSCALE and _FILE.fullmatch(request.model.repo) is not None


class NetworkLocator:
    """Finds networks by their files, and remembers where they are so that no path has to be recorded."""

    def __init__(self) -> None:
        """Start knowing none."""
        self._names = LocalNames()
        self._hashes = FileHashes()

    def resolve(self, request: GenerationRequest) -> GenerationRequest:
        """Return a request with everything filled in and checked; see ``Generator.resolve``.

        Raises:
            RequestError: ``request.network``: no ONNX file is named. Or it states something that has no effect here,
                a box lies outside the picture, or the result would be too large.
            GenerationError: The file cannot be read, or is not the one that was asked for.
        """
        refuse_idle(request, "an ONNX network")
        ref = self._locate(request.model)
        resolved = resolve_pictures(request)
        parameters = check_parameters(resolved.parameters, NETWORK, task=resolved.task)
        size = require_room(resolved)
        _check_boxes(parameters.get("boxes", ""), size)
        return replace(resolved, model=ref, parameters=parameters)

    def read(self, ref: ModelRef) -> bytes:
        """Return the file of a located network, after making sure that these very bytes are the ones that were meant.

        Raises:
            GenerationError: ``model.wrong-hash``, or it cannot be read.
        """
        path = self._names.folder(ref.repo)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise GenerationError(f"{path.name} of the model cannot be read: {error.strerror}") from error
        expect(ref, replace(ref, digest=hashlib.sha256(data).hexdigest()))
        return data

    def _locate(self, ref: ModelRef) -> ModelRef:
        path = self._names.folder(ref.repo) if ref.repo.startswith(LOCAL) else _path(ref.repo)
        file = self._hashes.digest(path.parent, path.name)
        if not 0 < file.size <= _MAX_BYTES:
            raise _refused(f"{path.name} is {'empty' if not file.size else 'larger than 2 GiB'}", "It is no ONNX file.")
        found = replace(
            ref,
            repo=self._names.name(path),
            revision=file.sha256,
            digest=file.sha256,
            license=ref.license or stated_licence(path.parent),
            pipeline=NETWORK,
            files=(file,),
        )
        expect(replace(ref, digest=ref.digest or ref.revision), found)
        return found


def _path(repo: str) -> Path:
    try:
        path = Path(repo).expanduser()
        if _FILE.fullmatch(repo) and path.is_file():
            return path
    except (OSError, RuntimeError, ValueError):  # too long, no such user, NUL: not a path
        pass
    what = "no ONNX network is named" if repo.startswith("builtin:") else f"no ONNX network {repo[:200]!r}"
    raise _refused(what, "Name a file that ends in .onnx: --network FILE.onnx, or the model of the request.")


def _check_boxes(text: Scalar, size: Size) -> None:
    for box in read_boxes(str(text)):
        width, height = box.right - box.left, box.bottom - box.top
        says = f"{box.left},{box.top},{width},{height}"
        if box.right > size.width or box.bottom > size.height:
            raise RequestError(
                f"the box {says} does not lie in the picture, which measures {size}",
                code="request.box",
                hint="A box is X,Y,WIDTH,HEIGHT in pixels, from the top left of the picture as it stands upright.",
            )
        if min(width, height) < _MIN_SIDE:
            raise RequestError(
                f"the box {says} is too small", code="request.box", hint=f"Its sides are at least {_MIN_SIDE} pixels."
            )


def _refused(what: str, hint: str) -> RequestError:
    return RequestError(what, code="request.network", hint=hint)
