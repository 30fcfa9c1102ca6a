"""TensorFlow.js graph models, evaluated node by node while TensorFlow traces them into an ONNX model."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from tools.model_conversion import decoded_weights, from_function, imported

Node = dict[str, Any]
FUSED = {"Relu": "relu", "Relu6": "relu6"}


def attribute(node: Node, name: str) -> Any:
    """An attribute of a node as a plain value."""
    value = node["attr"][name]
    if "s" in value:
        return base64.b64decode(value["s"]).decode()
    if "list" in value:
        listed = value["list"]
        return [int(number) for number in listed.get("i", [])] or [
            base64.b64decode(text).decode() for text in listed.get("s", [])
        ]
    return int(value["i"]) if "i" in value else value.get("b")


def convolutions(tf: Any) -> dict[str, Callable[..., Any]]:
    """The convolutions, with whatever was fused into them."""

    def finished(node: Node, y: Any, bias: Any) -> Any:
        first, *rest = attribute(node, "fused_ops")
        if first != "BiasAdd" or rest not in ([], ["Relu"], ["Relu6"]):
            raise SystemExit(f"unknown fused steps: {[first, *rest]}")
        return getattr(tf.nn, FUSED[rest[0]])(y + bias) if rest else y + bias

    def plain(node: Node, x: Any, kernel: Any) -> Any:
        return tf.nn.conv2d(x, kernel, attribute(node, "strides"), attribute(node, "padding"))

    def depthwise(node: Node, x: Any, kernel: Any) -> Any:
        return tf.nn.depthwise_conv2d(
            x, kernel, attribute(node, "strides"), attribute(node, "padding")
        )

    return {
        "_FusedConv2D": lambda node, x, kernel, bias: finished(node, plain(node, x, kernel), bias),
        "FusedDepthwiseConv2dNative": lambda node, x, kernel, bias: finished(
            node, depthwise(node, x, kernel), bias
        ),
        "DepthwiseConv2dNative": depthwise,
        "MaxPool": lambda node, x: tf.nn.max_pool2d(
            x, attribute(node, "ksize"), attribute(node, "strides"), attribute(node, "padding")
        ),
    }


def operations(tf: Any) -> dict[str, Callable[..., Any]]:
    """What each kind of node does with its inputs; one that gives several values gives a list."""
    same = {
        "AddV2": tf.add,
        "Sub": tf.subtract,
        "Mul": tf.multiply,
        "RealDiv": tf.divide,
        "FloorDiv": tf.math.floordiv,
        "SquaredDifference": tf.math.squared_difference,
        "Sqrt": tf.sqrt,
        "Sigmoid": tf.sigmoid,
        "Relu": tf.nn.relu,
        "Softmax": tf.nn.softmax,
        "Identity": tf.identity,
        "Reshape": tf.reshape,
        "GatherNd": tf.gather_nd,
    }
    return (
        convolutions(tf)
        | {name: (lambda node, *x, does=does: does(*x)) for name, does in same.items()}
        | {
            "Mean": lambda node, x, axes: tf.reduce_mean(x, [int(axis) for axis in axes]),
            "Cast": lambda node, x: tf.cast(x, kind_of(tf, node)),
            "ExpandDims": lambda node, x, axis: tf.expand_dims(x, int(axis)),
            "Squeeze": lambda node, x: tf.squeeze(x, attribute(node, "squeeze_dims")),
            "ArgMax": lambda node, x, axis: tf.argmax(x, int(axis), tf.int32),
            "Pack": lambda node, *x: tf.stack(x, attribute(node, "axis")),
            "Unpack": lambda node, x: tf.unstack(
                x, attribute(node, "num"), attribute(node, "axis")
            ),
            "ConcatV2": lambda node, *x: tf.concat(x[:-1], int(x[-1])),
            "ResizeBilinear": lambda node, x, size: tf.image.resize(x, [int(n) for n in size]),
        }
    )


def kind_of(tf: Any, node: Node) -> Any:
    """The type that a cast makes."""
    return {"DT_FLOAT": tf.float32, "DT_INT32": tf.int32}[node["attr"]["DstT"]["type"]]


def from_tfjs_graph(topology: bytes, body: bytes, shape: list[int | None], kind: str) -> bytes:
    """The ONNX model of a graph with one input of this shape and type, and one output."""
    model = json.loads(topology)
    weights = decoded_weights(model["weightsManifest"], body)
    nodes = model["modelTopology"]["node"]
    (entrance,) = [node["name"] for node in nodes if node["op"] == "Placeholder"]
    (exit_,) = [node["name"] for node in nodes if node["op"] == "Identity"]
    does = operations(imported("tensorflow"))

    def network(x: Any) -> Any:
        values: dict[str, Any] = dict(weights) | {entrance: x}

        def value(name: str) -> Any:
            node, _colon, number = name.partition(":")
            found = values[node]
            return found[int(number or 0)] if isinstance(found, list) else found

        for node in nodes:
            if node["op"] not in {"Placeholder", "Const"}:
                inputs = [value(name) for name in node["input"]]
                values[node["name"]] = does[node["op"]](node, *inputs)
        return values[exit_]

    return from_function(network, shape, entrance, kind)
