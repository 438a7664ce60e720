from __future__ import annotations

import pytest

from sdsafe.errors import ConfigurationError
from sdsafe.generation.devices import DEVICES, Device, Probe, resolve_device, resolve_dtype

NVIDIA = Probe(cuda=True)
AMD = Probe(cuda=True, hip="6.4")
APPLE = Probe(mps=True)
INTEL = Probe(xpu=True)
NONE = Probe()


@pytest.mark.parametrize(
    ("wanted", "probe", "torch", "name"),
    [
        ("auto", NVIDIA, "cuda", "cuda"),
        ("auto", AMD, "cuda", "rocm"),
        ("auto", APPLE, "mps", "mps"),
        ("auto", INTEL, "xpu", "xpu"),
        ("auto", NONE, "cpu", "cpu"),
        ("auto", Probe(cuda=True, xpu=True), "cuda", "cuda"),
        ("rocm", AMD, "cuda", "rocm"),
        ("cuda", NVIDIA, "cuda", "cuda"),
        ("cpu", NVIDIA, "cpu", "cpu"),
    ],
)
def test_devices_are_resolved_once(wanted: str, probe: Probe, torch: str, name: str) -> None:
    assert resolve_device(wanted, probe) == Device(torch=torch, name=name)


@pytest.mark.parametrize(
    ("wanted", "probe"),
    [("cuda", NONE), ("cuda", AMD), ("rocm", NVIDIA), ("rocm", NONE), ("mps", NVIDIA), ("xpu", AMD)],
)
def test_a_device_that_is_not_there_is_an_error_not_the_cpu(wanted: str, probe: Probe) -> None:
    with pytest.raises(ConfigurationError, match=f"device '{wanted}' is not usable") as caught:
        resolve_device(wanted, probe)
    assert "cpu" in caught.value.hint


def test_an_unknown_device_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="unknown device 'tpu'") as caught:
        resolve_device("tpu", NVIDIA)
    assert all(name in caught.value.hint for name in DEVICES)


@pytest.mark.parametrize(
    ("wanted", "device", "dtype"),
    [
        ("auto", "cpu", "float32"),
        ("auto", "mps", "float32"),
        ("auto", "cuda", "bfloat16"),
        ("auto", "rocm", "bfloat16"),
        ("auto", "xpu", "bfloat16"),
        ("float16", "cpu", "float16"),
        ("float32", "cuda", "float32"),
    ],
)
def test_number_types(wanted: str, device: str, dtype: str) -> None:
    assert resolve_dtype(wanted, Device(torch=device, name=device), "bfloat16") == dtype


def test_an_unknown_number_type_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown dtype"):
        resolve_dtype("int8", Device(torch="cpu", name="cpu"), "float16")
