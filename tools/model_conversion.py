"""From the weights in a package to a model file: one function for each kind of source.

Needs the packages that ``rebuild_models`` names; nothing of the project imports this at run time.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

OPSET = 17


def imported(name: str) -> Any:
    """A package that only the rebuilding needs; the project itself does not have it."""
    return import_module(name)


def from_tflite(body: bytes) -> Any:
    """An ONNX model from a TensorFlow Lite file."""
    tf2onnx = imported("tf2onnx")

    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(body)
        file.flush()
        model, _tensors = tf2onnx.convert.from_tflite(file.name, opset=OPSET)
    return model


def from_function(
    function: Callable[[Any], Any], shape: list[int | None], name: str, kind: str = "float32"
) -> bytes:
    """The bytes of an ONNX model from a TensorFlow function of one input."""
    tf, tf2onnx = imported("tensorflow"), imported("tf2onnx")

    signature = [tf.TensorSpec(shape, kind, name=name)]
    traced = tf.function(function, input_signature=signature)
    model, _tensors = tf2onnx.convert.from_function(traced, signature, opset=OPSET)
    return bytes(model.SerializeToString())


def from_keras(body: bytes) -> bytes:
    """``fer``: a Keras file."""
    tf = imported("tensorflow")

    with tempfile.NamedTemporaryFile(suffix=".hdf5") as file:
        file.write(body)
        file.flush()
        network = tf.keras.models.load_model(file.name, compile=False)
    return from_function(lambda x: network(x, training=False), [None, 64, 64, 1], "input")


def decoded_weights(groups: list[dict[str, Any]], body: bytes) -> dict[str, Any]:
    """Weights of a TensorFlow.js manifest; quantised ones as scale · q + min."""
    np = imported("numpy")

    found, at = {}, 0
    for weight in (weight for group in groups for weight in group["weights"]):
        rule = weight.get("quantization")
        kind = np.dtype(rule["dtype"] if rule else weight["dtype"])
        count = int(np.prod(weight["shape"], dtype=np.int64))
        raw = np.frombuffer(body, kind, count, at).reshape(weight["shape"])
        at += count * kind.itemsize
        if rule and "scale" in rule:
            raw = (raw * np.float32(rule["scale"]) + np.float32(rule["min"])).astype(np.float32)
        elif rule:  # halved only, as float16
            raw = raw.astype(weight["dtype"])
        found[weight["name"]] = raw
    if at != len(body):
        raise SystemExit(f"weights: expected {at} bytes, got {len(body)}")
    return found


def wire(body: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: (number, integer or bytes)."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(body):
        tag = varint()
        size = {1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            yield tag >> 3, varint()
            continue
        size = varint() if size is None else size
        yield tag >> 3, body[at : at + size]
        at += size


def canonical_face(body: bytes) -> bytes:
    """The mesh of MediaPipe's GeometryPipelineMetadata: vertices (x, y, z, u, v), landmarks and weights."""
    np = imported("numpy")

    vertices: list[float] = []
    basis: list[tuple[int, float]] = []
    for number, value in wire(body):
        if number == 1:
            for inner, packed in wire(value):
                if inner == 3:  # one float each, or many packed
                    vertices += struct.unpack(f"<{len(packed) // 4}f", packed)
        elif number == 2:
            landmark = dict(wire(value))
            basis.append((landmark.get(1, 0), struct.unpack("<f", landmark[2])[0]))
    held = io.BytesIO()
    np.savez(
        held,
        V=np.array(vertices, np.float32).reshape(-1, 5)[:, :3],
        ids=np.array([index for index, _weight in basis]),
        w=np.array([weight for _index, weight in basis]),
    )
    return held.getvalue()
