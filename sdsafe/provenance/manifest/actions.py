"""What was done, and to which pictures: the actions and picture ingredients of every task (C2PA 2.4, 18.15).

| task | actions | the picture is |
|---|---|---|
| generate, audio | created (trained) | - |
| transform, vary | opened, edited (composite) | ``parentOf`` |
| inpaint | opened, edited (composite, with the region) | ``parentOf``, the mask ``inputTo`` |
| outpaint | created (composite), placed | ``componentOf`` |
| restore | opened, edited (composite, with the boxes) | ``parentOf`` |
| upscale | opened, resized; where no model takes part | ``parentOf`` |
| upscale with a model | opened, edited (composite), resized | ``parentOf`` |

What was made elsewhere and is signed as it is was opened, and converted where its format is another one.
What is resized alone stays what it was: where the picture says that a model made it, so does the action.

Pictures that adapters read (control, reference) are ``inputTo``, as the adapters are.
What policy demanded (edited) and the mark (watermarked) follow; a sound has no mark, and no action says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sdsafe._internal import images
from sdsafe.core.findings import Box
from sdsafe.core.regions import read_boxes
from sdsafe.core.request import PromptDisclosure, Task
from sdsafe.core.softbinding import listed_value
from sdsafe.errors import ManifestError
from sdsafe.provenance.manifest import container, labels
from sdsafe.provenance.manifest.document import Ingredient
from sdsafe.provenance.manifest.generation import scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sdsafe.core.pixels import Pixels
    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.core.states import Encoded, Execution

__all__ = ["TASKS", "actions", "adapter_labels", "names_model", "names_prompt", "pictures", "require_known"]

_MODEL, _PROMPT, _IMAGE, _MASK = "model", "prompt", "image", "mask"  # labels of ingredients and roles of inputs

TASKS = frozenset(
    {
        Task.GENERATE,
        Task.TRANSFORM,
        Task.VARY,
        Task.INPAINT,
        Task.OUTPAINT,
        Task.UPSCALE,
        Task.RESTORE,
        Task.AUDIO,
        Task.SIGN,
    }
)
"""Tasks whose actions are known."""

_ROLES: Mapping[Task, tuple[str, ...]] = {Task.GENERATE: (), Task.AUDIO: (), Task.INPAINT: (_IMAGE, _MASK)}
_STEERING = {"control": "control picture", "reference": "reference picture"}  # what adapters read
_SELECTED = 128  # from this brightness on a mask is painted; as generation has it


def names_model(request: GenerationRequest) -> bool:
    """Say whether a model took part."""
    return request.by_model


def names_prompt(request: GenerationRequest, mode: PromptDisclosure) -> bool:
    """Say whether there is a prompt that the manifest may speak of."""
    return mode is not PromptDisclosure.OMIT and names_model(request) and bool(request.prompt)


def adapter_labels(execution: Execution) -> tuple[str, ...]:
    """Return the labels of the ingredients that stand for adapters, in their order."""
    return tuple(f"adapter-{number}" for number in range(1, len(execution.adapters) + 1))


def require_known(request: GenerationRequest) -> None:
    """Refuse a task whose actions nobody has defined: "created" of an edited picture would be a false statement.

    Raises:
        ManifestError: ``manifest.task``.
    """
    roles = sorted(each.role for each in request.inputs)
    if request.task not in TASKS or roles != request.roles(_ROLES.get(request.task, (_IMAGE,))):
        raise ManifestError(
            f"no manifest is defined for the task {request.task.value!r} with {len(request.inputs)} inputs",
            code="manifest.task",
            hint=f"Tasks that can be signed: {', '.join(sorted(each.value for each in TASKS))}.",
        )


def pictures(request: GenerationRequest) -> tuple[Ingredient, ...]:
    """Return the pictures that went in, the one that the task starts from first; their manifests are carried on.

    All others are ``inputTo``: they went in, and nothing of them is seen.
    """
    relations = {_IMAGE: "componentOf" if request.task is Task.OUTPAINT else "parentOf"}
    titles = {_IMAGE: "input picture", _MASK: "mask", **_STEERING}
    return tuple(
        Ingredient(
            description={"label": role, "title": title, "relationship": relations.get(role, "inputTo")},
            **_file_of(each),
        )
        for role, title in titles.items()
        for each in request.inputs
        if each.role == role
    )


def _file_of(image: InputImage) -> dict[str, Any]:
    """Return the bytes of an input: its file, or its pixels with the manifest that was removed from it.

    The library reads the manifest from the bytes, finds that they are not those that it is about, and puts that on
    record; ``org.sdsafe.generation`` says why.
    """
    if image.origin is None or image.origin.manifest_store is None:
        return {"media_type": image.media_type, "data": image.data}
    return {
        "media_type": "image/png",
        "data": container.with_store(images.encode(image.pixels), image.origin.manifest_store),
    }


def actions(encoded: Encoded, agent: Mapping[str, str], when: str) -> list[object]:
    """Return what was done, in order."""
    cleared = encoded.marked.cleared
    request = cleared.generated.admitted.request
    edited = [
        {
            "action": labels.ACTION_EDITED,
            "when": when,
            "digitalSourceType": labels.SOURCE_ENHANCED,
            "softwareAgent": agent,
            "description": f"demanded by policy: {action}",
            "parameters": {labels.PARAMETER_PREFIX + "action": action},
        }
        for action in cleared.actions
    ]
    made = _made(request, _parameters(encoded), {"when": when, "softwareAgent": agent})
    mark = encoded.marked.watermark
    if mark is None:
        return [*made, *edited]
    marked = {
        "action": labels.ACTION_WATERMARKED if listed_value(mark) is None else labels.ACTION_WATERMARKED_BOUND,
        "when": when,
        "softwareAgent": agent,
        "parameters": {labels.PARAMETER_PREFIX + "watermark": mark.alg},
    }
    return [*made, *edited, marked]


def _made(
    request: GenerationRequest, parameters: Mapping[str, object], common: Mapping[str, object]
) -> list[Mapping[str, object]]:
    opened = {"action": labels.ACTION_OPENED, **common, "parameters": {"ingredientIds": [_IMAGE]}}
    composite = {**common, "digitalSourceType": labels.SOURCE_COMPOSITE, "parameters": parameters}
    match request.task:
        case Task.GENERATE | Task.AUDIO:
            source = {"digitalSourceType": labels.SOURCE_TRAINED, "parameters": parameters}
            return [{"action": labels.ACTION_CREATED, **common, **source}]
        case Task.SIGN:
            kept = request.inputs[0].media_type == request.media_type
            return [opened, *([] if kept else [{"action": labels.ACTION_CONVERTED, **common}])]
        case Task.OUTPAINT:
            placed = {"action": labels.ACTION_PLACED, **common, "parameters": {"ingredientIds": [_IMAGE]}}
            return [{"action": labels.ACTION_CREATED, **composite}, placed]
        case Task.UPSCALE:
            resized = {"action": labels.ACTION_RESIZED, **common}
            if names_model(request):
                return [opened, {"action": labels.ACTION_EDITED, **composite}, resized]
            return [opened, {**resized, **_inherited(request), "parameters": parameters}]
        case _:
            return [opened, {"action": labels.ACTION_EDITED, **composite, **_changes(request)}]


def _parameters(encoded: Encoded) -> dict[str, object]:
    generated = encoded.marked.cleared.generated
    request, opening = generated.admitted.request, generated.admitted.opening
    known = {
        "asset_id": str(generated.asset_id),
        "seed": generated.seed if names_model(request) else None,
        "steps": request.steps,
        "guidance": scalar(request.guidance),
        "strength": scalar(request.parameters.get("strength")),
        "scale": request.parameters.get("scale"),
        "seconds": scalar(request.seconds),
    }
    went_in = [
        *([_MODEL] if names_model(request) else []),
        *([_PROMPT] if names_prompt(request, opening.mode) else []),
        *([_MASK] if request.task is Task.INPAINT else []),
        *adapter_labels(generated.execution),
        *(role for role in _STEERING if any(each.role == role for each in request.inputs)),
    ]
    stated = {labels.PARAMETER_PREFIX + name: value for name, value in known.items() if value is not None}
    return {**({"ingredientIds": went_in} if went_in else {}), **stated}


def _inherited(request: GenerationRequest) -> dict[str, object]:
    """Return what the picture itself says of how it was made, where that is by a model: no algorithm unsays it."""
    said = [each.made_by_ai for each in request.inputs if each.made_by_ai is not None]
    return {"digitalSourceType": said[0]} if said else {}


def _changes(request: GenerationRequest) -> dict[str, object]:
    """Return where the picture was changed: the rectangle around the mask, or every box; nothing where all of it was."""
    boxes: tuple[Box, ...] = ()
    if request.task is Task.INPAINT:
        boxes = (_bounds(next(each for each in request.inputs if each.role == _MASK).pixels),)
    elif request.task is Task.RESTORE:
        boxes = read_boxes(str(request.parameters.get("boxes", "")))
    says = "painted inside the mask" if request.task is Task.INPAINT else "restored inside the boxes"
    return {"changes": [{"description": says, "region": [_region(each) for each in boxes]}]} if boxes else {}


def _region(box: Box) -> dict[str, object]:
    shape = {
        "type": "rectangle",
        "unit": "pixel",
        "origin": {"x": box.left, "y": box.top},
        "width": box.right - box.left,
        "height": box.bottom - box.top,
    }
    return {"type": "spatial", "shape": shape}


def _bounds(mask: Pixels) -> Box:
    painted = mask.mean(axis=2) >= _SELECTED
    rows, columns = (np.flatnonzero(painted.any(axis=axis)) for axis in (1, 0))
    return Box(left=int(columns[0]), top=int(rows[0]), right=int(columns[-1]) + 1, bottom=int(rows[-1]) + 1)
