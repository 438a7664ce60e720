"""Countries and groups of countries that licences name. A code that does not exist is an error, not "elsewhere"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdsafe.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WORLDWIDE", "overlap", "parse_territory"]

WORLDWIDE = "WORLDWIDE"
"""Everywhere: what is put on the open internet."""

# Member states since 2020-02-01.
_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_GROUPS = {"EU": frozenset(_EU.split())}
_ALIASES = {"UK": "GB", "EL": "GR", "WORLD": WORLDWIDE}
# ISO 3166-1 alpha-2, officially assigned codes.
_ISO = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY "
    "BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK "
    "FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR "
    "IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK "
    "ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM "
    "PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
_COUNTRIES = frozenset(_ISO.split())


def parse_territory(code: str) -> str:
    """Return the code in its usual form: a country, ``EU`` or ``WORLDWIDE``.

    Raises:
        RequestError: There is no such territory.
    """
    known = _ALIASES.get(code.strip().upper(), code.strip().upper())
    if known != WORLDWIDE and known not in _GROUPS and known not in _COUNTRIES:
        raise RequestError(
            f"no territory {code[:20]!r}",
            code="licence.territory",
            hint="Give a two-letter country code (ISO 3166-1), EU, or WORLDWIDE.",
        )
    return known


def overlap(declared: Iterable[str], excluded: Iterable[str]) -> tuple[str, ...]:
    """Return which of the ``excluded`` codes the ``declared`` territory touches, sorted."""
    places = tuple(declared)
    if WORLDWIDE in places:
        return tuple(sorted(excluded))
    countries = frozenset().union(*(_countries(code) for code in places))
    return tuple(sorted(code for code in excluded if _countries(code) & countries))


def _countries(code: str) -> frozenset[str]:
    return _GROUPS.get(code, frozenset((code,)))
