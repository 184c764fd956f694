#!/usr/bin/env python3
"""Makes the small ONNX files of this folder; run it here, with the package `onnx`: `python3 make.py`.

Good graphs first, then one for every reason to refuse a graph. The names say what is in them.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

HERE = pathlib.Path(__file__).parent
W = np.arange(12, dtype=np.float32).reshape(3, 4) / 8
B = np.array([1, 2, 3, 4], dtype=np.float32)


def info(name, shape, kind=T.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def tensor(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def save(name, nodes, inputs, outputs, weights=(), opset=13, value_info=(), extra=(), edit=None):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights), value_info=list(value_info))
    sets = [helper.make_opsetid("", opset), *extra]
    model = helper.make_model(graph, opset_imports=sets, ir_version=8, producer_name="strongroom tests")
    if edit:
        edit(model)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def gemm(name, x=("N", 3), y=("N", 4), w=W, b=B, **more):
    """y = x W + b"""
    w = w if isinstance(w, T) else tensor("w", w)
    save(name, [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], [info("x", x)], [info("y", y)], [w, tensor("b", b)], **more)


def external(name, location, offset=0, length=48):
    w = tensor("w", W)
    w.ClearField("raw_data")
    w.data_location = T.EXTERNAL
    entries = {"location": location, "offset": offset, "length": length}
    for key, value in entries.items():
        if value is not None:
            w.external_data.add(key=key, value=str(value))
    gemm(name, w=w)


def relu(x, y, **more):
    return helper.make_node("Relu", [x], [y], **more)


def good():
    gemm("gemm")
    gemm("gemm_opset_9", opset=9)
    gemm("gemm_opset_21", opset=21)
    gemm("leading_dimension_unnamed", x=(None, 3), y=(None, 4))
    two = [helper.make_node("Add", ["x", "x"], ["t"]), relu("t", "y")]
    save("height_and_width", [relu("x", "y")], [info("x", ["N", 3, "H", "W"])], [info("y", ["N", 3, "H", "W"])])
    save("symbols_inside", two, [info("x", ["N", 4])], [info("y", ["N", 4])], value_info=[info("t", ["N", 4])])
    save("wrong_shapes_inside", two, [info("x", ["N", 4])], [info("y", ["N", 4])], value_info=[info("t", [7, 5])])
    gemm("initializers_among_inputs", edit=lambda m: m.graph.input.extend([info("w", (3, 4)), info("b", (4,))]))
    tiny = np.array([1e-40, -1e-45, 1.1754944e-38, 1], dtype=np.float32)
    typed = helper.make_tensor("w", T.FLOAT, (4,), tiny)
    for name, w in {"subnormal_weights": tensor("w", tiny), "subnormal_weights_typed": typed}.items():
        save(name, [helper.make_node("Mul", ["x", "w"], ["y"])], [info("x", ["N", 4])], [info("y", ["N", 4])], [w])
    clip = helper.make_node("Clip", ["x", "low"], ["y"])
    save("one_infinity_alone", [clip], [info("x", ["N", 4])], [info("y", ["N", 4])], [tensor("low", np.float32(-np.inf))])
    save("positions_of_the_nonzero", [helper.make_node("NonZero", ["x"], ["y"])], [info("x", ["N", 4])], [info("y", [2, None], T.INT64)])
    save("shape_of_the_input", [helper.make_node("Shape", ["x"], ["y"])], [info("x", ["N", 4])], [info("y", [2], T.INT64)])
    for name, kind in {"f16": T.FLOAT16, "f64": T.DOUBLE, "i64": T.INT64, "u8": T.UINT8, "bool": T.BOOL, "text": T.STRING}.items():
        save(f"identity_{name}", [helper.make_node("Identity", ["x"], ["y"])], [info("x", ["N", 2], kind)], [info("y", ["N", 2], kind)])
    save("two_inputs", [helper.make_node("Sub", ["a", "b"], ["y"])], [info("a", ["N", 2]), info("b", ["N", 2])], [info("y", ["N", 2])])
    external("external", "weights.bin", offset=16)
    (HERE / "weights.bin").write_bytes(bytes(16) + W.tobytes())


def wrong_answers():
    gemm("declares_another_shape", y=("N", 5))
    gemm("declares_another_rank", y=("N", 4, 1))
    save("declares_another_type", [relu("x", "y")], [info("x", ["N", 4])], [info("y", ["N", 4], T.DOUBLE)])
    # As torch's new exporter does with vit_b_16: refused with its shapes inside, without them the answer is empty.
    nodes = [helper.make_node("Slice", ["x", "zero", "zero", "zero"], ["t"]), relu("t", "y")]
    zero = [tensor("zero", np.array([0], dtype=np.int64))]
    save("answers_empty_when_relaxed", nodes, [info("x", ["N", 4])], [info("y", ["N", 4])], zero, value_info=[info("t", ["N", 4])])
    save("answers_empty", nodes, [info("x", ["N", 4])], [info("y", [None, None])], zero)


def damaged_weights():
    for name, bad in {"nan": np.nan, "infinity": np.inf}.items():
        for kind in ("float32", "float16", "float64"):
            w = np.ones((2, 2), dtype=kind)
            w[1, 0] = bad
            save(f"{name}_{kind}", [helper.make_node("Cast", ["w"], ["c"], to=T.FLOAT), helper.make_node("Add", ["x", "c"], ["y"])],
                 [info("x", [2, 2])], [info("y", [2, 2])], [tensor("w", w)])
    typed = helper.make_tensor("w", T.FLOAT, (3, 4), [1.0] * 11 + [float("nan")])
    gemm("nan_typed", w=typed)
    add = [helper.make_node("Constant", [], ["c"], value=tensor("v", np.array([1, np.nan], np.float32))), helper.make_node("Add", ["x", "c"], ["y"])]
    save("nan_in_a_constant", add, [info("x", ["N", 2])], [info("y", ["N", 2])])
    linear = helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", coefficients=[1.0, float("nan")], intercepts=[0.0])
    save("nan_in_an_attribute", [linear], [info("x", ["N", 2])], [info("y", ["N", 1])], extra=[helper.make_opsetid("ai.onnx.ml", 1)])
    leaky = helper.make_node("LeakyRelu", ["x"], ["y"], alpha=float("nan"))
    save("nan_in_a_scalar_attribute", [leaky], [info("x", ["N", 2])], [info("y", ["N", 2])])
    short = tensor("w", W)
    short.raw_data = short.raw_data[:-4]
    gemm("too_few_weights", w=short)
    ragged = tensor("w", W)
    ragged.raw_data = ragged.raw_data[:-1]
    gemm("half_a_weight", w=ragged)
    huge = tensor("w", W)
    huge.dims[:] = [1 << 40, 1 << 40]
    gemm("dimensions_overflow", w=huge)
    negative = tensor("w", W)
    negative.dims[:] = [-3, -4]
    gemm("negative_dimension", w=negative)
    brain = tensor("w", W.astype(np.float16))
    brain.data_type = T.BFLOAT16
    gemm("bfloat16", w=brain)


def outside():
    external("external_in_the_parent", "../weights.bin")
    external("external_absolute", "/etc/passwd")
    external("external_backslash", "..\\weights.bin")
    external("external_missing", "other.bin")
    external("external_behind_the_end", "weights.bin", offset=32)
    external("external_offset_behind_the_end", "weights.bin", offset=1 << 40)
    external("external_wrong_length", "weights.bin", length=44)
    external("external_length_no_number", "weights.bin", length="many")
    external("external_without_location", "", length=48)


def malformed():
    gemm("opset_8", opset=8)
    gemm("opset_22", opset=22)
    x, y = [info("x", ["N", 4])], [info("y", ["N", 4])]
    save("foreign_domain", [relu("x", "y", domain="org.example")], x, y, extra=[helper.make_opsetid("org.example", 1)])
    save("unknown_operators", [helper.make_node("QLinearReduceMean", ["x"], ["t"], domain="com.microsoft"), helper.make_node("Det", ["t"], ["y"])], x, y)
    save("ml_operator_without_its_domain", [helper.make_node("Normalizer", ["x"], ["y"])], x, y)
    save("cycle", [helper.make_node("Add", ["x", "u"], ["t"]), relu("t", "u"), relu("t", "y")], x, y)
    save("two_of_one_name", [relu("x", "y"), helper.make_node("Neg", ["x"], ["y"])], x, y)
    save("input_from_nowhere", [helper.make_node("Add", ["x", "ghost"], ["y"])], x, y)
    save("output_from_nowhere", [relu("x", "z")], x, y)
    save("input_beyond_memory", [relu("x", "y")], [info("x", [1, 1 << 40])], [info("y", [1, 1 << 40])])
    tile = [helper.make_node("Tile", ["x", "times"], ["y"])]
    save("value_beyond_memory", tile, x, [info("y", [1, 4 << 28])], [tensor("times", np.array([1, 1 << 28], dtype=np.int64))])
    save("no_output", [relu("x", "y")], x, [])
    gemm("no_graph", edit=lambda m: m.ClearField("graph"))
    gemm("two_initializers_of_one_name", edit=lambda m: m.graph.initializer.append(tensor("w", W)))
    dense = helper.make_sparse_tensor(tensor("s", np.ones(1, np.float32)), tensor("i", np.zeros(1, np.int64)), [4])
    gemm("sparse_initializer", edit=lambda m: m.graph.sparse_initializer.append(dense))
    save("input_is_a_number_type_of_no_name", [relu("x", "y")], [info("x", ["N", 4], T.COMPLEX64)], y)
    body = helper.make_graph([relu("x", "deep")], "leaf", [], [info("deep", [1, 4])])
    for level in range(9):
        then = helper.make_node("If", ["yes"], [f"deep{level}"], then_branch=body, else_branch=body)
        body = helper.make_graph([then], f"level{level}", [], [info(f"deep{level}", [1, 4])])
        # One branch is enough from here on: two would double the file at each level.
        if level:
            del body.node[0].attribute[1]
    last = helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=body)
    save("graphs_nested_too_deep", [last], x, [info("y", [1, 4])], [tensor("yes", np.array(True))])


if __name__ == "__main__":
    good()
    wrong_answers()
    damaged_weights()
    outside()
    malformed()
