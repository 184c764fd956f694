"""Makes tests/scikit: pipelines of scikit-learn as skl2onnx writes them, single operators, and what onnxruntime answers.

    python tests/python/scikit_fixtures.py tests/scikit        (needs what requirements-trees.txt pins)

Committed are the results, so that the tests need no Python. NAME.json holds the rows asked and the answers, those of
ZipMap as the table it reads. A null stands for NaN.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import skl2onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, MinMaxScaler, Normalizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import NuSVC, SVC, SVR, LinearSVC, OneClassSVM

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)
VERSIONS = {"": 17, "ai.onnx.ml": 3}
flowers, kinds = load_iris(return_X_y=True)
flowers = flowers[::5].astype(np.float32)
kinds = kinds[::5]
names = np.array(["ham", "eggs", "spam"])[kinds]
two = (kinds > 0).astype(np.int64)
target = (flowers[:, 3] * 2 + np.sin(flowers[:, 0])).astype(np.float32)
gaps = flowers.copy()
gaps[::4, 1] = np.nan
whole = np.round(flowers)


def plain(answer):
    if isinstance(answer, list):
        answer = np.array([list(row.values()) for row in answer], np.float32)
    answer = np.asarray(answer)
    if answer.dtype == np.float32:
        values = [None if np.isnan(value) else float(str(value)) for value in answer.ravel()]
    else:
        values = answer.ravel().tolist()
    return {"shape": list(answer.shape), "values": values}


def save(out, name, model, rows):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    port = session.get_inputs()[0].name
    answers = session.run(None, {port: rows})
    fixture = {"input": port, "rows": plain(rows), "outputs": [plain(answer) for answer in answers]}
    (out / f"{name}.onnx").write_bytes(model.SerializeToString())
    (out / f"{name}.json").write_text(json.dumps(fixture, separators=(",", ":"), allow_nan=False) + "\n")
    print(name, len(model.SerializeToString()), sorted({node.op_type for node in model.graph.node}))


def pipeline(out, name, model, x, y, tables=True):
    np.random.seed(0)
    model.fit(x, y)
    last = model[-1] if hasattr(model, "steps") else model
    choice = {"raw_scores": True} if isinstance(last, LinearSVC) else {"zipmap": False}
    options = {id(last): choice} if tables and hasattr(last, "classes_") else None
    save(out, name, skl2onnx.to_onnx(model, x[:1], options=options, target_opset=VERSIONS), x[::3])


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def columns(encoder):
    return ColumnTransformer([("kinds", encoder, [0, 1]), ("numbers", StandardScaler(), [2, 3])])


def pipelines(out):
    logistic = LogisticRegression
    pipeline(out, "logistic_maps", scaled(logistic()), flowers, names, tables=False)
    pipeline(out, "logistic_maps_of_numbers", scaled(logistic()), flowers, kinds, tables=False)
    pipeline(out, "logistic", scaled(logistic()), flowers, kinds)
    pipeline(out, "logistic_two", make_pipeline(MinMaxScaler(), logistic()), flowers, two)
    pipeline(out, "one_versus_rest", scaled(OneVsRestClassifier(logistic())), flowers, kinds)
    for norm in ("l1", "l2", "max"):
        pipeline(out, f"normalizer_{norm}", make_pipeline(Normalizer(norm), logistic()), flowers, kinds)
    pipeline(out, "svc_probabilities", scaled(SVC(probability=True)), flowers, names)
    pipeline(out, "svc_two_probabilities", scaled(SVC(probability=True)), flowers, two)
    pipeline(out, "svc_pairs", scaled(SVC(decision_function_shape="ovo")), flowers, kinds)
    pipeline(out, "svc_two", scaled(SVC(kernel="sigmoid")), flowers, two)
    pipeline(out, "svc_poly", scaled(SVC(kernel="poly")), flowers, kinds)
    pipeline(out, "svc_linear", scaled(SVC(kernel="linear", probability=True)), flowers, kinds)
    pipeline(out, "svc_nu", scaled(NuSVC(nu=0.3)), flowers, names)
    pipeline(out, "svr", scaled(SVR()), flowers, target)
    pipeline(out, "svr_poly", scaled(SVR(kernel="poly", degree=2)), flowers, target)
    pipeline(out, "svm_of_one_class", scaled(OneClassSVM(nu=0.3)), flowers, None)
    pipeline(out, "linear_svc", scaled(LinearSVC()), flowers, kinds)
    pipeline(out, "linear_two_targets", scaled(Ridge()), flowers, np.column_stack([target, -target]))
    pipeline(out, "linear_regression", LinearRegression(), flowers, target)
    pipeline(out, "imputer", make_pipeline(SimpleImputer(), logistic()), gaps, kinds)
    pipeline(out, "imputer_forest", make_pipeline(SimpleImputer(strategy="constant", fill_value=1.5), RandomForestClassifier(2, max_depth=2)), gaps, names)
    pipeline(out, "one_hot", make_pipeline(columns(OneHotEncoder(handle_unknown="ignore")), logistic()), whole, kinds)
    pipeline(out, "ordinal", make_pipeline(columns(OrdinalEncoder()), logistic()), whole, kinds)
    pipeline(out, "binarizer", make_pipeline(Binarizer(threshold=2.0), logistic()), flowers, kinds)
    pipeline(out, "principal_components", make_pipeline(StandardScaler(), PCA(2), logistic()), flowers, kinds)
    pipeline(out, "perceptron", scaled(MLPClassifier((6,), max_iter=20)), flowers, names)
    pipeline(out, "neighbours", scaled(KNeighborsClassifier(3)), flowers, kinds)
    pipeline(out, "means", scaled(KMeans(3, n_init=2)), flowers, None)
    pipeline(out, "naive_bayes", GaussianNB(), flowers, kinds)
    pipeline(out, "calibrated", CalibratedClassifierCV(LinearSVC(), cv=2), flowers, kinds)
    pipeline(out, "boosting", GradientBoostingClassifier(n_estimators=2, max_depth=2), flowers, kinds)
    pipeline(out, "isolation", IsolationForest(n_estimators=2, max_samples=8, random_state=0), flowers, None)


ROWS = np.float32([[0, 0, 0], [1, -2, 3], [-4, -5, -6], [1e-8, 0, -1e-8], [0.5, 1.5, -2.5], [7, 8, 9]])


def operator(out, name, kind, rows, outputs, version=3, **attributes):
    """A model of one operator."""
    made = ["a", "b"][: len(outputs)]
    node = helper.make_node(kind, ["x"], made, domain="ai.onnx.ml", **attributes)
    shape = [None, *rows.shape[1:]]
    element = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE, np.dtype(np.int64): TensorProto.INT64}
    ports = [helper.make_tensor_value_info("x", element.get(rows.dtype, TensorProto.STRING), shape)]
    answers = [helper.make_tensor_value_info(port, kind, None) for port, kind in zip(made, outputs)]
    graph = helper.make_graph([node], "operator", ports, answers)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", version)]
    save(out, name, helper.make_model(graph, opset_imports=versions, ir_version=8), rows)


def operators(out):
    number, whole_number, text = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
    for norm in ("L1", "L2", "MAX"):
        operator(out, f"alone_normalizer_{norm.lower()}", "Normalizer", ROWS, [number], norm=norm)
    operator(out, "alone_scaler_one", "Scaler", ROWS, [number], offset=[0.5], scale=[2.0])
    moments = np.array([[1700000000.25, 1.0], [1700000001.5, 2.0]])
    operator(out, "alone_scaler_double", "Scaler", moments, [number], offset=[1700000000.0, 1.0], scale=[2.0, 0.5])
    operator(out, "alone_scaler_integers", "Scaler", np.arange(6).reshape(3, 2), [number], offset=[1.0, 2.0], scale=[0.5, 3.0])
    operator(out, "alone_imputer_zero", "Imputer", ROWS, [number], imputed_value_floats=[1.0, 2.0, 3.0], replaced_value_float=0.0)
    weights = dict(coefficients=[0.5, -1.0, 0.25], intercepts=[0.125])
    for post in ("NONE", "LOGISTIC", "SOFTMAX"):
        operator(out, f"alone_one_score_{post.lower()}", "LinearClassifier", ROWS, [whole_number, number], classlabels_ints=[3, 5], post_transform=post, **weights)
        operator(out, f"alone_one_target_{post.lower()}", "LinearRegressor", ROWS, [number], targets=1, post_transform=post, **weights)
    weights = dict(coefficients=[0.5, -1.0, 0.25, 0.1, 0.2, -0.3, 0.0, 0.5, 0.4], intercepts=[0.125, 0.0, -0.25])
    for post in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        operator(out, f"alone_scores_{post.lower()}", "LinearClassifier", ROWS, [text, number], classlabels_strings=["a", "b", "c"], post_transform=post, **weights)
    operator(out, "alone_svr_linear", "SVMRegressor", ROWS, [number], coefficients=[0.5, -1.0, 0.25], rho=[0.5], kernel_params=[0.0, 0.0, 3.0], kernel_type="LINEAR")
    machine = dict(coefficients=[0.5, -1.0], rho=[0.25], kernel_params=[0.5, 0.0, 3.0], kernel_type="RBF", vectors_per_class=[1, 1], support_vectors=[0.0, 1.0, -1.0, 2.0, 0.5, 0.25], classlabels_ints=[3, 5])
    for post in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        operator(out, f"alone_svc_two_{post.lower()}", "SVMClassifier", ROWS, [whole_number, number], post_transform=post, **machine)
        operator(out, f"alone_svc_two_coupled_{post.lower()}", "SVMClassifier", ROWS, [whole_number, number], post_transform=post, prob_a=[-2.0], prob_b=[0.1], **machine)
    texts = np.array([["b"], ["a"], ["z"]], object)
    operator(out, "alone_labels_of_texts", "LabelEncoder", texts, [whole_number], keys_strings=["a", "b"], values_int64s=[7, 9], default_int64=-3)
    numbers = np.float32([[0.0, -0.0, 1.5], [np.nan, 2.0, 1.5]])
    operator(out, "alone_labels_of_numbers", "LabelEncoder", numbers, [text], keys_floats=[0.0, 1.5, np.nan], values_strings=["zero", "more", "none"], default_string="other")
    operator(out, "alone_labels_of_integers", "LabelEncoder", np.array([[1], [2], [3]]), [number], keys_int64s=[1, 3], values_floats=[0.5, np.nan], default_float=-1.0)
    operator(out, "alone_labels_of_nothing", "LabelEncoder", numbers, [number], version=4, keys_floats=[0.0, np.nan], values_floats=[5.0, 6.0])
    tensors = {f"{name}_tensor": numpy_helper.from_array(np.array(values, np.int64)) for name, values in (("keys", [1, 3]), ("values", [30, 10]), ("default", [0]))}
    operator(out, "alone_labels_of_tensors", "LabelEncoder", np.array([1, 2, 3]), [whole_number], version=4, **tensors)
    operator(out, "alone_one_hot_texts", "OneHotEncoder", texts, [number], cats_strings=["a", "b", "c"], zeros=1)
    operator(out, "alone_one_hot_numbers", "OneHotEncoder", np.float32([[1.9, -1.5], [2.0, 9.0]]), [number], cats_int64s=[1, 2, -1], zeros=1)


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    pipelines(out)
    operators(out)
