"""Contract suites: what every plug-in of a slot has to show, the built-in ones and the fakes included.

Inherit and say how to make one::

    class TestMyWatermarker(WatermarkerContract):
        def make(self) -> Watermarker:
            return MyWatermarker()

pytest collects the inherited ``test_`` methods. The classes need no pytest themselves; any runner that calls the
methods and takes ``AssertionError`` for a failure will do.
"""

from sdsafe.testing.contracts.checks import OutputCheckContract, PromptCheckContract
from sdsafe.testing.contracts.fingerprinters import FingerprinterContract
from sdsafe.testing.contracts.watermarkers import WatermarkerContract

__all__ = ["FingerprinterContract", "OutputCheckContract", "PromptCheckContract", "WatermarkerContract"]
