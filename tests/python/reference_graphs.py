"""Small graphs for tests/predict.rs: answers that do not depend on the picture.

    python tests/python/reference_graphs.py tests/predict
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def constant(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.array(values, dtype), name)


def save(path, nodes, shape, outputs, constants, name="image"):
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, path.stem, ports, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def fixed(path, answers, shape=("N", 3, 20, 40)):
    """Every answer plus 0 x the mean of the picture, so that the input counts."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    constants, outputs = [constant("zero", 0.0)], []
    for name, values in answers.items():
        values = np.array(values, np.float32)
        constants.append(constant(name + ".fixed", values))
        nodes.append(helper.make_node("Add", [name + ".fixed", "nothing"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, values.shape))
    save(path, nodes, list(shape), outputs, constants)


out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

fixed(out / "classes.onnx", {"logits": [[1, 3, 3, 2]]})
fixed(out / "classes_of_any_size.onnx", {"logits": [[1, 3, 3, 2]]}, ("N", 3, "H", "W"))
fixed(out / "vectors.onnx", {"hidden": [[[1, 2], [3, 6]]]})
# Two boxes over each other, of class 0, and one of class 1: columns of x, y, width, height and two scores.
fixed(out / "yolov8.onnx", {"output0": [np.array(
    [[10, 10, 8, 8, .9, .1], [11, 10, 8, 8, .8, .1], [30, 10, 20, 20, .2, .7], [30, 10, 2, 2, .1, .1]]).T]})
fixed(out / "boxes.onnx", {"boxes": [[0, 0, 20, 20], [1, 0, 20, 20], [5, 5, 90, 90]], "scores": [.6, .9, .2],
                           "labels": [0, 1, 1]})
fixed(out / "detr.onnx", {"logits": [[[0, 9, 0], [0, 0, 9]]], "pred_boxes": [[[.5, .5, .5, .5], [.5, .5, 1, 1]]]})
grid = np.full((1, 2, 4, 10), -9.0)
grid[0, 1, 2] = [0, 0, 0, 0, 9, 0, 0, 0, 0, -9]
fixed(out / "grid.onnx", {"grid": grid})

one = [constant("one", 1.0)]
answer = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])]
save(out / "reciprocal.onnx", [helper.make_node("Div", ["one", "x"], ["y"])], ["N", 3], answer, one, "x")
