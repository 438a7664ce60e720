"""Shows obligation by obligation that it was met, from what was read back from the finished file. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.core.decisions import Discharge
from sdsafe.obligations.duties import DUTIES

if TYPE_CHECKING:
    from sdsafe.core.plans import Plan
    from sdsafe.obligations.means import Finished

__all__ = ["discharge", "undone"]


def discharge(plan: Plan, finished: Finished) -> tuple[Discharge, ...]:
    """Return what the file shows, one for each obligation; what only the signed file can show is left out before it.

    An obligation that nothing here knows is not met.
    """
    found = []
    for demand in plan.demands:
        duty = DUTIES.get(demand.obligation.code)
        if duty is not None and duty.signed and finished.manifest is None:
            continue
        if duty is not None and duty.declared:
            found.append(finished.declared(demand.obligation))
            continue
        evidence = duty.show(demand.obligation.params, finished) if duty else ""
        found.append(
            Discharge(
                obligation=demand.obligation,
                evidence=evidence or "the finished file does not show it",
                ok=bool(evidence),
            )
        )
    return tuple(found)


def undone(plan: Plan, discharges: tuple[Discharge, ...]) -> str:
    """Return what was not shown, with the rules that demand it; nothing where all was."""
    shown = [each.obligation for each in discharges if each.ok]
    return "; ".join(
        f"{demand.by} obliges to {demand.obligation.code}" for demand in plan.demands if demand.obligation not in shown
    )
