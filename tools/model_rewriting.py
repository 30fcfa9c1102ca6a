"""The same numbers with less work: graphs that ONNX Runtime's CPU kernels run faster.

Needs the packages that ``rebuild_models`` names; nothing of the project imports this at run time.
"""

from __future__ import annotations

from typing import Any

from tools.model_conversion import imported


class Graph:
    """A model's nodes and weights while they are rewritten; weights by name, as numpy arrays.

    channels: by name, of the values that have sides, as the model came.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.nodes: list[Any] = list(model.graph.node)
        numpy_helper = imported("onnx.numpy_helper")
        self.weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        shapes = imported("onnx.shape_inference").infer_shapes(model).graph.value_info
        sides = {each.name: each.type.tensor_type.shape.dim for each in shapes}
        self.channels = {name: each[1].dim_value for name, each in sides.items() if len(each) == 4}

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node with one output, whose name is returned."""
        helper = imported("onnx.helper")
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weight(self, name: str, value: Any) -> str:
        """Add a weight, whose name is returned."""
        self.weights[name] = imported("numpy").asarray(value)
        return name

    def rewritten(self) -> Any:
        """The model as it is now, without the weights that nothing uses any more."""
        numpy_helper = imported("onnx.numpy_helper")
        used = {name for node in self.nodes for name in node.input}
        graph = self.model.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(
            numpy_helper.from_array(value, name)
            for name, value in self.weights.items()
            if name in used
        )
        imported("onnx.checker").check_model(self.model)
        return self.model


def with_convolutions(model: Any) -> Any:
    """The landmark model with PRelu as 1 x 1 convolutions.

    ONNX Runtime's PRelu does not know the blocked layout in which its convolutions compute, so that
    everything is reordered before and after each. PRelu(x) is x + (1 - a) · relu(-x): two depthwise
    convolutions, into the first of which relu and into the second the sum are fused.
    """
    np = imported("numpy")
    graph = Graph(model)
    nodes, graph.nodes = graph.nodes, []
    for node in nodes:
        name = node.output[0]
        if node.op_type == "PRelu":
            slope = graph.weights[node.input[1]].reshape(-1, 1, 1, 1).astype(np.float32)
            (x, _slope), groups = node.input, len(slope)
            minus = graph.weight(f"{name}_minus", -np.ones_like(slope))
            rest = graph.weight(f"{name}_rest", 1 - slope)
            below = graph.node("Conv", [x, minus], f"{name}_below", group=groups)
            below = graph.node("Relu", [below], f"{name}_relu")
            graph.node(
                "Add", [x, graph.node("Conv", [below, rest], f"{name}_bent", group=groups)], name
            )
        else:
            graph.nodes.append(node)
    return graph.rewritten()


def with_cells(model: Any) -> Any:
    """The landmark model that also gives ``cells``: the last of its layers with 4 x 4 places.

    (n, 128, 4, 4), each place a sixteenth of the crop; ``emotion.inference.occlusion`` reads them.
    """
    onnx = imported("onnx")
    shapes = imported("onnx.shape_inference").infer_shapes(model).graph.value_info
    sides = {
        each.name: [side.dim_value for side in each.type.tensor_type.shape.dim[1:]]
        for each in shapes
    }
    last = [
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Add" and sides.get(node.output[0]) == [128, 4, 4]
    ][-1]
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["cells" if name == last else name for name in names]
    given = imported("onnx.helper").make_tensor_value_info(
        "cells", onnx.TensorProto.FLOAT, ["n", 128, 4, 4]
    )
    model.graph.output.append(given)
    imported("onnx.checker").check_model(model)
    return model


def with_matrices(model: Any) -> Any:
    """The blendshape model, an MLP mixer, as products of matrices and layer normalisations.

    It comes as 1 x 1 convolutions with reordering between them and normalisations of a dozen nodes
    each. In the last of its blocks only the row that the output is made of is computed.
    """
    np = imported("numpy")
    old = Graph(model)
    convolutions = [
        [old.weights[name] for name in node.input[1:]]
        for node in old.nodes
        if node.op_type == "Conv"
    ]
    kinds = [kernel.reshape(kernel.shape[:2]).astype(np.float32) for kernel, _bias in convolutions]
    biases = [bias.astype(np.float32) for _kernel, bias in convolutions]
    gains = [
        old.weights[name].reshape(-1).astype(np.float32)
        for node in old.nodes
        if node.op_type == "Mul"
        for name in node.input
        if name in old.weights and old.weights[name].size == kinds[1].shape[0]
    ]
    (join,) = [node for node in old.nodes if node.op_type == "Concat"]
    token = next(old.weights[name] for name in join.input if name in old.weights).reshape(1, -1)
    (epsilon,) = {
        float(old.weights[name].reshape(-1)[0])
        for node in old.nodes
        if node.op_type == "Add"
        for name in node.input
        if name in old.weights and old.weights[name].size == 1
    }
    blocks = (len(kinds) - 3) // 4
    if len(kinds) != 3 + 4 * blocks or len(gains) != 2 * blocks:
        raise SystemExit("not the mixer that is known")
    new = Graph(model)
    first = next(at for at, node in enumerate(new.nodes) if node.op_type == "Conv")
    entrance, new.nodes = new.nodes[first].input[0], new.nodes[:first]

    def product(name: str, one: str, other: str, at: int, *, rows: bool) -> str:
        """One convolution as a product; its bias along the rows or the columns."""
        bias = biases[at][:, None] if rows else biases[at][None]
        return new.node("Gemm", [one, other, new.weight(f"{name}_bias", bias)], name)

    def level(name: str, x: str, at: int) -> str:
        scale = new.weight(f"{name}_gain", gains[at])
        return new.node("LayerNormalization", [x, scale], name, axis=-1, epsilon=epsilon)

    flat = new.node("Reshape", [entrance, new.weight("flat", np.array([-1, 2]))], "points")
    x = product("points_mixed", new.weight("w0", kinds[0]), flat, 0, rows=True)
    x = product("tokens", x, new.weight("w1", kinds[1].T.copy()), 1, rows=False)
    x = new.node("Concat", [new.weight("token", token), x], "rows", axis=0)
    for block in range(blocks):
        at, name, last = 2 + 4 * block, f"block{block}", block == blocks - 1
        mixed = level(f"{name}_level", x, 2 * block)
        mixed = product(f"{name}_wide", new.weight(f"{name}_a", kinds[at]), mixed, at, rows=True)
        mixed = new.node("Relu", [mixed], f"{name}_relu")
        if last:
            kinds[at + 1], biases[at + 1] = kinds[at + 1][:1], biases[at + 1][:1]
            zero = new.weight("zero", np.array([0]))
            x = new.node("Gather", [x, zero], "row", axis=0)
        kernel = new.weight(f"{name}_b", kinds[at + 1])
        mixed = product(f"{name}_mixed", kernel, mixed, at + 1, rows=True)
        x = new.node("Add", [mixed, x], f"{name}_rows")
        wide = level(f"{name}_level2", x, 2 * block + 1)
        kernel = new.weight(f"{name}_c", kinds[at + 2].T.copy())
        wide = product(f"{name}_wide2", wide, kernel, at + 2, rows=False)
        wide = new.node("Relu", [wide], f"{name}_relu2")
        kernel = new.weight(f"{name}_d", kinds[at + 3].T.copy())
        x = new.node(
            "Add", [product(f"{name}_out", wide, kernel, at + 3, rows=False), x], f"{name}_x"
        )
    x = product("logits", x, new.weight("out", kinds[-1].T.copy()), len(kinds) - 1, rows=False)
    x = new.node("Sigmoid", [x], "shares")
    new.node("Reshape", [x, new.weight("all", np.array([-1]))], model.graph.output[0].name)
    return new.rewritten()
