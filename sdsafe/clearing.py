"""Lets pictures and sounds out: every check looks, the packs judge, and what must be hidden or labelled is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sdsafe import release
from sdsafe.core.decisions import Effect
from sdsafe.core.request import Size
from sdsafe.core.states import Cleared
from sdsafe.errors import OutputRefusedError
from sdsafe.gates.guard import run_output_check
from sdsafe.gates.hard.gate import require_permitted_output
from sdsafe.obligations import label
from sdsafe.obligations.blur import blur

if TYPE_CHECKING:
    from sdsafe.core.findings import Box
    from sdsafe.core.pixels import Pixels
    from sdsafe.core.states import Generated
    from sdsafe.judgement import Judges
    from sdsafe.parts import Parts

__all__ = ["clear"]


def clear(parts: Parts, judges: Judges, generated: Generated) -> Cleared:
    """Look at a picture or a sound, judge it, and hide or label what policy says.

    Checks of pictures are not asked about a sound; a rule that needs one of their scores is unknown then.

    Raises:
        RefusedError: Packs or the hard layer do not let it out.
    """
    admitted = generated.admitted
    request, opening = admitted.request, admitted.opening
    heard = generated.sound is not None
    size = None if heard else Size(width=generated.pixels.shape[1], height=generated.pixels.shape[0])
    checks = tuple(run_output_check(check, generated) for check in (parts.listening if heard else parts.looking))
    seen = (*admitted.checks, *checks)
    require_permitted_output(generated, seen, parts.incidents, shows_person=judges.shows_person(request))
    decision = judges.output(request, size, checks)
    export = judges.export(request, size, seen)
    plan = judges.plan((admitted.decision, decision, export), request, size, opening.mode, checks)
    if plan.disclosure is not opening.mode:  # a rule about the output may ask to show less
        opening = replace(opening, mode=plan.disclosure)
        generated = replace(generated, admitted=replace(admitted, opening=opening))
    pixels = generated.pixels
    if plan.blur:
        pixels = _hidden(parts, judges, generated, release.hidden_places(plan, decision, checks))
    if plan.labels:
        pixels = label.draw(pixels, plan.labels, parts.house.label_font)
    done = (("blur", plan.blur), ("visible_label", plan.labels))
    return Cleared(
        generated=generated,
        pixels=pixels,
        decision=decision,
        export=export,
        plan=plan,
        checks=checks,
        unchecked=not parts.checked,
        actions=tuple(name for name, wanted in done if wanted),
        not_applicable=tuple(check.name for check in parts.looking) if heard else (),
    )


def _hidden(parts: Parts, judges: Judges, generated: Generated, places: tuple[Box, ...] | None) -> Pixels:
    """Return the picture with those places hidden, after a second look that asks for nothing more; None: all of it."""
    request = generated.admitted.request
    pixels = blur(generated.pixels, places)
    pixels.setflags(write=False)
    hidden = replace(generated, pixels=pixels)
    again = tuple(run_output_check(check, hidden) for check in parts.looking)
    size = Size(width=pixels.shape[1], height=pixels.shape[0])
    second = judges.output(request, size, again)
    if any(rule.effect >= Effect.TRANSFORM for rule in release.hiding(second)):
        msg = "what a check saw is still seen after it was hidden"
        raise OutputRefusedError(msg, decision=second, checks=again)
    return pixels
