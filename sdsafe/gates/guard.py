"""Runs one check and turns whatever happens into a ``CheckResult``; it never raises and never passes silently."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from sdsafe._internal.clock import rfc3339
from sdsafe.core.findings import CheckResult, CheckStatus, Finding, Stage
from sdsafe.protocols import InputCheck, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sdsafe.core.request import GenerationRequest, InputImage
    from sdsafe.core.states import Generated
    from sdsafe.protocols import Named, OutputCheck, PromptCheck

__all__ = ["run_input_check", "run_output_check", "run_prompt_check"]


def run_prompt_check(check: PromptCheck, request: GenerationRequest) -> CheckResult:
    """Run a prompt check; nothing found is a result like any other."""
    return _run(check.name, check.version, Stage.PROMPT, lambda: check.check(request), must_find=False)


def run_input_check(check: Named, image: InputImage) -> CheckResult:
    """Run a check over a picture that goes in; a check that only looks at what comes out is unavailable."""

    def look() -> Iterable[Finding]:
        if not isinstance(check, InputCheck):
            raise Unavailable(f"{check.name} does not look at pictures that go in")
        return check.check_input(image)

    return _run(check.name, check.version, Stage.INPUT, look, must_find=True)


def run_output_check(check: OutputCheck, generated: Generated) -> CheckResult:
    """Run an output check; a check that measured nothing has not looked, so no findings is an error."""
    return _run(check.name, check.version, Stage.OUTPUT, lambda: check.check(generated), must_find=True)


def _run(
    name: str, version: str, stage: Stage, look: Callable[[], Iterable[Finding]], *, must_find: bool
) -> CheckResult:
    started = time.perf_counter()
    returned: tuple[object, ...] = ()
    try:
        returned = tuple(look())
        status, detail = _examine(returned, must_find=must_find)
    except Unavailable as missing:
        status, detail = CheckStatus.UNAVAILABLE, str(missing)
    except Exception as fault:  # noqa: BLE001 - a plug-in may raise anything; policy fails closed on the status
        status, detail = CheckStatus.ERROR, type(fault).__name__
    return CheckResult(
        check=name,
        version=version,
        status=status,
        stage=stage,
        findings=tuple(each for each in returned if isinstance(each, Finding)) if status is CheckStatus.OK else (),
        ms=(time.perf_counter() - started) * 1000,
        detail=detail,
        at=rfc3339(),
    )


def _examine(findings: tuple[object, ...], *, must_find: bool) -> tuple[CheckStatus, str]:
    if must_find and not findings:
        return CheckStatus.ERROR, "returned no findings"
    for finding in findings:
        if not isinstance(finding, Finding):
            return CheckStatus.ERROR, f"returned {type(finding).__name__} instead of Finding"
        if finding.score is not None and not (math.isfinite(finding.score) and 0 <= finding.score <= 1):
            return CheckStatus.ERROR, "returned a score outside 0 to 1"
    return CheckStatus.OK, ""
