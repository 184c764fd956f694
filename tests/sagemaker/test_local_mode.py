"""The image, deployed by the SageMaker Python SDK's local mode: its answers are the program's own.

Usage: STRONGROOM_PROGRAM=PROGRAM STRONGROOM_IMAGE=IMAGE STRONGROOM_TEST_TOOLS=DIRECTORY python test_local_mode.py [-v],
with the Python that has the SDK, and a running Docker.
"""

import contextlib
import csv
import json
import logging
import os
import pathlib
import signal
import socket
import tempfile
import unittest
import uuid

from cloud import Cloud, docker
from program import artifact, run

IMAGE = os.environ["STRONGROOM_IMAGE"]
IRIS, IMAGENET = "iris-random-forest", "imagenet-efficientnet-lite0"
FLOWERS = [[5.1, 3.5, 1.4, 0.2], [6.1, 2.9, 4.7, 1.4], [6.3, 3.3, 6.0, 2.5], [5.9, 3.2, 4.8, 1.8], [6.0, 2.2, 5.0, 1.5]]
CAT = artifact(IMAGENET) / "self-test/chelsea.jpg"
ROLE = "arn:aws:iam::123456789012:role/strongroom"
#: Marks the containers of this run: the SDK leaves them behind.
LABEL = f"strongroom.test={uuid.uuid4()}"


def main():
    # However it ends, nothing stays behind; what was made last goes first.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as made:
        global CLOUD, WORK
        WORK = pathlib.Path(made.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-")))
        prepare_sdk()
        CLOUD = made.enter_context(contextlib.closing(Cloud()))
        made.callback(remove_containers)
        for name in (IRIS, IMAGENET):
            CLOUD.publish(artifact(name))
        unittest.main(buffer=True)


def prepare_sdk():
    """The SDK then reports to nobody, reads no settings of this machine's user, gives up within reason, and is quiet."""
    settings = WORK / "sdk.yaml"
    settings.write_text("SchemaVersion: '1.0'\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n")
    os.environ |= {
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(settings),
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(settings),
        "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    logging.getLogger("sagemaker.config").setLevel(logging.WARNING)
    from sagemaker.local import entities

    entities.HEALTH_CHECK_TIMEOUT_LIMIT = 40


def containers() -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split()


def remove_containers():
    if found := containers():
        docker("rm", "--force", *found)


def assert_all_ended_with_0():
    """A container that is killed as its time is up ends with 137."""
    codes = docker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", *containers()).splitlines()
    assert set(codes) == {"exited 0"}, codes


def directory(name: str) -> pathlib.Path:
    made = WORK / name
    made.mkdir()
    return made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def local_session():
    from sagemaker.local import LocalSession

    session = LocalSession(boto_session=CLOUD.session(), default_bucket="none")
    # The platform's patience after SIGTERM, and less than it allows while the container runs.
    container = {"labels": [LABEL], "stop_grace_period": "30s", "read_only": True, "cap_drop": ["ALL"]}
    local = {"local_code": True, "serving_port": free_port(), "container_root": str(WORK)}
    session.config = {"local": local | {"container_config": container}}
    return session


def registered(name: str):
    """A model in the registry: what the platform mounts is empty."""
    data = WORK / "no-model-data"
    data.mkdir(exist_ok=True)
    return model(data, CLOUD.settings | {"STRONGROOM_MODEL": name})


def exported(name: str):
    """A model that the platform unpacks and mounts; of the settings it needs the key's."""
    archive = directory(f"{name}-exported") / "model.tar.gz"
    run("export", name, "--output", str(archive), **CLOUD.settings)
    return model(archive, {key: value for key, value in CLOUD.settings.items() if key != "STRONGROOM_REGISTRY"})


def model(data: pathlib.Path, settings: dict[str, str]):
    """A model as SageMaker knows it: the image, the model data, and the container's settings."""
    from sagemaker.model import Model
    from sagemaker.predictor import Predictor

    # Credentials it gets from the SDK, as from the platform.
    env = {key: value for key, value in settings.items() if "ACCESS_KEY" not in key}
    session = local_session()
    return Model(IMAGE, f"file://{data}", role=ROLE, env=env, predictor_cls=Predictor, sagemaker_session=session)


def predicted(name: str, file: str, content: bytes):
    """The direct answer: what `strongroom predict` says of the file."""
    path = pathlib.Path(tempfile.mkdtemp(dir=WORK)) / file
    path.write_bytes(content)
    return json.loads(run("predict", name, str(path), **CLOUD.settings))


def rows_as(media_type: str, rows: list) -> bytes:
    cells = lambda row: ",".join(map(str, row)) if media_type == "text/csv" else json.dumps(row)
    return "".join(f"{row if isinstance(row, str) else cells(row)}\n" for row in rows).encode()


def flowers_predicted() -> list[dict]:
    return predicted(IRIS, "flowers.csv", rows_as("text/csv", FLOWERS))["predictions"]


class RealTime(unittest.TestCase):
    """Endpoints."""

    def deploy(self, served, serializer, deserializer):
        predictor = served.deploy(1, "local", serializer=serializer, deserializer=deserializer)
        self.addCleanup(assert_all_ended_with_0)
        self.addCleanup(predictor.delete_endpoint)
        return predictor

    def test_csv_and_json_lines_are_answered_as_by_the_program_itself(self):
        from sagemaker.deserializers import CSVDeserializer, JSONDeserializer, JSONLinesDeserializer
        from sagemaker.serializers import CSVSerializer, JSONLinesSerializer

        expected = flowers_predicted()
        predictor = self.deploy(registered(IRIS), CSVSerializer(), JSONDeserializer())
        self.assertEqual(predictor.predict(FLOWERS), {"predictions": expected})

        predictor.deserializer = CSVDeserializer()
        cells = [[row["label"], *map(str, row["scores"])] for row in expected]
        self.assertEqual([as_numbers(row) for row in predictor.predict(FLOWERS)], [as_numbers(row) for row in cells])

        predictor.serializer, predictor.deserializer = JSONLinesSerializer(), JSONLinesDeserializer()
        self.assertEqual(predictor.predict(FLOWERS), expected)

    def test_an_exported_model_that_is_mounted_answers_the_same_without_a_registry(self):
        from sagemaker.deserializers import JSONDeserializer
        from sagemaker.serializers import CSVSerializer

        predictor = self.deploy(exported(IRIS), CSVSerializer(), JSONDeserializer())
        self.assertEqual(predictor.predict(FLOWERS), {"predictions": flowers_predicted()})

    def test_a_jpeg_is_answered_as_by_the_program_itself(self):
        from sagemaker.deserializers import JSONDeserializer
        from sagemaker.serializers import IdentitySerializer

        predictor = self.deploy(registered(IMAGENET), IdentitySerializer("image/jpeg"), JSONDeserializer())
        self.assertEqual(predictor.predict(CAT.read_bytes()), predicted(IMAGENET, "cat.jpg", CAT.read_bytes()))


def as_numbers(row: list[str]) -> list:
    """A label and its scores."""
    return [row[0], *map(float, row[1:])]


class Batch(unittest.TestCase):
    """Transform jobs: one output for each input file."""

    def transform(self, name: str, inputs: dict[str, bytes], **how) -> dict[str, bytes]:
        from sagemaker.transformer import Transformer

        label = f"{name}-{uuid.uuid4()}"
        given, taken = directory(f"{label}-in"), directory(f"{label}-out")
        for file, content in inputs.items():
            (given / file).write_bytes(content)
        served = registered(name)
        served.create(instance_type="local")
        strategy, accept = how.pop("strategy"), how.pop("accept", None)
        transformer = Transformer(
            served.name, 1, "local", strategy=strategy, assemble_with="Line", accept=accept,
            output_path=f"file://{taken}", sagemaker_session=served.sagemaker_session,
        )  # fmt: skip
        transformer.transform(f"file://{given}", logs=False, **how)
        assert_all_ended_with_0()
        return {path.name.removesuffix(".out"): path.read_bytes() for path in taken.rglob("*.out")}

    def test_csv_lines_become_as_many_csv_lines_in_order(self):
        bad = [FLOWERS[0], "1,2,three,4", FLOWERS[2]]
        inputs = {"good.csv": rows_as("text/csv", FLOWERS), "bad.csv": rows_as("text/csv", bad)}
        found = self.transform(IRIS, inputs, content_type="text/csv", split_type="Line", strategy="MultiRecord")
        self.assertEqual(set(found), set(inputs))
        expected = [[row["label"], *row["scores"]] for row in flowers_predicted()]
        self.assertEqual([as_numbers(line) for line in csv_lines(found["good.csv"])], expected)
        first, refused, last = csv_lines(found["bad.csv"])
        self.assertEqual([as_numbers(first), as_numbers(last)], [expected[0], expected[2]])
        [cell] = refused
        self.assert_refusal(json.loads(cell))

    def test_json_lines_become_as_many_json_lines_in_order(self):
        kind = "application/jsonlines"
        bad = [FLOWERS[0], '{"broken": ', FLOWERS[2]]
        inputs = {"good.jsonl": rows_as(kind, FLOWERS), "bad.jsonl": rows_as(kind, bad)}
        found = self.transform(IRIS, inputs, content_type=kind, split_type="Line", strategy="MultiRecord")
        self.assertEqual(set(found), set(inputs))
        expected = flowers_predicted()
        self.assertEqual([json.loads(line) for line in lines(found["good.jsonl"])], expected)
        first, refused, last = [json.loads(line) for line in lines(found["bad.jsonl"])]
        self.assertEqual([first, last], [expected[0], expected[2]])
        self.assert_refusal(refused)

    def test_images_become_one_json_document_each(self):
        other = artifact("face-analyzer") / "self-test/astronaut.jpg"
        inputs = {"cat.jpg": CAT.read_bytes(), "astronaut.jpg": other.read_bytes()}
        found = self.transform(IMAGENET, inputs, content_type="image/jpeg", strategy="SingleRecord")
        self.assertEqual(
            {file: json.loads(content) for file, content in found.items()},
            {file: predicted(IMAGENET, file, content) for file, content in inputs.items()},
        )

    def assert_refusal(self, line: dict):
        self.assertEqual(set(line), {"error"})
        self.assertLessEqual({"code", "message"}, set(line["error"]))


def lines(content: bytes) -> list[str]:
    """The lines, each ended by the one newline that the platform adds after an answer or that stands in it."""
    *ended, rest = content.decode().split("\n")
    assert rest == "" and "" not in ended, content
    return ended


def csv_lines(content: bytes) -> list[list[str]]:
    return list(csv.reader(lines(content)))


if __name__ == "__main__":
    main()
