"""Makes tests/quantized: small networks as onnxruntime's quantizer writes them, and what onnxruntime answers.

    python tests/python/quantized_graphs.py tests/quantized        (needs what requirements-trees.txt pins)

Committed are the results, so that the tests need no Python. NAME.json holds the input asked, and for each output its
answer and the step it is counted in.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from lowered_graphs import Graph

logging.disable()
onnxruntime.set_default_logger_severity(4)


class Asked(CalibrationDataReader):
    """Inputs to calibrate with."""

    def __init__(self, shape):
        random = np.random.default_rng(3)
        self.inputs = [{"x": random.uniform(-1, 1, shape).astype(np.float32)} for _ in range(8)]
        self.left = iter(self.inputs)

    def get_next(self):
        return next(self.left, None)


def network() -> tuple:
    """Every operator that the quantizer has one of its own for, but for matrix products of two values."""
    graph = Graph(1, 3, 9, 8)
    first = graph.op("Relu", graph.conv("x", 8, 3, 3, pads=[1, 1, 1, 1]))
    deep = graph.op("LeakyRelu", graph.conv(first, 8, 1, 3, pads=[1, 1, 1, 1], group=8), alpha=0.1)
    added = graph.op("Add", first, deep)
    gate = graph.op("Sigmoid", graph.conv(added, 8, 8, 1))
    scaled = graph.op("Mul", added, gate)
    both = graph.op("Concat", scaled, graph.op("Clip", deep, graph.constant(np.float32(0)), graph.constant(np.float32(0.5))), axis=1)
    pooled = graph.op("AveragePool", both, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    peaks = graph.op("MaxPool", pooled, kernel_shape=[2, 2], strides=[2, 2])
    mean = graph.op("Flatten", graph.op("GlobalAveragePool", peaks))
    return graph, graph.op("Softmax", graph.op("Gemm", mean, graph.weights(7, 16), graph.weights(7), transB=1)), scaled


def products() -> tuple:
    """Products with weights and of two values, Where, shapes, and a Gemm whose weights are not turned."""
    graph = Graph(1, 5, 12)
    query = graph.op("Add", graph.op("MatMul", "x", graph.weights(12, 16)), graph.weights(16))
    key = graph.op("Transpose", graph.op("MatMul", "x", graph.weights(12, 16)), perm=[0, 2, 1])
    product = graph.op("MatMul", query, key)
    mask = graph.constant(np.tril(np.ones((1, 5, 5), bool)))
    near = graph.op("Softmax", graph.op("Where", mask, product, graph.constant(np.float32([-1.0]))), axis=-1)
    rows = graph.op("Reshape", graph.op("MatMul", near, query), graph.integers(5, 16))
    return graph, graph.op("Gemm", rows, graph.weights(16, 6), graph.weights(6), alpha=0.5)


def quantized(name, made, form, activation, per_channel, out):
    def quantize(plain, result, reader):
        quantize_static(
            plain, result, reader, quant_format=form, activation_type=activation, weight_type=QuantType.QInt8,
            per_channel=per_channel, extra_options={"ForceQuantizeNoInputCheck": made is products},
        )

    save(name, made, quantize, out)


def save(name, made, quantize, out):
    graph, *outputs = made()
    reader = Asked(graph.shape)
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, result = (str(Path(folder) / file) for file in ("plain.onnx", "ready.onnx", "result.onnx"))
        graph.save(Path(plain), *outputs)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize(ready, result, reader)
        model = onnx.load(result)
    model.graph.ClearField("value_info")
    x = reader.inputs[0]["x"]
    answers = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    steps = [step(model, port.name, answer) for port, answer in zip(model.graph.output, answers)]
    fixture = {"input": short(x), "shape": list(x.shape), "outputs": [{"step": step, "numbers": short(answer)} for step, answer in zip(steps, answers)]}
    (out / f"{name}.onnx").write_bytes(model.SerializeToString())
    (out / f"{name}.json").write_text(json.dumps(fixture, separators=(",", ":"), allow_nan=False) + "\n")
    print(name, len(model.SerializeToString()), sorted({node.op_type for node in model.graph.node}), steps)


def step(model, name, answer):
    """What an output is counted in; if it is not, a hundred-thousandth of its largest number."""
    (maker,) = [node for node in model.graph.node if name in node.output]
    scales = [tensor for tensor in model.graph.initializer if maker.op_type == "DequantizeLinear" and tensor.name == maker.input[1]]
    return float(numpy_helper.to_array(scales[0])) if scales else float(np.abs(answer).max()) * 1e-5


def short(values):
    """float32 in as few digits as read back the same."""
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for made in (network, products):
        for form, kind in ((QuantFormat.QOperator, "operators"), (QuantFormat.QDQ, "pairs")):
            quantized(f"{made.__name__}_{kind}_u8", made, form, QuantType.QUInt8, False, out)
            quantized(f"{made.__name__}_{kind}_u8_channels", made, form, QuantType.QUInt8, True, out)
            quantized(f"{made.__name__}_{kind}_i8_channels", made, form, QuantType.QInt8, True, out)
        save(f"{made.__name__}_dynamic", made, lambda plain, result, _: quantize_dynamic(plain, result, per_channel=True), out)
