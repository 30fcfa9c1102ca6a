"""Networks of convolutions in the widths that ONNX Runtime computes in, to the same numbers.

Its convolutions hold BLOCK channels side by side; networks for phones are narrower, or end a few channels
after a block, and everything is reordered where such a layer begins and where it ends.
"""

from __future__ import annotations

from typing import Any

from tools.model_conversion import imported
from tools.model_rewriting import Graph

BLOCK = 16
"""Channels side by side with AVX-512. With AVX2 they are 8: there what is filled up is computed in vain."""
WIDTH_KEPT = ("Relu", "Add", "MaxPool")


def with_both_signs(model: Any) -> Any:
    """The landmark model without PRelu where so few channels have one that half of a block is empty.

    PRelu(x) is relu(x) - a · relu(-x). The convolution before gives x and -x side by side, and relu is
    fused into it; the depthwise one behind does to both what it did to one; the one that puts channels
    together then subtracts a times the second half.
    """
    np, helper = imported("numpy"), imported("onnx.helper")
    graph = Graph(model)
    makers = {node.output[0]: node for node in graph.nodes}
    users: dict[str, list[Any]] = {}
    for node in graph.nodes:
        for name in node.input:
            users.setdefault(name, []).append(node)

    def set_halves(conv: Any, place: int, first: Any, second: Any, axis: int = 0) -> None:
        """A convolution's kernel (place 1) or bias (place 2) as two halves."""
        halves = np.concatenate([first, second], axis=axis)
        conv.input[place] = graph.weight(f"{conv.output[0]}_halves{place}", halves)

    for at, node in enumerate(graph.nodes):
        if node.op_type != "PRelu" or 2 * graph.weights[node.input[1]].size > BLOCK:
            continue
        before, (alone,) = makers[node.input[0]], users[node.output[0]]
        (after,) = users[alone.output[0]]
        if [each.op_type for each in (before, alone, after)] != ["Conv"] * 3:
            raise SystemExit("a narrow PRelu that is not between convolutions")
        kernel, bias = (graph.weights[name] for name in before.input[1:])
        set_halves(before, 1, kernel, -kernel)
        set_halves(before, 2, bias, -bias)
        kernel, bias = (graph.weights[name] for name in alone.input[1:])
        set_halves(alone, 1, kernel, kernel)
        set_halves(alone, 2, bias, 0 * bias)
        (groups,) = (each for each in alone.attribute if each.name == "group")
        groups.i *= 2
        kernel, slope = graph.weights[after.input[1]], graph.weights[node.input[1]]
        set_halves(after, 1, kernel, -kernel * slope.reshape(1, -1, 1, 1), axis=1)
        graph.nodes[at] = helper.make_node("Relu", node.input[:1], node.output)
    return graph.rewritten()


def in_blocks(model: Any) -> Any:
    """A network of convolutions, every width between them a multiple of BLOCK: what is added is nothing.

    At any other width ONNX Runtime leaves its blocked layout, reorders everything, and fuses neither sums
    nor relu. A Pad that adds channels falls away where they are there already, else it becomes a
    convolution with the identity.
    """
    np, helper = imported("numpy"), imported("onnx.helper")
    graph = Graph(model)
    nodes, graph.nodes = graph.nodes, []
    widened = widened_names(graph, nodes)
    widths: dict[str, int] = {}
    instead: dict[str, str] = {}

    def filled(name: str, value: Any, *sides: int) -> str:
        """A weight whose first sides are filled up with zeros."""
        more = [(0, side - have) for side, have in zip(sides, value.shape, strict=False)]
        more += [(0, 0)] * (value.ndim - len(more))
        return graph.weight(name, np.pad(value, more))

    for node in nodes:
        name, (x, *others) = node.output[0], [instead.get(each, each) for each in node.input]
        if node.op_type == "Conv":
            kernel = graph.weights[others[0]]
            stated = {each.name: helper.get_attribute_value(each) for each in node.attribute}
            alone = stated.get("group", 1) > 1
            width = blocks(len(kernel)) if name in widened else len(kernel)
            across = 1 if alone else widths.get(x, kernel.shape[1])
            inputs = [x, filled(f"{name}_kernel", kernel, width, across)]
            if len(others) > 1:
                inputs.append(filled(f"{name}_bias", graph.weights[others[1]], width))
            graph.node("Conv", inputs, name, **stated | ({"group": width} if alone else {}))
            widths[name] = width
        elif node.op_type == "Pad":
            kernel = padding(graph, node)
            wide, width = widths[x], blocks(len(kernel))
            if wide == width:
                instead[name] = x
            else:
                graph.node("Conv", [x, filled(f"{name}_eye", kernel, width, wide)], name)
            widths[name] = width
        else:
            node.input[:] = [x, *others]
            graph.nodes.append(node)
            if x in widths and node.op_type in WIDTH_KEPT:
                widths[name] = widths[x]
    return graph.rewritten()


def blocks(channels: int) -> int:
    """So many channels filled up to whole blocks."""
    return -(-channels // BLOCK) * BLOCK


def widened_names(graph: Graph, nodes: list[Any]) -> set[str]:
    """The values that may be wider than before: nothing but convolutions looks at them in the end."""
    found: set[str] = set()
    looked_at = {each.name for each in graph.model.graph.output}
    for node in reversed(nodes):
        name = node.output[0]
        if name not in looked_at:
            found.add(name)
        groups = {each.name: each.i for each in node.attribute}.get("group", 1)
        keeps_width = node.op_type in (*WIDTH_KEPT, "Pad") or groups > 1
        if not (name in found if keeps_width else node.op_type == "Conv"):
            looked_at.update(node.input)
    return found


def padding(graph: Graph, node: Any) -> Any:
    """The identity (to, from, 1, 1) that adds as many channels of nothing as a Pad does."""
    np = imported("numpy")
    before, more = (int(graph.weights[node.input[1]][place]) for place in (1, 5))
    if sum(map(int, graph.weights[node.input[1]])) != more or before:
        raise SystemExit("a Pad that pads more than the last channels")
    channels = graph.channels[node.input[0]]
    return np.eye(channels + more, channels, dtype=np.float32)[:, :, None, None]
