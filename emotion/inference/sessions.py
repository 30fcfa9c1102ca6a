"""ONNX Runtime sessions: made once per process, one thread each.

Several sessions with two spinning threads each fight for the cores and are slower by a factor of two
to three; one thread per session and one process per core is the fastest on a CPU.

Where they compute (an execution provider of ONNX Runtime) is chosen once, before the first is made. On
anything but the CPU each session is compared with one on the CPU when it is made, and refused where it
gives other numbers: which machine read a face must not change what is said of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from emotion.inference.arrays import Array
from emotion.inference.models import (
    ExecutionProviderUnusable,
    ModelIntegrityError,
    model_bytes,
    pack_bytes,
)

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
CPU = "cpu"
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    CPU: ("CPUExecutionProvider", {}),
    # Both would compute with fewer bits than they are given where the processor can, unless told not to.
    "openvino": (
        "OpenVINOExecutionProvider",
        {"device_type": "CPU", "precision": "FP32", "num_of_threads": "1"},
    ),
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}),
}
"""What can be chosen: ONNX Runtime's own name of it, and what it is told."""
TOLERANCE = 1e-3
"""How far an output may lie from the CPU's, relative to its largest value: it rounds in another order."""


class Execution:
    """What this process computes with: one of PROVIDERS."""

    provider = CPU


def compute_on(name: str) -> None:
    """Make all sessions there from now on. Raises ExecutionProviderUnusable when it is not installed."""
    had = onnxruntime.get_available_providers()
    if PROVIDERS[name][0] not in had:
        raise ExecutionProviderUnusable(
            f"EXECUTION_PROVIDER={name}: expected {PROVIDERS[name][0]} in ONNX Runtime; it has "
            f"{', '.join(had)}"
        )
    Execution.provider = name
    session.cache_clear()


def engine() -> dict[str, str]:
    """What computed, its version, and on what: for results to name."""
    return {"ONNX Runtime": f"{onnxruntime.__version__}, {Execution.provider}"}


@lru_cache(maxsize=SESSIONS)
def session(name: str, pack: Path | None = None) -> onnxruntime.InferenceSession:
    """The session of a model file of the product, or of another pack's folder.

    Raises ModelIntegrityError when the file is not the right one, and ExecutionProviderUnusable.
    """
    body = model_bytes(name) if pack is None else pack_bytes(name, pack)
    made = loaded(body, name, CPU)
    if Execution.provider == CPU:
        return made
    asked = PROVIDERS[Execution.provider][0]
    elsewhere = loaded(body, name, Execution.provider)
    if elsewhere.get_providers()[0] != asked:  # ONNX Runtime falls back to the CPU by itself
        raise ExecutionProviderUnusable(f"{asked} could not be started; its libraries are missing")
    apart = largest_difference(elsewhere, made)
    if not apart <= TOLERANCE:
        raise ExecutionProviderUnusable(
            f"{name}: {asked} gives other numbers than the CPU, by {apart:.1e} of the largest; "
            f"expected at most {TOLERANCE:.0e}"
        )
    return elsewhere


def loaded(body: bytes, name: str, where: str) -> onnxruntime.InferenceSession:
    """A session of a model file's bytes. Raises ModelIntegrityError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.use_deterministic_compute = where != CPU  # one thread of a CPU is so anyway
    try:
        return onnxruntime.InferenceSession(body, options, providers=[PROVIDERS[where]])
    except Exception as error:  # the engine's errors have no base of their own
        raise ModelIntegrityError(f"{name} cannot be loaded: {type(error).__name__}") from error


def furthest_apart(found: Iterable[Any], right: Iterable[Any]) -> float:
    """How far outputs are from the right ones, relative to the largest value of each; nan if any is."""
    apart = [
        np.abs(one - other).max() / max(np.abs(other).max(), 1e-6)
        for one, other in zip(found, right, strict=True)
    ]
    return float(np.max(apart))


def largest_difference(
    one: onnxruntime.InferenceSession, other: onnxruntime.InferenceSession
) -> float:
    """How far one session of a model is from another on noise, as ``furthest_apart`` has it."""
    (entry,) = one.get_inputs()
    shape = [side if isinstance(side, int) else 2 for side in entry.shape]
    noise: Any = np.random.default_rng(1).random(shape, np.float32)
    if "int" in entry.type:
        noise = (noise * 255).astype(np.int32)
    return furthest_apart(one.run(None, {entry.name: noise}), other.run(None, {entry.name: noise}))


def run(name: str, inputs: Array, pack: Path | None = None) -> list[Array]:
    """Run a model that has one input; its outputs in their order."""
    found = session(name, pack)
    outputs: list[Array] = found.run(None, {found.get_inputs()[0].name: inputs})
    return outputs


def warm_up() -> None:
    """Load every session, so that the first photograph does not wait for it."""
    for name in MODELS:
        session(name)


def try_provider(name: str) -> None:
    """Load every model there, in a process that is only for this; ends it with one line where it fails."""
    try:
        compute_on(name)
        warm_up()
    except ExecutionProviderUnusable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    try_provider(sys.argv[1])
