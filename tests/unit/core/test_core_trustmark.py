from __future__ import annotations

import re

import pytest

from sdsafe.core.softbinding import BindingKind, SoftBinding, listed_value
from sdsafe.core.trustmark import DATA_BITS, VARIANTS, asset_id_of, data_of, value_of

ID = bytes.fromhex("019aff007f575859")


@pytest.mark.parametrize("asset_id", [bytes(8), b"\xff" * 8, ID])
def test_an_id_comes_back_from_its_bits(asset_id: bytes) -> None:
    assert data_of(asset_id) < 1 << DATA_BITS
    assert asset_id_of(data_of(asset_id)) == asset_id


def test_fifteen_of_sixteen_checks_fail() -> None:
    data = data_of(ID)
    assert [asset_id_of(data ^ wrong) for wrong in range(1, 16)] == [None] * 15


def test_neither_all_zeros_nor_all_ones_carry_an_id() -> None:
    assert asset_id_of(0) is None
    assert asset_id_of((1 << DATA_BITS) - 1) is None


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_value_is_written_as_adobes_own_manifests_have_it(variant: str) -> None:
    value = value_of(f"com.adobe.trustmark.{variant}", ID)
    assert value is not None
    assert re.fullmatch(r"2\*[01]{68}", value)
    assert int(value[2:66], 2).to_bytes(8, "big") == ID
    mark = SoftBinding(alg=f"com.adobe.trustmark.{variant}", value=ID, kind=BindingKind.WATERMARK)
    assert listed_value(mark) == value


@pytest.mark.parametrize("alg", ["com.adobe.trustmark.B", "com.adobe.trustmark", "org.sdsafe.lattice.1", ""])
def test_other_algorithms_are_not_listed(alg: str) -> None:
    assert value_of(alg, ID) is None
    assert listed_value(SoftBinding(alg=alg, value=ID, kind=BindingKind.WATERMARK)) is None


@pytest.mark.parametrize("value", [b"", ID[:-1], ID + b"\x00"])
def test_a_payload_of_another_length_has_no_value(value: bytes) -> None:
    assert value_of("com.adobe.trustmark.P", value) is None


def test_a_fingerprint_cannot_borrow_the_name() -> None:
    claimed = SoftBinding(alg="com.adobe.trustmark.P", value=ID, kind=BindingKind.FINGERPRINT)
    assert listed_value(claimed) is None
