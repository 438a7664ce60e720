"""Networks that onnxruntime runs on the CPU: sessions over bytes, so that what was hashed is what runs."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["open_session"]

_SEEDING = threading.Lock()  # the seed is one for the whole process, and a session reads it while it is made


def open_session(read: Callable[[], bytes], *, threads: int = 0, seed: int = 0) -> Any:
    """Return a session over what ``read`` returns; it may be called from several threads.

    Args:
        read: Returns the whole ONNX file; not called where onnxruntime is missing, and its own errors pass. Weights
            in further files are not followed: nobody hashed them.
        threads: Threads of one inference; 0 leaves it to onnxruntime.
        seed: Of the random numbers that the network itself may draw: the first run of equal sessions is equal.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: onnxruntime does not make a session of it.
    """
    import onnxruntime

    network = read()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised; old graphs make it talkative besides
    options.use_deterministic_compute = True
    # Without a folder of its own onnxruntime may look for further files where the process happens to stand.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    with _SEEDING:
        onnxruntime.set_seed(seed % 2**31)
        try:
            return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            msg = f"onnxruntime does not run it ({type(error).__name__})"
            raise ValueError(msg) from error
