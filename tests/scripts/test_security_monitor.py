"""scripts/security-monitor with the real AWS CLI and curl: CloudWatch, ECR and SNS are moto's; answers are those of a
running program, directly and through the stand-in of SageMaker's runtime API.

Usage: STRONGROOM_PROGRAM=PROGRAM STRONGROOM_TEST_TOOLS=DIRECTORY python test_security_monitor.py [-v]
"""

import contextlib
import datetime
import ipaddress
import json
import pathlib
import queue
import signal
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from account import COMMANDS, NUMBER, REGION, ROOT, Account, Container, Done, artifact, environment, script
from program import Place
from runtime import Loopback
from test_runtime import Scripted, respond

IRIS = "iris-random-forest"
FLOWERS = str(artifact(IRIS) / "self-test/flowers.csv")
DIGEST = "sha256:" + "a" * 64
IMAGE = f"{NUMBER}.dkr.ecr.{REGION}.amazonaws.com/strongroom@{DIGEST}"
SECRET = "/services/secret-of-the-webhook"


class Webhook(Loopback):
    """An https server that keeps what is posted to it."""

    def __init__(self, directory: pathlib.Path):
        super().__init__(Post)
        self.posted: queue.Queue[tuple[str, dict]] = queue.Queue()
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "webhook")])
        today = datetime.datetime.now(datetime.UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = x509.CertificateBuilder(name, name, key.public_key(), 1, today, today + datetime.timedelta(1))
        certificate = made.add_extension(address, False).sign(key, hashes.SHA256())
        self.certificate = directory / "webhook.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.certificate.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.settings = {
            "STRONGROOM_WEBHOOK": f"https://127.0.0.1:{self.server_port}{SECRET}",
            "CURL_CA_BUNDLE": str(self.certificate),
        }


def arguments_of_all_processes() -> bytes:
    seen = b""
    for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            seen += process.read_bytes()
    return seen


class Post(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.arguments = arguments_of_all_processes()
        self.server.posted.put((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def setUpModule():
    global PLACE, SERVED
    PLACE = Place()
    unittest.addModuleCleanup(PLACE.close)
    PLACE.publish(artifact(IRIS))
    SERVED = PLACE.serve(IRIS)
    unittest.addModuleCleanup(SERVED.close)


class Monitor(unittest.TestCase):
    def setUp(self):
        self.account = self.enterContext(Account())
        self.account.runtime.endpoints["flowers"] = Container(*SERVED.address)
        self.work = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="strongroom-")))
        self.url = "http://{}:{}".format(*SERVED.address)

    def make_endpoint(self, instance: str = "ml.m5.xlarge"):
        client = self.account.client("sagemaker")
        client.create_model(ModelName="m", ExecutionRoleArn="arn:aws:iam::1:role/r", PrimaryContainer={"Image": IMAGE})
        variant = {"VariantName": "all", "ModelName": "m", "InstanceType": instance, "InitialInstanceCount": 1}
        client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        client.create_endpoint(EndpointName="flowers", EndpointConfigName="c")

    def make_scan(self, status: str = "COMPLETE", **counts: int):
        ecr = self.account.client("ecr")
        ecr.create_repository(repositoryName="strongroom")
        manifest = {"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
        ecr.put_image(
            repositoryName="strongroom", imageManifest=json.dumps(manifest), imageTag="v1", imageDigest=DIGEST
        )
        ecr.start_image_scan(repositoryName="strongroom", imageId={"imageDigest": DIGEST})
        result = {
            "repositoryName": "strongroom",
            "imageId": {"imageDigest": DIGEST},
            "imageScanStatus": {"status": status, "description": "as asked"},
            "imageScanFindings": {"findingSeverityCounts": counts},
        }
        url = f"{self.account.url}/moto-api/static/ecr/scan-finding-results"
        request = urllib.request.Request(url, json.dumps({"results": [result]}).encode(), method="POST")
        urllib.request.urlopen(request).close()

    def measured(self, **values: float):
        """Puts these into CloudWatch as SageMaker does."""
        client = self.account.client("cloudwatch")
        dimensions = [{"Name": "EndpointName", "Value": "flowers"}, {"Name": "VariantName", "Value": "all"}]
        for name, value in values.items():
            instance = name in ("CPUUtilization", "MemoryUtilization")
            client.put_metric_data(
                Namespace="/aws/sagemaker/Endpoints" if instance else "AWS/SageMaker",
                MetricData=[{
                    "MetricName": name,
                    "Dimensions": dimensions,
                    "Value": value,
                    "Timestamp": datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=3),
                }],
            )

    def monitor(self, *arguments: str, **settings: str) -> Done:
        return script("security-monitor", *arguments, **self.account.settings | settings)

    def record(self, done: Done, code: int) -> dict:
        self.assertEqual(done.code, code, done)
        [line] = done.out.splitlines()
        record = json.loads(line)
        self.assertEqual(record["ok"], code == 0)
        self.assertEqual(record["ok"], record["breaches"] == [])
        self.assertRegex(record["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        return record

    def test_health_of_an_endpoint_is_its_status_and_its_metrics_per_variant(self):
        self.make_endpoint()
        self.measured(CPUUtilization=200, MemoryUtilization=41.5, ModelLatency=12_500, Invocation5XXErrors=0)
        record = self.record(self.monitor("health", "--endpoint", "flowers"), 0)
        self.assertEqual((record["check"], record["target"], record["status"]), ("health", "flowers", "InService"))
        # 200 of the 400 percent that four vCPUs have.
        expected = {"cpu_percent": 50, "memory_percent": 41.5, "latency_ms": 12.5, "errors_5xx": 0}
        self.assertEqual(record["variants"], [{"variant": "all"} | expected])

    def test_every_metric_above_its_limit_is_a_breach(self):
        self.make_endpoint("ml.m5.large")
        self.measured(CPUUtilization=170, MemoryUtilization=81, ModelLatency=1_200_000, Invocation5XXErrors=3)
        record = self.record(self.monitor("health", "--endpoint", "flowers"), 1)
        self.assertEqual(
            record["breaches"],
            [
                "all: CPU percent 85, above 80",
                "all: memory percent 81, above 80",
                "all: model latency in ms 1200, above 1000",
                "all: answers 5xx 3, above 0",
            ],
        )
        limits = ["--max-cpu", "85", "--max-memory", "81", "--max-latency", "1200", "--max-5xx", "3"]
        self.record(self.monitor("health", "--endpoint", "flowers", *limits), 0)

    def test_an_endpoint_that_is_not_in_service_is_a_breach_and_no_figures_are_none(self):
        self.make_endpoint()
        self.account.front.sagemaker.endpoints["flowers"] = {"EndpointStatus": "OutOfService"}
        record = self.record(self.monitor("health", "--endpoint", "flowers"), 1)
        self.assertEqual(record["breaches"], ["the endpoint is OutOfService"])
        self.assertIsNone(record["variants"][0]["cpu_percent"])

    def test_health_of_a_container_is_its_ping_and_its_memory(self):
        record = self.record(self.monitor("health", "--url", self.url), 0)
        self.assertEqual(record["ping"], 200)
        self.assertGreater(record["memory_percent"], 0)
        record = self.record(self.monitor("health", "--url", self.url, "--max-memory", "0"), 1)
        self.assertIn("memory percent", record["breaches"][0])

    def test_a_container_that_does_not_answer_is_a_breach(self):
        record = self.record(self.monitor("health", "--url", "http://127.0.0.1:9"), 1)
        self.assertEqual(record["breaches"], ["/ping is not answered", "/metrics tells no memory"])

    def test_scan_of_the_image_that_the_endpoint_has(self):
        self.make_endpoint()
        self.make_scan(CRITICAL=1, HIGH=2)
        record = self.record(self.monitor("scan", "--endpoint", "flowers"), 1)
        self.assertEqual((record["image"], record["critical"], record["high"]), (IMAGE, 1, 2))
        self.assertEqual(
            record["breaches"], ["1 critical findings (allowed: 0), 2 high findings (allowed: 0)"]
        )
        self.record(self.monitor("scan", "--image", IMAGE, "--max-critical", "1", "--max-high", "2"), 0)

    def test_an_image_without_a_scan_is_a_breach_unless_told(self):
        self.make_scan("UNSUPPORTED_IMAGE")
        record = self.record(self.monitor("scan", "--image", IMAGE), 1)
        self.assertEqual(record["breaches"], ["not scanned, ECR says UNSUPPORTED_IMAGE as asked"])
        self.record(self.monitor("scan", "--image", IMAGE, "--allow-unscanned"), 0)

    def test_api_is_one_timed_answer_of_an_endpoint_and_of_a_container(self):
        def late(request):
            time.sleep(0.2)
            respond(request, 200, b"{}")

        with Scripted(late) as server:
            self.account.runtime.endpoints["flowers"] = server.container
            for target in (["--endpoint", "flowers"], ["--url", "http://{}:{}".format(*server.server_address)]):
                with self.subTest(target):
                    record = self.record(self.monitor("api", *target, "--file", FLOWERS, "--max-response", "60000"), 0)
                    self.assertGreaterEqual(record["response_ms"], 200)

    def test_an_answer_that_comes_late_or_refuses_is_a_breach(self):
        slow = self.monitor("api", "--endpoint", "flowers", "--file", FLOWERS, "--max-response", "1")
        self.assertRegex(self.record(slow, 1)["breaches"][0], r"^answered after \d+ ms, above 1$")
        with Scripted(lambda request: respond(request, 503, b'{"error":{"code":"overloaded","message":"busy"}}')) as s:
            self.account.runtime.endpoints["flowers"] = s.container
            refused = self.monitor("api", "--endpoint", "flowers", "--file", FLOWERS, "--max-response", "60000")
            self.assertEqual(self.record(refused, 1)["breaches"], ["the model answered 503 overloaded: busy"])
            refused = self.monitor("api", "--url", "http://{}:{}".format(*s.server_address), "--file", FLOWERS)
            self.assertEqual(self.record(refused, 1)["breaches"], ["/invocations answers 503"])

    def test_what_cannot_be_checked_is_a_breach_that_says_why(self):
        record = self.record(self.monitor("health", "--endpoint", "nothing"), 1)
        self.assertIn("not checked: aws sagemaker describe-endpoint", record["breaches"][0])
        self.assertIn("check the name", record["breaches"][0])

    def test_once_makes_all_checks_and_appends_a_line_for_each_to_the_record(self):
        self.make_endpoint()
        self.make_scan()
        log = self.work / "monitor.jsonl"
        call = ["once", "--endpoint", "flowers", "--file", FLOWERS, "--max-response", "60000", "--record", str(log)]
        self.assertEqual((self.monitor(*call).code, self.monitor(*call).out), (0, ""))
        checks = [json.loads(line)["check"] for line in log.read_text().splitlines()]
        self.assertEqual(checks, ["health", "scan", "api"] * 2)

    def test_a_breach_is_told_to_the_webhook_and_to_sns_without_a_secret(self):
        webhook = self.enterContext(Webhook(self.work))
        topic = self.account.client("sns").create_topic(Name="alerts")["TopicArn"]
        sqs = self.account.client("sqs")
        inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.make_scan(CRITICAL=1)
        done = self.monitor("scan", "--image", IMAGE, "--topic", topic, **webhook.settings)
        record = self.record(done, 1)
        told = {"text": f"{IMAGE}: scan: 1 critical findings (allowed: 0)"} | record
        self.assertEqual(webhook.posted.get(timeout=5), (SECRET, told))
        [message] = sqs.receive_message(QueueUrl=inbox)["Messages"]
        sent = json.loads(message["Body"])
        self.assertEqual((json.loads(sent["Message"]), sent["Subject"]), (told, "Strongroom: scan"))
        self.assertNotIn(SECRET, done.out + done.err + json.dumps(told))
        self.assertIn(b"curl", webhook.arguments)
        self.assertNotIn(SECRET.encode(), webhook.arguments)

    def test_what_is_good_is_told_to_nobody(self):
        webhook = self.enterContext(Webhook(self.work))
        self.record(self.monitor("health", "--url", self.url, **webhook.settings), 0)
        self.assertTrue(webhook.posted.empty())

    def test_a_webhook_that_cannot_be_reached_is_told_without_its_path(self):
        done = self.monitor("health", "--url", "http://127.0.0.1:9", STRONGROOM_WEBHOOK=f"https://127.0.0.1:9{SECRET}")
        self.assertEqual(done.code, 1)
        self.assertIn("curl: (7)", done.err)
        self.assertNotIn(SECRET, done.err)

    def test_continuous_tells_of_changes_only_and_ends_with_0_when_it_is_stopped(self):
        webhook = self.enterContext(Webhook(self.work))
        status = {"now": 503}

        class Ping(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status["now"])
                self.end_headers()
                self.wfile.write(b"strongroom_resident_memory_bytes 1\nstrongroom_memory_limit_bytes 100\n")

            def log_message(self, *_):
                pass

        container = self.enterContext(Loopback(Ping))
        settings = {"PATH": f"{COMMANDS}:/usr/bin:/bin"} | self.account.settings | webhook.settings
        call = [ROOT / "scripts/security-monitor", "continuous", "--every", "1"]
        call += ["--url", f"http://127.0.0.1:{container.server_port}"]
        monitor = subprocess.Popen(call, env=environment(**settings), stdout=subprocess.PIPE, text=True)
        for step in (monitor.stdout.close, monitor.wait, monitor.kill):
            self.addCleanup(step)
        read = lambda: json.loads(monitor.stdout.readline())["ok"]
        self.assertEqual([read(), read(), read()], [False] * 3)
        status["now"] = 200
        while not read():
            pass
        texts = [webhook.posted.get(timeout=10)[1]["text"] for _ in range(2)]
        monitor.send_signal(signal.SIGTERM)
        self.assertEqual(monitor.wait(timeout=20), 0)
        self.assertIn("/ping answers 503", texts[0])
        self.assertTrue(texts[1].endswith("health: good again"), texts)
        self.assertTrue(webhook.posted.empty())

    def test_a_dry_run_tells_nobody_and_records_nothing(self):
        webhook = self.enterContext(Webhook(self.work))
        log = self.work / "monitor.jsonl"
        call = ["health", "--url", "http://127.0.0.1:9", "--record", str(log), "--dry-run"]
        done = self.monitor(*call, **webhook.settings)
        self.assertIn("would tell the webhook: ", done.out)
        self.assertTrue(webhook.posted.empty())
        self.assertFalse(log.exists())

    def test_wrong_usage_ends_with_2_and_one_line(self):
        for arguments, words in (
            ([], "the verb is health, scan, api, once or continuous"),
            (["look"], "unknown verb look"),
            (["health"], "--endpoint or --url is missing"),
            (["health", "--endpoint", "e", "--url", "http://h"], "exclude each other"),
            (["api", "--endpoint", "e"], "api wants --file"),
            (["api", "--endpoint", "e", "--file", "/nowhere"], "/nowhere cannot be read"),
            (["scan", "--url", "http://h"], "scan wants --endpoint or --image"),
            (["health", "--url", "http://h", "--max-cpu", "much"], "--max-cpu wants a whole number"),
        ):
            with self.subTest(arguments):
                done = self.monitor(*arguments)
                self.assertEqual((done.code, done.out, done.err.count("\n")), (2, "", 1), done)
                self.assertIn(words, done.err)
        done = self.monitor("health", "--url", "http://h", STRONGROOM_WEBHOOK="http://plain")
        self.assertEqual((done.code, "no https URL" in done.err), (2, True), done)


if __name__ == "__main__":
    unittest.main()
