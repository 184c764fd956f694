"""What a caller of the SageMaker runtime API sees of the program, through boto3 and the stand-in of runtime.py.

Usage: STRONGROOM_PROGRAM=PROGRAM python test_runtime.py [-v], with the Python that has boto3.
"""

import base64
import http.client
import json
import re
import socket
import struct
import threading
import unittest
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from program import ROOT, Place, Served, artifact
from runtime import LONGEST_MESSAGE, Container, Loopback, Runtime

IRIS, IMAGENET, FACES = "iris-random-forest", "imagenet-efficientnet-lite0", "face-analyzer"
FLOWERS = (artifact(IRIS) / "self-test/flowers.csv").read_bytes()
ROWS = b'{"instances": [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]}'
LINES = b"[5.1, 3.5, 1.4, 0.2]\n[6.3, 3.3, 6.0, 2.5]\n"
CAT = (artifact(IMAGENET) / "self-test/chelsea.jpg").read_bytes()
SMALL = (ROOT / "tests/images/rgb.jpg").read_bytes()
ID = "an-inference-id"

#: Codes that some test here brings forth; all that docs/API.md lists must be among them.
SHOWN: set[str] = set()
#: Codes that no request causes on a healthy server with enough memory.
SCRIPTED = {"internal", "malformed_body", "model_failed", "out_of_memory"}
#: Codes that stand in the log only: those answers are in the dialect of multi-model containers.
LOGGED = {"bad_load", "load_failed", "model_loaded", "model_not_found"}


def shows(code: str):
    SHOWN.add(code)
    return lambda test: test


def setUpModule():
    place = Place()
    unittest.addModuleCleanup(place.close)
    for name in (IRIS, IMAGENET, FACES):
        place.publish(artifact(name))
    task = (
        '[answers]\ncustom_attributes = true\n[task.tabular]\ngraph = "m.onnx"\nscore_output = "y"\n'
        'features = [{ name = "a" }, { name = "b" }, { name = "c" }]\n'
    )
    place.publish_graph("reciprocal", "reciprocal.onnx", task)
    global PLACE
    PLACE = place


def serve(test: type[unittest.TestCase] | unittest.TestCase, model: str, **settings: str) -> Served:
    """A ready server that lives as long as the test, or as the class's tests."""
    served = PLACE.serve(model, **settings)
    (test.addCleanup if isinstance(test, unittest.TestCase) else test.addClassCleanup)(served.close)
    return served


def caller(test: unittest.TestCase, container: Container):
    """boto3 with an endpoint `e` that has this container."""
    runtime = Runtime({"e": container})
    test.enterContext(runtime)
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=runtime.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=70),
    )
    test.addCleanup(client.close)
    return client


def directly(address: tuple[str, int], body: bytes, **headers: str) -> tuple[int, str, bytes]:
    """Status, Content-Type and body without a platform between."""
    with closing(http.client.HTTPConnection(*address, timeout=60)) as connection:
        connection.request("POST", "/invocations", body, {name.replace("_", "-"): headers[name] for name in headers})
        with connection.getresponse() as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()


class Scripted(Loopback):
    """A container that answers every request by calling `answer` with it."""

    def __init__(self, answer):
        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.received = self.rfile.read(int(self.headers["Content-Length"]))
                answer(self)

            def log_message(self, *_):
                pass

        super().__init__(Request)
        self.container = Container(*self.server_address)


def respond(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str):
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


class Answers(unittest.TestCase):
    """InvokeEndpoint and InvokeEndpointWithResponseStream give what the server answers itself."""

    @classmethod
    def setUpClass(cls):
        cls.iris, cls.imagenet = serve(cls, IRIS), serve(cls, IMAGENET)

    def both_ways(self, served: Served, content_type: str, body: bytes, accept: str = "application/json"):
        status, media_type, expected = directly(served.address, body, Content_Type=content_type, Accept=accept)
        self.assertEqual(status, 200, expected)
        client = caller(self, Container(*served.address))
        asked = {"EndpointName": "e", "ContentType": content_type, "Accept": accept, "Body": body}
        whole = client.invoke_endpoint(**asked)
        self.assertEqual((whole["ContentType"], whole["Body"].read()), (media_type, expected))
        streamed = client.invoke_endpoint_with_response_stream(**asked)
        parts = [event["PayloadPart"]["Bytes"] for event in streamed["Body"]]
        self.assertEqual((streamed["ContentType"], b"".join(parts)), (media_type, expected))
        return expected

    def test_csv_is_answered_as_json(self):
        answer = json.loads(self.both_ways(self.iris, "text/csv", FLOWERS))
        self.assertEqual(answer, PLACE.predict(IRIS, artifact(IRIS) / "self-test/flowers.csv"))
        self.assertEqual(answer["predictions"][0]["label"], "setosa")

    def test_csv_is_answered_as_csv_where_that_is_accepted(self):
        answer = self.both_ways(self.iris, "text/csv", FLOWERS, "text/csv")
        self.assertTrue(answer.startswith(b"setosa,1"), answer)

    def test_json_is_answered_as_json(self):
        answer = json.loads(self.both_ways(self.iris, "application/json", ROWS))
        self.assertEqual([one["label"] for one in answer["predictions"]], ["setosa", "virginica"])

    def test_json_lines_are_answered_as_json_lines(self):
        answer = self.both_ways(self.iris, "application/jsonlines", LINES, "application/jsonlines")
        self.assertEqual([json.loads(line)["label"] for line in answer.splitlines()], ["setosa", "virginica"])

    def test_json_lines_arrive_one_by_one_as_they_are_answered(self):
        body = json.dumps({"instances": [{"b64": base64.b64encode(SMALL).decode()}] * 20}).encode()
        stream = caller(self, Container(*self.imagenet.address)).invoke_endpoint_with_response_stream(
            EndpointName="e", ContentType="application/json", Accept="application/jsonlines", Body=body
        )
        parts = [event["PayloadPart"]["Bytes"] for event in stream["Body"]]
        self.assertGreater(len(parts), 1)
        self.assertTrue(all(part.endswith(b"\n") for part in parts), parts)
        self.assertEqual(len([json.loads(line) for line in b"".join(parts).splitlines()]), 20)

    def test_a_jpeg_is_answered_as_json(self):
        answer = json.loads(self.both_ways(self.imagenet, "image/jpeg", CAT))
        self.assertEqual(answer, PLACE.predict(IMAGENET, artifact(IMAGENET) / "self-test/chelsea.jpg"))
        self.assertIn("cat", answer[0]["label"])

    def test_custom_attributes_and_an_inference_id_change_no_answer_and_the_id_is_logged(self):
        client = caller(self, Container(*self.iris.address))
        asked = {"EndpointName": "e", "ContentType": "text/csv", "Body": FLOWERS}
        plain = client.invoke_endpoint(**asked)["Body"].read()
        answer = client.invoke_endpoint(**asked, CustomAttributes="trace=4711", InferenceId=ID)
        self.assertEqual(answer["Body"].read(), plain)
        self.assertEqual(self.iris.log("request", request_id=ID)["status"], 200)
        stream = client.invoke_endpoint_with_response_stream(**asked, CustomAttributes="x", InferenceId=ID + "-2")
        self.assertEqual(b"".join(event["PayloadPart"]["Bytes"] for event in stream["Body"]), plain)
        self.assertEqual(self.iris.log("request", request_id=ID + "-2")["status"], 200)

    def test_custom_attributes_come_back_from_a_model_that_says_so_and_from_no_other(self):
        asked = {"EndpointName": "e", "ContentType": "text/csv", "CustomAttributes": "trace=4711"}
        saying = caller(self, Container(*serve(self, "reciprocal").address))
        self.assertEqual(saying.invoke_endpoint(**asked, Body=b"1,2,4\n")["CustomAttributes"], "trace=4711")
        silent = caller(self, Container(*self.iris.address))
        self.assertNotIn("CustomAttributes", silent.invoke_endpoint(**asked, Body=FLOWERS))


#: Code, model, Content-Type and body of requests that the platform hands on as they are.
REFUSED = [
    ("empty_body", IRIS, "text/csv", b""),
    ("malformed_json", IRIS, "application/json", b'{"instances": ['),
    ("malformed_csv", IRIS, "text/csv", b"a,a,b,c\n1,2,3,4\n"),
    ("malformed_npy", IRIS, "application/x-npy", b"\x93NUMPY"),
    ("malformed_multipart", IMAGENET, "multipart/form-data; boundary=edge", b"no part at all"),
    ("malformed_base64", IMAGENET, "application/json", b'{"inputs": "%%%%"}'),
    ("malformed_recordio", IMAGENET, "application/x-recordio", struct.pack("<II", 0xCED7230A, 3 << 29)),
    ("unknown_image", IMAGENET, "image/jpeg", b"<!DOCTYPE html>"),
    ("damaged_image", IMAGENET, "image/jpeg", CAT[: len(CAT) // 2]),
    ("image_too_large", IMAGENET, "image/png", None),
    ("too_many_items", IRIS, "text/csv", b"1,2,3,4\n" * 10_001),
    ("body_too_large", IRIS, "text/csv", b"1,2,3,4\n" * (1 << 17) + b"1"),
    ("unsupported_media_type", IRIS, "image/jpeg", CAT),
    ("invalid_input", IRIS, "text/csv", b"1,2,three,4\n"),
    ("no_face", FACES, "application/json", None),
    ("unsupported", IMAGENET, "application/json", None),
    ("bad_answer", "reciprocal", "text/csv", b"1,2,0\n"),
]
SHOWN.update(code for code, *_ in REFUSED)


def png_of(width: int, height: int) -> bytes:
    """A picture of this size, as its head says; there are no pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    packed = [struct.pack(">I", len(data)) + kind + data + crc(kind + data) for kind, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def crc(content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content))


def comparison(image: bytes) -> bytes:
    return json.dumps({"task": "compare", "images": [base64.b64encode(image).decode()] * 2}).encode()


#: Pictures for some ten seconds of looking for faces, or more.
MUCH_WORK = json.dumps({"instances": [{"b64": base64.b64encode(SMALL).decode()}] * 100}).encode()
BODIES = {"image_too_large": png_of(65_535, 65_535), "no_face": comparison(SMALL), "unsupported": comparison(SMALL)}


def documented() -> dict[str, set[int]]:
    """The codes that docs/API.md lists, each with the statuses of its row."""
    section = (ROOT / "docs/API.md").read_text().split("\n## Errors\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d[\d, ]*) \| (.*) \|$", section, re.M)
    return {
        code: {int(status) for status in statuses.split(",")}
        for statuses, codes in rows
        for code in re.findall(r"`(\w+)`", codes)
    }


class Errors(unittest.TestCase):
    """Every failure reaches the caller as a ModelError with its own status and its own JSON body."""

    @classmethod
    def setUpClass(cls):
        cls.codes = documented()
        cls.servers = {
            IMAGENET: serve(cls, IMAGENET),
            IRIS: serve(cls, IRIS, STRONGROOM_MAX_BODY_MB="1"),
            FACES: serve(cls, FACES),
            "reciprocal": serve(cls, "reciprocal"),
        }

    def container(self, model: str = IRIS, **broken) -> Container:
        return Container(*self.servers[model].address, **broken)

    def easily_busy(self) -> Container:
        """One thread, no queue, little patience."""
        settings = {"STRONGROOM_THREADS": "1", "STRONGROOM_QUEUE": "0", "STRONGROOM_DEADLINE_S": "2"}
        return Container(*serve(self, FACES, **settings).address)

    def model_error(self, container: Container, body: bytes, content_type: str = "text/csv", **more) -> dict:
        client = caller(self, container)
        asked = {"EndpointName": "e", "ContentType": content_type, "Body": body, "InferenceId": ID} | more
        with self.assertRaises(ClientError) as caught:
            client.invoke_endpoint(**asked)
        return caught.exception.response

    def expect(self, code: str, response: dict):
        """The API's part of a ModelError, and the program's own body in it."""
        self.assertEqual(
            (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]), ("ModelError", 424)
        )
        error = json.loads(response["OriginalMessage"])["error"]
        self.assertEqual((error["code"], error["request_id"]), (code, ID), error)
        self.assertTrue(error["message"])
        self.assertIn(response["OriginalStatusCode"], self.codes[code])

    def test_refusals_arrive_with_the_status_and_body_that_the_server_gave(self):
        for code, model, content_type, body in REFUSED:
            with self.subTest(code):
                body = BODIES.get(code) if body is None else body
                response = self.model_error(self.container(model), body, content_type)
                self.expect(code, response)
                head = {"Content_Type": content_type, "X_Amzn_SageMaker_Inference_Id": ID}
                status, _, said = directly(self.servers[model].address, body, **head)
                found = (response["OriginalStatusCode"], response["OriginalMessage"])
                self.assertEqual(found, (status, said.decode()))

    def test_a_refusal_before_the_stream_begins_is_a_model_error_too(self):
        client = caller(self, self.container())
        with self.assertRaises(ClientError) as caught:
            client.invoke_endpoint_with_response_stream(
                EndpointName="e", ContentType="text/csv", InferenceId=ID, Body=b"1,2,three,4\n"
            )
        self.expect("invalid_input", caught.exception.response)

    @shows("not_acceptable")
    def test_an_accept_that_cannot_be_had_is_not_acceptable_by_either_api(self):
        self.expect("not_acceptable", self.model_error(self.container(), FLOWERS, Accept="image/png"))
        client = caller(self, self.container())
        with self.assertRaises(ClientError) as caught:
            client.invoke_endpoint_with_response_stream(
                EndpointName="e", ContentType="text/csv", Accept="image/png", InferenceId=ID, Body=FLOWERS
            )
        self.expect("not_acceptable", caught.exception.response)

    @shows("overloaded")
    def test_a_busy_server_says_overloaded_to_whom_it_cannot_take(self):
        container = self.easily_busy()
        ask = lambda _: self.model_error(container, MUCH_WORK, "application/json")
        with ThreadPoolExecutor(4) as pool:
            responses = list(pool.map(ask, range(4)))
        codes = [json.loads(response["OriginalMessage"])["error"]["code"] for response in responses]
        self.assertEqual(sorted(codes), ["deadline_exceeded"] + ["overloaded"] * 3)
        self.expect("overloaded", responses[codes.index("overloaded")])

    @shows("deadline_exceeded")
    def test_an_answer_that_takes_too_long_is_deadline_exceeded(self):
        self.expect("deadline_exceeded", self.model_error(self.easily_busy(), MUCH_WORK, "application/json"))

    @shows("not_ready")
    def test_a_server_whose_model_is_not_there_yet_is_not_ready(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        served = Served({
            "STRONGROOM_REGISTRY": "s3://silent/models",
            "STRONGROOM_KEY": "secretsmanager:models/kek",
            "STRONGROOM_MODEL": IRIS,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:%d" % silent.getsockname()[1],
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        })
        self.addCleanup(served.close)
        self.expect("not_ready", self.model_error(Container(*served.address), FLOWERS))

    @shows("draining")
    def test_a_server_that_was_told_to_stop_is_draining(self):
        served = serve(self, IRIS)
        served.terminate()
        served.log("draining")
        self.expect("draining", self.model_error(Container(*served.address), FLOWERS))

    @shows("not_found")
    @shows("method_not_allowed")
    @shows("unsupported_content_encoding")
    def test_a_platform_that_asks_wrongly_is_told(self):
        self.expect("not_found", self.model_error(self.container(path="/nothing"), FLOWERS))
        self.expect("method_not_allowed", self.model_error(self.container(method="PUT"), FLOWERS))
        encoded = self.container(added={"Content-Encoding": "gzip"})
        self.expect("unsupported_content_encoding", self.model_error(encoded, FLOWERS))

    @shows("body_incomplete")
    def test_a_platform_that_breaks_off_is_told_that_the_body_is_incomplete(self):
        def half(connection, body):
            connection.send(body[: len(body) // 2])
            connection.sock.shutdown(socket.SHUT_WR)

        self.expect("body_incomplete", self.model_error(self.container(deliver=half), FLOWERS))

    @shows("body_timeout")
    def test_a_platform_that_falls_silent_is_told_that_the_body_timed_out(self):
        half = lambda connection, body: connection.send(body[: len(body) // 2])
        self.expect("body_timeout", self.model_error(self.container(deliver=half), FLOWERS))

    def test_codes_that_no_request_causes_arrive_the_same_from_a_scripted_container(self):
        for code in sorted(SCRIPTED):
            status = min(self.codes[code])
            body = json.dumps({"error": {"code": code, "message": "scripted", "request_id": ID}}).encode()
            with self.subTest(code), Scripted(lambda request: respond(request, status, body)) as scripted:
                response = self.model_error(scripted.container, FLOWERS)
                self.expect(code, response)
                self.assertEqual(response["OriginalMessage"], body.decode())

    def test_every_documented_code_is_shown_here(self):
        self.assertGreater(len(self.codes), 25)
        self.assertEqual(set(self.codes), SHOWN | SCRIPTED | LOGGED)

    def test_a_message_that_quotes_a_long_input_is_still_json_for_the_caller(self):
        row = json.dumps({"instances": [{"\\" * 1_000: 1}]}).encode()
        self.expect("invalid_input", self.model_error(self.container(), row, "application/json"))


class StandIn(unittest.TestCase):
    """The stand-in does what the platform does; without that, the other tests show nothing."""

    def test_the_container_gets_the_headers_of_the_api_and_no_others(self):
        seen = []
        answer = lambda request: (seen.append(request.headers), respond(request, 200, b""))
        with Scripted(answer) as scripted:
            caller(self, scripted.container).invoke_endpoint(
                EndpointName="e", Body=b"x", ContentType="text/csv", CustomAttributes="a=1", InferenceId=ID
            )
        names = {name.lower() for name in seen[0]}
        platform = {"host", "user-agent", "content-length"}
        api = {"content-type", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-inference-id"}
        self.assertEqual(names, platform | api)
        self.assertEqual(seen[0]["X-Amzn-SageMaker-Custom-Attributes"], "a=1")

    def test_the_caller_gets_the_content_type_and_custom_attributes_of_the_answer(self):
        head = {"Content_Type": "text/csv", "X_Amzn_SageMaker_Custom_Attributes": "b=2", "X_Other": "lost"}
        with Scripted(lambda request: respond(request, 200, b"1", **head)) as scripted:
            answer = caller(self, scripted.container).invoke_endpoint(EndpointName="e", Body=b"x")
        self.assertEqual((answer["ContentType"], answer["CustomAttributes"]), ("text/csv", "b=2"))
        self.assertNotIn("x-other", answer["ResponseMetadata"]["HTTPHeaders"])

    def test_an_error_body_is_cut_and_its_status_kept(self):
        with Scripted(lambda request: respond(request, 418, b"x" * 5_000)) as scripted:
            with self.assertRaises(ClientError) as caught:
                caller(self, scripted.container).invoke_endpoint(EndpointName="e", Body=b"x")
        response = caught.exception.response
        self.assertEqual((response["OriginalStatusCode"], len(response["OriginalMessage"])), (418, LONGEST_MESSAGE))

    def test_a_container_that_answers_nothing_is_a_model_error_of_status_0(self):
        with Scripted(lambda request: request.connection.shutdown(socket.SHUT_RDWR)) as scripted:
            with self.assertRaises(ClientError) as caught:
                caller(self, scripted.container).invoke_endpoint(EndpointName="e", Body=b"x")
        self.assertEqual(caught.exception.response["OriginalStatusCode"], 0)

    def test_every_chunk_is_an_event_that_comes_before_the_next_chunk_is_sent(self):
        seen = threading.Semaphore(0)

        def answer(request):
            request.send_response(200)
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            for piece in (b"one", b"two", b"three"):
                request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                seen.acquire(timeout=20)
            request.wfile.write(b"0\r\n\r\n")

        with Scripted(answer) as scripted:
            stream = caller(self, scripted.container).invoke_endpoint_with_response_stream(EndpointName="e", Body=b"")
            pieces = []
            for event in stream["Body"]:
                pieces.append(event["PayloadPart"]["Bytes"])
                seen.release()
        self.assertEqual(pieces, [b"one", b"two", b"three"])

    def test_a_stream_that_breaks_ends_with_a_model_stream_error(self):
        def answer(request):
            request.send_response(200)
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            request.wfile.write(b"3\r\none\r\n")
            request.close_connection = True

        with Scripted(answer) as scripted:
            stream = caller(self, scripted.container).invoke_endpoint_with_response_stream(EndpointName="e", Body=b"")
            self.addCleanup(stream["Body"].close)
            events = iter(stream["Body"])
            self.assertEqual(next(events)["PayloadPart"]["Bytes"], b"one")
            with self.assertRaises(EventStreamError) as caught:
                next(events)
        self.assertEqual(caught.exception.response["Error"]["Code"], "ModelStreamError")


if __name__ == "__main__":
    unittest.main()
