"""``face-api``'s network of expressions, written as ONNX Runtime's kernels fuse it.

Its source states the layers and the package only their weights, so there is no graph to convert. Needs
the packages that ``rebuild_models`` names; nothing of the project imports this at run time.
"""

from __future__ import annotations

import json
from typing import Any

from tools.model_conversion import OPSET, decoded_weights, imported
from tools.model_rewriting import Graph

SIDE, CLASSES = 112, 7
MEAN = (122.782, 117.001, 104.298)
"""The mean colour. Subtracted apart: what is put around a picture is nothing, not a pixel of it."""


def from_faceapi(listed: bytes, body: bytes) -> bytes:
    """Four dense blocks of separable convolutions; each sum is made once, in the convolution before it."""
    np = imported("numpy")
    w = decoded_weights(json.loads(listed), body)
    graph = Graph(empty())
    x = graph.node("Sub", ["rgb", weight(graph, "mean", np.reshape(MEAN, (1, 3, 1, 1)))], "centred")
    for block in ("dense0", "dense1", "dense2", "dense3"):
        name = f"{block}/conv0"
        if block == "dense0":
            kernel, bias = w[f"{name}/filters"] / 255, w[f"{name}/bias"]
            x = convolution(graph, x, name, kernel, bias, stride=2)
        else:
            x = separable(graph, x, name, w, stride=2)
        x = whole = graph.node("Relu", [x], f"{block}/relu0")
        for number in (1, 2, 3):
            more = separable(graph, x, f"{block}/conv{number}", w)
            whole = graph.node("Add", [more, whole], f"{block}/sum{number}")
            x = graph.node("Relu", [whole], f"{block}/relu{number}")
    x = graph.node("Flatten", [graph.node("GlobalAveragePool", [x], "pooled")], "flat")
    last = [weight(graph, name, w[name]) for name in ("fc/weights", "fc/bias")]
    graph.node("Softmax", [graph.node("Gemm", [x, *last], "logits")], "probs")
    return bytes(graph.rewritten().SerializeToString())


def empty() -> Any:
    """A model with this one's input and output and nothing between them."""
    helper, kind = imported("onnx.helper"), imported("onnx").TensorProto.FLOAT
    given = helper.make_tensor_value_info("rgb", kind, ["n", 3, SIDE, SIDE])
    made = helper.make_tensor_value_info("probs", kind, ["n", CLASSES])
    graph = helper.make_graph([], "face-api", [given], [made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def weight(graph: Graph, name: str, value: Any) -> str:
    """Add a weight as float32; returns its name."""
    np = imported("numpy")
    return graph.weight(name, np.ascontiguousarray(value, np.float32))


def convolution(graph: Graph, x: str, name: str, kernel: Any, *bias: Any, stride: int = 1) -> str:
    """Append a convolution; its kernel is (height, width, in, out), or (..., in, 1) for each channel alone.

    Around it as much nothing as TensorFlow's "SAME" puts around an even side: what is odd comes behind.
    """
    alone = kernel.shape[3] == 1
    turned = kernel.transpose((2, 3, 0, 1) if alone else (3, 2, 0, 1))
    before, odd = divmod(kernel.shape[0] - stride, 2)
    inputs = [x, weight(graph, f"{name}/kernel", turned)]
    inputs += [weight(graph, f"{name}/bias", each) for each in bias]
    return graph.node(
        "Conv",
        inputs,
        name,
        group=len(turned) if alone else 1,
        kernel_shape=kernel.shape[:2],
        strides=[stride] * 2,
        pads=[before] * 2 + [before + odd] * 2,
    )


def separable(graph: Graph, x: str, name: str, w: dict[str, Any], stride: int = 1) -> str:
    """Append a convolution of each channel alone, and one that puts them together."""
    each = convolution(graph, x, f"{name}/each", w[f"{name}/depthwise_filter"], stride=stride)
    return convolution(graph, each, name, w[f"{name}/pointwise_filter"], w[f"{name}/bias"])
