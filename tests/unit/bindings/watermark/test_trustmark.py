"""The plug-in over small networks with the inputs and outputs of TrustMark's (``conftest.py``).

They go through the real loader; what is not tested here is how well Adobe's own networks mark and read.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sdsafe import plugins
from sdsafe._internal import images
from sdsafe.bindings.watermark import trustmark_networks, trustmark_weights
from sdsafe.bindings.watermark.embedding import psnr
from sdsafe.bindings.watermark.trustmark import TrustMarkWatermarker
from sdsafe.bindings.watermark.trustmark_frame import p_value, pack
from sdsafe.bindings.watermark.trustmark_networks import NetworkFile
from sdsafe.core.places import Places
from sdsafe.errors import ConfigurationError, MissingExtraError, PluginError, WatermarkError
from sdsafe.testing.contracts import WatermarkerContract
from sdsafe.testing.samples import sample_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Networks = Callable[..., tuple[NetworkFile, NetworkFile]]

ID = bytes.fromhex("019aff007f575859")


class _Contract(WatermarkerContract):
    variant: str
    stated = True

    @pytest.fixture(autouse=True)
    def _networks(self, networks: Networks) -> None:
        self.files = networks(self.variant, stated=self.stated)

    def make(self) -> TrustMarkWatermarker:
        return TrustMarkWatermarker(*self.files, variant=self.variant, threads=1)


class TestVariantP(_Contract):
    __test__ = True
    variant = "P"


class TestVariantQ(_Contract):
    __test__ = True
    variant = "Q"


class TestNetworksThatLeaveTheirSizeOpen(_Contract):
    __test__ = True
    variant = "P"
    stated = False


_Contract.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def marker(networks: Networks) -> TrustMarkWatermarker:
    return TrustMarkWatermarker(*networks("P"), variant="P")


def code_of(call: Callable[[], object], kind: type[Exception] = ConfigurationError) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.hint  # type: ignore[attr-defined]
    return str(caught.value.code)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("height", "width"), [(256, 256), (700, 900), (300, 1000), (1000, 300), (1500, 1400)])
@pytest.mark.parametrize("variant", ["P", "Q"])
def test_pictures_of_every_shape_carry_the_mark(networks: Networks, variant: str, height: int, width: int) -> None:
    marker = TrustMarkWatermarker(*networks(variant), variant=variant)
    cover = sample_picture(7, height=height, width=width)
    (marked,) = marker.embed([cover], [ID])
    (found,) = marker.detect([images.decode(images.encode(marked))])
    assert (found.payload, found.alg) == (ID, f"com.adobe.trustmark.{variant}")
    assert found.p_value == p_value(found.corrected or 0)
    assert psnr(cover, marked) > 40


def test_half_and_double_size_still_read(marker: TrustMarkWatermarker) -> None:
    (marked,) = marker.embed([sample_picture(2, height=768, width=768)], [ID])
    for side in (384, 1536):
        assert marker.detect([images.resize(marked, side, side)])[0].payload == ID


def test_wrong_bits_are_counted_and_too_many_are_no_payload(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = 0

    def bits(_self: object, _shown: object) -> np.ndarray:
        changed = pack(ID) > 0.5
        changed[:wrong] = ~changed[:wrong]
        return changed

    monkeypatch.setattr(trustmark_networks.Decoder, "bits", bits)
    strict, loose = (TrustMarkWatermarker(*networks(), false_positive_rate=rate) for rate in (1e-6, 1e-4))
    for wrong in range(7):
        (near,), (far,) = strict.detect([sample_picture()]), loose.detect([sample_picture()])
        assert near.payload == (ID if wrong <= 2 else None)
        assert far.payload == (ID if wrong <= 4 else None)
        assert far.corrected == (wrong if wrong <= 4 else None)
        assert near.p_value is None or near.p_value <= 1e-6


def test_a_mark_that_does_not_read_back_is_strengthened_then_refused(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    cover = sample_picture(1)
    weak = TrustMarkWatermarker(*networks("Q"), variant="Q", strength=0.01)
    assert code_of(lambda: weak.embed([cover], [ID]), WatermarkError) == "watermark.unreadable"
    tries: list[int] = []
    real = trustmark_networks.Decoder.bits

    def late(self: trustmark_networks.Decoder, shown: Any) -> np.ndarray:
        tries.append(1)
        return real(self, shown) if len(tries) > 1 else np.zeros(100, bool)

    monkeypatch.setattr(trustmark_networks.Decoder, "bits", late)
    marker = TrustMarkWatermarker(*networks("Q"), variant="Q")
    (marked,) = marker.embed([cover], [ID])
    assert len(tries) == 2
    assert marker.detect([marked])[0].payload == ID


def test_more_change_than_34_db_is_refused(networks: Networks) -> None:
    strong = TrustMarkWatermarker(*networks("Q"), variant="Q", strength=4.0)
    noisy = np.random.default_rng(3).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert code_of(lambda: strong.embed([noisy], [ID]), WatermarkError) == "watermark.unreadable"


def test_sizes_are_said_beforehand(marker: TrustMarkWatermarker) -> None:
    marker.check_size(256, 4000)
    marker.check_legible(64, 64)
    assert code_of(lambda: marker.check_size(255, 4000), WatermarkError) == "watermark.too-small"
    assert code_of(lambda: marker.check_legible(63, 4000), WatermarkError) == "watermark.too-small"
    assert marker.detect([sample_picture(height=63, width=300)])[0].payload is None
    gray: Any = np.zeros((300, 300), np.uint8)
    with pytest.raises(WatermarkError) as caught:
        marker.embed([gray], [ID])
    assert caught.value.code == "watermark.not-pixels"


class TestNetworkFiles:
    def test_reading_needs_no_encoder(self, networks: Networks, tmp_path: Path) -> None:
        encoder, decoder = networks()
        (marked,) = TrustMarkWatermarker(encoder, decoder).embed([sample_picture()], [ID])
        auditor = TrustMarkWatermarker(NetworkFile(tmp_path / "encoder_P.onnx", "0" * 64), decoder)
        assert auditor.detect([marked])[0].payload == ID
        assert code_of(lambda: auditor.embed([marked], [ID])) == "watermark.network-missing"
        assert code_of(lambda: auditor.check_size(512, 512)) == "watermark.network-missing"

    def test_a_changed_file_is_refused_before_it_is_parsed(self, networks: Networks) -> None:
        encoder, decoder = networks()
        decoder.path.write_bytes(decoder.path.read_bytes() + b"\x00")
        with pytest.raises(ConfigurationError) as caught:
            TrustMarkWatermarker(encoder, decoder).detect([sample_picture()])
        assert caught.value.code == "watermark.network-changed"
        assert decoder.sha256[:12] in str(caught.value)
        assert str(decoder.path.parent) not in str(caught.value)

    def test_what_is_loaded_stays_when_the_file_is_swapped(self, networks: Networks) -> None:
        encoder, decoder = networks()
        marker = TrustMarkWatermarker(encoder, decoder)
        (marked,) = marker.embed([sample_picture()], [ID])
        decoder.path.write_bytes(b"other")
        assert marker.detect([marked])[0].payload == ID

    def test_a_pickle_runs_no_code(self, networks: Networks, tmp_path: Path) -> None:
        ran = tmp_path / "ran"

        path = tmp_path / "decoder_P.ckpt"
        path.write_bytes(f"cos\nmkdir\n(V{ran}\ntR.".encode())  # unpickled, it would make the folder
        file = NetworkFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
        marker = TrustMarkWatermarker(networks()[0], file)
        assert code_of(lambda: marker.detect([sample_picture()])) == "watermark.network-unusable"
        assert not ran.exists()

    def test_networks_of_other_inputs_or_answers_are_refused(self, networks: Networks) -> None:
        encoder, decoder = networks()
        swapped = TrustMarkWatermarker(decoder, encoder)
        assert code_of(lambda: swapped.detect([sample_picture()])) == "watermark.network-unusable"
        with pytest.raises(ConfigurationError) as caught:
            swapped.embed([sample_picture()], [ID])
        assert "inputs" in str(caught.value)

    def test_a_decoder_that_answers_other_numbers_is_refused(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx")
        helper, kind = onnx.helper, onnx.TensorProto.FLOAT
        shape = (1, 3, 224, 224)
        given = helper.make_tensor_value_info("image", kind, shape)
        path = tmp_path / "decoder_P.onnx"
        for operator in ("Relu", "Log"):
            # Relu answers a picture, not 100 numbers; the mean of logarithms of negative numbers is not a number.
            graph = helper.make_graph(
                [helper.make_node(operator, ["image"], ["output"])],
                "wrong",
                [given],
                [helper.make_tensor_value_info("output", kind, shape)],
            )
            onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
            file = NetworkFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
            marker = TrustMarkWatermarker(file, file)
            assert code_of(partial(marker.detect, [sample_picture()])) == "watermark.network-unusable"

    def test_a_file_of_absurd_size_is_not_read(self, networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trustmark_networks, "_MOST_BYTES", 10)
        marker = TrustMarkWatermarker(*networks())
        assert code_of(lambda: marker.detect([sample_picture()])) == "watermark.network-unusable"

    def test_without_onnxruntime_it_says_what_to_install(
        self, networks: Networks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        marker = TrustMarkWatermarker(*networks())
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(MissingExtraError) as caught:
            marker.detect([sample_picture()])
        assert "sdsafe[trustmark]" in caught.value.hint

    def test_torch_is_not_imported(self, networks: Networks) -> None:
        encoder, decoder = networks()
        code = (
            "import sys; sys.modules['torch'] = None; from pathlib import Path; import numpy as np\n"
            "from sdsafe.bindings.watermark.trustmark import TrustMarkWatermarker as T\n"
            "from sdsafe.bindings.watermark.trustmark_networks import NetworkFile as F\n"
            f"t = T(F(Path({str(encoder.path)!r}), {encoder.sha256!r}), F(Path({str(decoder.path)!r}), {decoder.sha256!r}))\n"
            "(m,) = t.embed([np.full((256, 256, 3), 90, np.uint8)], [b'12345678'])\n"
            "assert t.detect([m])[0].payload == b'12345678'"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


class TestOptions:
    @pytest.fixture
    def places(self, tmp_path: Path) -> Places:
        return Places(state=tmp_path / "state", cache=tmp_path / "cache")

    def test_it_is_a_plug_in_that_settings_name(self, networks: Networks, places: Places) -> None:
        encoder, decoder = networks("Q")
        options = {
            "variant": "Q",
            "folder": str(decoder.path.parent),
            "encoder_sha256": encoder.sha256,
            "decoder_sha256": decoder.sha256,
            "strength": 1,
            "false_positive_rate": 1e-5,
            "threads": 1,
        }
        marker = plugins.load("sdsafe.watermarkers", "trustmark", places, options)
        (marked,) = marker.embed([sample_picture()], [ID])
        assert marker.detect([marked])[0].payload == ID
        assert marker.version == f"1+{decoder.sha256[:12]}"

    @pytest.mark.parametrize("variant", sorted(trustmark_weights.PUBLISHED))
    def test_published_networks_need_no_digest_and_are_looked_for_in_the_cache(
        self, places: Places, variant: str
    ) -> None:
        marker = TrustMarkWatermarker.configure(places, {"variant": variant})
        with pytest.raises(ConfigurationError) as caught:
            marker.detect([sample_picture()])
        assert caught.value.code == "watermark.network-missing"
        assert f"decoder_{variant}.onnx" in str(caught.value)
        assert "models pull" in caught.value.hint

    def test_published_digests_pin_the_file_in_the_cache(self, networks: Networks, places: Places) -> None:
        folder = trustmark_weights.folder_of(places)
        folder.mkdir(parents=True)
        for each in networks("P"):
            (folder / each.path.name).write_bytes(each.path.read_bytes())
        marker = TrustMarkWatermarker.configure(places, {})
        assert code_of(lambda: marker.detect([sample_picture()])) == "watermark.network-changed"

    @pytest.mark.parametrize(
        "options",
        [
            {"variant": "B"},
            {"variant": "C"},
            {"variant": "C", "encoder_sha256": "0" * 64},
            {"decoder_sha256": "ABC"},
            {"decoder_sha256": 5},
            {"strength": 0.0},
            {"strength": 9.0},
            {"strength": True},
            {"false_positive_rate": 1e-12},
            {"false_positive_rate": 1.0},
            {"threads": "2"},
            {"key_file": "x"},
        ],
    )
    def test_what_cannot_be_is_refused_by_name(self, places: Places, options: dict[str, object]) -> None:
        assert code_of(lambda: TrustMarkWatermarker.configure(places, options), PluginError) == "plugin.invalid"
