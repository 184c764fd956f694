"""Makes src/kernels/trees/fixtures: small decision trees of every exporter, and what onnxruntime answers.

Run: python tests/python/tree_fixtures.py src/kernels/trees/fixtures
Committed are the results, so that the tests need no Python. NAME.onnx is the model, of one node; NAME.json holds its
attributes, the rows asked and the answers. A null stands for NaN.
"""
import json
import sys
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import skl2onnx
import xgboost
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor

FEATURES = 4
warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)
out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)


def short(values):
    """float32 in as few digits as read back the same; None for NaN."""
    return [None if np.isnan(value) else float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def rows(count=24):
    random = np.random.default_rng(11)
    asked = np.round(random.normal(size=(count, FEATURES)) * 2, 1).astype(np.float32)
    asked[::3, 0] = random.integers(0, 6, size=len(asked[::3]))
    asked[random.random(asked.shape) < 0.1] = np.nan
    asked[5] = np.nan
    return asked


def alone(model):
    """The tree node of a model, as a model."""
    (node,) = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
    node.input[0] = "rows"
    texts = any(attribute.name == "classlabels_strings" and attribute.strings for attribute in node.attribute)
    kinds = [TensorProto.STRING if texts else TensorProto.INT64, TensorProto.FLOAT][-len(node.output) :]
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(node.output, kinds)],
    )
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 5 if node.op_type == "TreeEnsemble" else 3)]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


def plain(attribute):
    value = helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return short(numpy_helper.to_array(value))
    if attribute.type == onnx.AttributeProto.FLOATS:
        return short(value)
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [text.decode() for text in value]
    return value.decode() if isinstance(value, bytes) else list(value) if not isinstance(value, int) else value


def save(name, model):
    model = alone(model)
    node = model.graph.node[0]
    asked = rows()
    session = onnxruntime.InferenceSession(model.SerializeToString())
    answers = session.run(None, {"rows": asked})
    fixture = {
        "operator": node.op_type,
        "attributes": {attribute.name: plain(attribute) for attribute in node.attribute},
        "features": FEATURES,
        "rows": short(asked),
        "labels": np.asarray(answers[0]).tolist() if len(answers) == 2 else None,
        "scores": short(answers[-1]),
    }
    (out / f"{name}.onnx").write_bytes(model.SerializeToString())
    (out / f"{name}.json").write_text(json.dumps(fixture, separators=(",", ":"), allow_nan=False) + "\n")


def classes(count):
    x, y = make_classification(
        300, FEATURES, n_informative=FEATURES, n_redundant=0, n_classes=count, n_clusters_per_class=1, random_state=3
    )
    x[::3, 0] = np.random.default_rng(5).integers(0, 6, size=len(x[::3]))
    return x.astype(np.float32), y


def from_sklearn(model, x):
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    versions = {"": 17, "ai.onnx.ml": 3}
    return skl2onnx.to_onnx(model, x[:1], options=options, target_opset=versions)


def from_boosting(convert, model, **options):
    initial = [("rows", FloatTensorType([None, FEATURES]))]
    return convert(model, initial_types=initial, target_opset=15, **options)


x, y = classes(3)
forest = RandomForestClassifier(4, max_depth=4, random_state=0).fit(x, np.array(["ham", "eggs", "spam"])[y])
save("forest_strings", from_sklearn(forest, x))
boosted = xgboost.XGBClassifier(n_estimators=3, max_depth=3, n_jobs=1).fit(x, y)
save("xgboost_classes", from_boosting(onnxmltools.convert_xgboost, boosted))

x, y = classes(2)
save("boosting_binary", from_sklearn(GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=0).fit(x, y), x))
x[::7, 1] = np.nan
x[:, 0] = np.abs(np.round(x[:, 0]))
light = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=8, max_cat_to_onehot=1, min_data_per_group=5, verbose=-1, n_jobs=1)
light.fit(x, y ^ (x[:, 0] % 2 == 1), categorical_feature=[0])
save("lightgbm_categories", from_boosting(onnxmltools.convert_lightgbm, light, zipmap=False))

x, target = make_regression(300, FEATURES, random_state=3)
targets = np.stack([target, -(target**2)], 1)
save("forest_targets", from_sklearn(RandomForestRegressor(4, max_depth=4, random_state=0).fit(x.astype(np.float32), targets), x.astype(np.float32)))


def every_mode(aggregate, raised):
    """Six stumps, one of each mode, thresholds that rows hit, and a tree that is one leaf."""
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    nodes = [(tree, node) for tree in range(6) for node in range(3)] + [(6, 0)]
    inner = [node == 0 and tree < 6 for tree, node in nodes]
    leaves = [place for place, branch in zip(nodes, inner) if not branch]
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["rows"],
        ["scores"],
        domain="ai.onnx.ml",
        nodes_treeids=[tree for tree, _ in nodes],
        nodes_nodeids=[node for _, node in nodes],
        nodes_featureids=[tree % FEATURES if branch else 0 for (tree, _), branch in zip(nodes, inner)],
        nodes_modes=[modes[tree] if branch else "LEAF" for (tree, _), branch in zip(nodes, inner)],
        nodes_values=[float(tree % 3) if branch else 0.0 for (tree, _), branch in zip(nodes, inner)],
        nodes_truenodeids=[1 if branch else 0 for branch in inner],
        nodes_falsenodeids=[2 if branch else 0 for branch in inner],
        nodes_missing_value_tracks_true=[int(branch and tree % 2 == 0) for (tree, _), branch in zip(nodes, inner)],
        target_treeids=[tree for tree, _ in leaves],
        target_nodeids=[node for _, node in leaves],
        target_ids=[0] * len(leaves),
        target_weights=[float(np.float32(np.cos(4 * tree + node) + raised)) for tree, node in leaves],
        base_values=[0.25],
        n_targets=1,
        aggregate_function=aggregate,
    )
    return helper.make_model(helper.make_graph([node], "trees", [], []))


# Weights on one side of zero show whether a minimum or maximum starts with the first weight.
for aggregate, raised in [("SUM", 0), ("AVERAGE", 0), ("MIN", 2), ("MAX", -2)]:
    save(f"every_mode_{aggregate.lower()}", every_mode(aggregate, raised))


def stumps(classes, ids, weights, base_values, post_transform):
    """Two trees of one test each, whose leaves weigh one class each."""
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["rows"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0, 1, 1, 1],
        nodes_nodeids=[0, 1, 2, 0, 1, 2],
        nodes_featureids=[1, 0, 0, 2, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * 2,
        nodes_values=[0.5, 0.0, 0.0, -0.5, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0] * 2,
        nodes_falsenodeids=[2, 0, 0] * 2,
        class_treeids=[0, 0, 1, 1],
        class_nodeids=[1, 2, 1, 2],
        class_ids=ids,
        class_weights=weights,
        **({"base_values": base_values} if base_values else {}),
        post_transform=post_transform,
        classlabels_int64s=list(range(classes)),
    )
    return helper.make_model(helper.make_graph([node], "trees", [], []))


save("corner_base_of_both", stumps(2, [1, 1, 1, 1], [0.3, -0.4, 0.1, 0.6], [0.2, -0.1], "SOFTMAX"))
save("corner_base_of_each", stumps(2, [0, 0, 0, 0], [0.3, 0.4, 0.1, 0.6], [0.2, -0.1], "LOGISTIC"))
save("corner_one_base", stumps(2, [0, 0, 0, 0], [0.3, -0.4, 0.1, 0.6], [0.2], "NONE"))
save("corner_probability", stumps(2, [0, 0, 0, 0], [0.3, 0.4, 0.1, 0.2], [], "NONE"))
save("corner_probability_logistic", stumps(2, [0, 0, 0, 0], [0.3, 0.4, 0.1, 0.2], [], "LOGISTIC"))
save("corner_margin_logistic", stumps(2, [0, 0, 0, 0], [0.3, -0.4, 0.1, 0.2], [], "LOGISTIC"))
save("corner_either_class", stumps(2, [0, 1, 0, 1], [0.3, 0.4, -0.1, 0.2], [], "SOFTMAX"))
save("corner_tie", stumps(3, [1, 2, 2, 0], [0.5, 0.5, 0.5, 0.5], [], "SOFTMAX_ZERO"))
save("corner_unseen_class", stumps(3, [0, 1, 1, 0], [-0.5, -0.25, -0.5, -0.125], [], "SOFTMAX"))
save("corner_probit", stumps(3, [0, 1, 1, 2], [0.3, 0.2, 0.1, 0.25], [0.3, 0.2, 0.1], "PROBIT"))


def indexed(targets, aggregate_function):
    """Version 5: a test for a set, one for a smaller set below it, and a tree whose only test has one leaf."""
    tensor = lambda values, kind: numpy_helper.from_array(np.array(values, kind))
    node = helper.make_node(
        "TreeEnsemble",
        ["rows"],
        ["scores"],
        domain="ai.onnx.ml",
        tree_roots=[0, 3, 4],
        nodes_featureids=[0, 1, 0, 2, 3],
        nodes_modes=tensor([6, 0, 6, 2, 1], np.uint8),
        nodes_splits=tensor([0, 0.5, 0, -0.5, 0], np.float32),
        nodes_truenodeids=[1, 0, 2, 4, 6],
        nodes_trueleafs=[0, 1, 1, 1, 1],
        nodes_falsenodeids=[2, 1, 3, 5, 6],
        nodes_falseleafs=[0, 1, 1, 1, 1],
        nodes_missing_value_tracks_true=[1, 0, 0, 1, 0],
        membership_values=tensor([1, 3, 5, np.nan, 4, np.nan], np.float32),
        leaf_targetids=[leaf % targets for leaf in range(7)],
        leaf_weights=tensor([1.5, -2.25, 3.125, -4, 0.5, 0.25, 0.125], np.float32),
        n_targets=targets,
        aggregate_function=aggregate_function,
    )
    return helper.make_model(helper.make_graph([node], "trees", [], []))


save("indexed_sum", indexed(2, 1))
save("indexed_average", indexed(1, 0))
