"""ONNX Runtime sessions: made once per process, one thread each.

Several sessions with two spinning threads each fight for the cores and are slower by a factor of two
to three; one thread per session and one process per core is the fastest on a CPU.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import onnxruntime

from emotion.inference.arrays import Array
from emotion.inference.models import ModelIntegrityError, model_bytes, pack_bytes

MODELS = (
    "face_detector.onnx",
    "face_landmarks.onnx",
    "face_blendshapes.onnx",
    "expression_fer.onnx",
    "expression_human.onnx",
    "expression_faceapi.onnx",
)

SESSIONS = 16
"""Kept at once: all of the product's, and those of two packs that are compared; each holds memory."""


@lru_cache(maxsize=SESSIONS)
def session(name: str, pack: Path | None = None) -> onnxruntime.InferenceSession:
    """The session of a model file of the product, or of another pack's folder.

    Raises ModelIntegrityError when the file is not the right one.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    body = model_bytes(name) if pack is None else pack_bytes(name, pack)
    try:
        return onnxruntime.InferenceSession(body, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the engine's errors have no base of their own
        raise ModelIntegrityError(f"{name} cannot be loaded: {type(error).__name__}") from error


def run(name: str, inputs: Array, pack: Path | None = None) -> list[Array]:
    """Run a model that has one input; its outputs in their order."""
    loaded = session(name, pack)
    outputs: list[Array] = loaded.run(None, {loaded.get_inputs()[0].name: inputs})
    return outputs


def warm_up() -> None:
    """Load every session, so that the first photograph does not wait for it."""
    for name in MODELS:
        session(name)
