"""Small graphs for tests/lowered.rs, one for each rule of what runs on our kernels.

    python tests/python/lowered_graphs.py tests/lowered        (needs numpy and onnx)
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Nodes that follow each other; weights are the same each time."""

    def __init__(self, *shape: int):
        self.shape, self.nodes, self.constants, self.random = shape, [], [], np.random.default_rng(7)

    def weights(self, *shape: int, scale: float = 0.2) -> str:
        return self.constant(self.random.uniform(-scale, scale, shape).astype(np.float32))

    def constant(self, numbers) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(numbers), name))
        return name

    def integers(self, *numbers: int) -> str:
        return self.constant(np.array(numbers, np.int64))

    def op(self, kind: str, *inputs: str, **attributes) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def conv(self, value: str, outs: int, ins: int, side: int, kind: str = "Conv", **attributes) -> str:
        shape = (outs, ins, side, side) if kind == "Conv" else (ins, outs, side, side)
        return self.op(kind, value, self.weights(*shape), self.weights(outs), **attributes)

    def rounded(self, value: str, power: int, zero: int, kind=np.uint8) -> str:
        """The value as bytes and as numbers again: how a quantized graph says what a value is written in. With powers of
        two for scales nothing but bytes is rounded, so that every way to compute a graph gives the same answer."""
        of = self.constant(np.float32(2.0**power)), self.constant(kind(zero))
        return self.op("DequantizeLinear", self.op("QuantizeLinear", value, *of), *of)

    def whole_weights(self, *shape: int, axis: int = 0) -> str:
        """Weights in bytes, with a scale for each index of `axis`."""
        count = shape[axis]
        scales = np.exp2(self.random.integers(-10, -7, count)).astype(np.float32)
        numbers = self.random.integers(-127, 128, shape).astype(np.int8)
        return self.op("DequantizeLinear", self.constant(numbers), self.constant(scales), self.constant(np.zeros(count, np.int8)), axis=axis)

    def whole_bias(self, count: int) -> str:
        return self.constant((self.random.integers(-500, 500, count) / 1024).astype(np.float32))

    def whole_conv(self, value: str, outs: int, ins: int, side: int, **attributes) -> str:
        return self.op("Conv", value, self.whole_weights(outs, ins, side, side), self.whole_bias(outs), **attributes)

    def save(self, path: pathlib.Path, *outputs: str):
        ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)]
        answers = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, path.stem, ports, answers, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())


def residual() -> tuple:
    graph = Graph(1, 3, 17, 19)
    first = graph.op("Relu", graph.conv("x", 20, 3, 3, pads=[1, 1, 1, 1], strides=[2, 2]))
    second = graph.op("Clip", graph.conv(first, 20, 20, 3, pads=[1, 1, 1, 1]), graph.constant(np.float32(0)), graph.constant(np.float32(6)))
    third = graph.conv(second, 20, 20, 1)
    added = graph.op("Relu", graph.op("Add", third, first))
    pooled = graph.op("MaxPool", added, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    mean = graph.op("Flatten", graph.op("GlobalAveragePool", pooled))
    return graph, graph.op("Softmax", graph.op("Gemm", mean, graph.weights(7, 20), graph.weights(7), transB=1)), added


def squeeze_and_excite() -> tuple:
    graph = Graph(1, 40, 6, 5)
    wide = graph.conv("x", 40, 1, 5, pads=[2, 2, 2, 2], group=40)
    silu = graph.op("Mul", wide, graph.op("Sigmoid", wide))
    small = graph.op("Relu", graph.conv(graph.op("GlobalAveragePool", silu), 10, 40, 1))
    gate = graph.op("HardSigmoid", graph.conv(small, 40, 10, 1))
    return graph, graph.op("HardSwish", graph.conv(graph.op("Mul", gate, silu), 24, 40, 1))


def concatenated() -> tuple:
    graph = Graph(1, 16, 5, 5)
    a, b, c = graph.conv("x", 32, 16, 1), graph.conv("x", 16, 16, 3, pads=[1, 1, 1, 1]), graph.conv("x", 10, 16, 1)
    dense = graph.op("Concat", a, b, axis=1)
    denser = graph.op("Concat", a, b, graph.op("LeakyRelu", c, alpha=0.1), axis=1)
    twice = graph.op("Concat", c, c, "x", axis=1)
    normal = graph.op("BatchNormalization", denser, *(graph.weights(58) for _ in range(3)), graph.constant(graph.random.uniform(0.5, 1, 58).astype(np.float32)))
    part = graph.op("Slice", dense, graph.integers(16), graph.integers(48), graph.integers(1))
    return graph, graph.conv(normal, 8, 58, 3, pads=[1, 1, 1, 1]), graph.op("Tanh", twice), graph.conv(part, 5, 32, 1)


def transposed() -> tuple:
    graph = Graph(1, 24, 4, 5)
    apart = graph.conv("x", 24, 24, 2, kind="ConvTranspose", strides=[2, 2])
    overlapping = graph.conv("x", 20, 24, 4, kind="ConvTranspose", strides=[2, 2], pads=[1, 1, 1, 1])
    return graph, graph.op("Relu", apart), graph.conv(overlapping, 3, 20, 3, pads=[1, 1, 1, 1])


def groups() -> tuple:
    graph = Graph(1, 48, 6, 6)
    outs = [
        graph.op("Conv", "x", graph.weights(outs, 48 // count, 3, 3), graph.weights(outs), group=count, pads=[1, 1, 1, 1], dilations=[dilation] * 2)
        for outs, count, dilation in ((48, 3, 1), (96, 48, 1), (24, 12, 1), (32, 16, 1))
    ]
    return graph, *outs


def overhanging_average() -> tuple:
    graph = Graph(1, 16, 7, 8)
    value = graph.conv("x", 16, 16, 1)
    return graph, graph.op("AveragePool", value, kernel_shape=[3, 3], strides=[3, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1)


def far_padding() -> tuple:
    graph = Graph(1, 16, 3, 4)
    return graph, graph.conv("x", 4, 16, 1, pads=[1_000_000, 1_000_000, 0, 0], strides=[1_000_000, 1_000_000])


def three_images() -> tuple:
    graph = Graph(3, 3, 9, 8)
    value = graph.op("Relu", graph.conv("x", 40, 3, 3, pads=[1, 1, 1, 1]))
    wide = graph.op("Concat", value, graph.conv(value, 8, 40, 1), axis=1)
    return graph, graph.op("GlobalAveragePool", graph.conv(wide, 24, 48, 3, strides=[2, 2])), wide


def heads(graph: Graph, value: str, shape: list[int], channels: int, swap: list[int]) -> str:
    return graph.op("Transpose", graph.op("Reshape", graph.op("MatMul", value, graph.weights(channels, channels)), graph.integers(*shape)), perm=swap)


def transformer() -> tuple:
    graph = Graph(1, 13, 64)
    normal = graph.op("LayerNormalization", "x", graph.weights(64, scale=1), graph.weights(64))
    query, value = (heads(graph, normal, [1, 13, 4, 16], 64, [0, 2, 1, 3]) for _ in range(2))
    key = heads(graph, normal, [1, 13, 4, 16], 64, [0, 2, 3, 1])
    scores = graph.op("Softmax", graph.op("MatMul", graph.op("Mul", query, graph.constant(np.float32(0.25))), key), axis=-1)
    mixed = graph.op("Reshape", graph.op("Transpose", graph.op("MatMul", scores, value), perm=[0, 2, 1, 3]), graph.integers(1, 13, 64))
    added = graph.op("Add", "x", graph.op("MatMul", mixed, graph.weights(64, 64)))
    wide = graph.op("Add", graph.op("MatMul", added, graph.weights(64, 96)), graph.weights(96))
    bell = graph.op("Add", graph.op("Erf", graph.op("Div", wide, graph.constant(np.float32(2**0.5)))), graph.constant(np.float32(1)))
    gelu = graph.op("Mul", graph.op("Mul", wide, bell), graph.constant(np.float32(0.5)))
    return graph, graph.op("Add", added, graph.op("MatMul", gelu, graph.weights(96, 64)))


def attention_in_windows() -> tuple:
    graph = Graph(1, 4, 9, 32)
    split = lambda swap: graph.op("Squeeze", heads(graph, "x", [1, 4, 9, 2, 16], 32, swap), graph.integers(0))
    query, key, value = split([0, 1, 3, 2, 4]), split([0, 1, 3, 4, 2]), split([0, 1, 3, 2, 4])
    return graph, graph.op("MatMul", graph.op("Softmax", graph.op("MatMul", query, key), axis=-1), value)


def quantized() -> tuple:
    graph = Graph(1, 3, 29, 27)
    x = graph.rounded("x", -7, 128)
    stem = graph.rounded(graph.op("Relu", graph.whole_conv(x, 40, 3, 5, pads=[2, 2, 2, 2], strides=[2, 2])), -6, 0)
    pooled = graph.rounded(graph.op("MaxPool", stem, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), -6, 0)
    each = graph.rounded(graph.whole_conv(pooled, 40, 1, 3, pads=[1, 1, 1, 1], group=40), -5, 120)
    wide = graph.rounded(graph.whole_conv(each, 40, 40, 1), -5, 131)
    added = graph.rounded(graph.op("Add", wide, pooled), -5, 100)
    smaller = graph.rounded(graph.whole_conv(added, 40, 1, 5, pads=[2, 2, 2, 2], strides=[2, 2], group=40), -4, 128)
    leaky = graph.op("LeakyRelu", graph.whole_conv(smaller, 56, 40, 1), alpha=0.25)
    mean = graph.rounded(graph.op("Flatten", graph.op("GlobalAveragePool", graph.rounded(leaky, -4, 20))), -5, 30)
    return graph, graph.rounded(graph.op("Gemm", mean, graph.whole_weights(11, 56), graph.whole_bias(11), transB=1), -4, 128)


def quantized_signed() -> tuple:
    graph = Graph(1, 20, 9, 9)
    x = graph.rounded("x", -7, -3, np.int8)
    first = graph.rounded(graph.whole_conv(x, 24, 20, 3, pads=[1, 1, 1, 1]), -4, 5, np.int8)
    second = graph.rounded(graph.whole_conv(first, 24, 24, 3, pads=[1, 1, 1, 1]), -2, -10, np.int8)
    return graph, graph.rounded(graph.op("Add", first, second), -2, 0, np.int8)


def quantized_in_part() -> tuple:
    """Weights that mean zero by another byte, scales by input channel, groups, and a sum of what is read once more."""
    graph = Graph(1, 32, 8, 8)
    bytes_of = lambda *shape: graph.constant(graph.random.integers(0, 255, shape).astype(np.uint8))
    unsigned = lambda zero, *shape: graph.op("DequantizeLinear", bytes_of(*shape), graph.constant(np.float32(2**-9)), graph.constant(np.uint8(zero)))
    x = graph.rounded("x", -7, 128)
    first = graph.rounded(graph.op("Conv", x, unsigned(117, 24, 32, 1, 1), graph.whole_bias(24)), -5, 128)
    grouped = graph.op("Conv", x, graph.whole_weights(32, 16, 3, 3), graph.whole_bias(32), group=2, pads=[1, 1, 1, 1])
    middle = graph.op("Conv", first, unsigned(128, 8, 24, 1, 1))
    flat = graph.rounded(graph.op("Flatten", graph.op("GlobalAveragePool", first)), -7, 128)
    by_input = graph.op("MatMul", flat, graph.whole_weights(24, 9, axis=0))
    by_output = graph.op("MatMul", flat, graph.whole_weights(24, 9, axis=1))
    return graph, graph.rounded(grouped, -4, 128), middle, graph.op("Add", middle, middle), by_input, by_output


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for make in (
        residual, squeeze_and_excite, concatenated, transposed, groups, overhanging_average, far_padding, three_images, transformer,
        attention_in_windows, quantized, quantized_signed, quantized_in_part,
    ):
        graph, *outputs = make()
        graph.save(folder / f"{make.__name__}.onnx", *outputs)
