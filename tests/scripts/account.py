"""An AWS account on this machine for scripts/*: moto, and before it what stands in for the calls that moto lacks.

Stood in for, each named where it is: SageMaker's UpdateEndpoint and the states that follow, members of models and
configurations that moto forgets, ECR's storing of what docker pushes, and a scan that is not done at once.
"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/sagemaker"))

import boto3

from cloud import start_moto
from image_registry import ImageRegistry, Push
from program import PROGRAM, artifact, environment, run
from runtime import Container, Loopback, Runtime

REGION, NUMBER = "us-east-1", "123456789012"
BUCKET, KEK = "models", "strongroom/kek"
TOOLS = pathlib.Path(os.environ["STRONGROOM_TEST_TOOLS"])
#: Where scripts look for the AWS CLI and for `strongroom`.
COMMANDS = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-"))
(COMMANDS / "aws").symlink_to(TOOLS / "scripts/bin/aws")
(COMMANDS / "strongroom").symlink_to(PROGRAM)
PATIENCE = 120


@dataclass
class Done:
    """How a script ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict:
        return json.loads(self.out)


def script(name: str, *arguments: str, scripts: pathlib.Path = ROOT / "scripts", **settings: str) -> Done:
    settings = {"PATH": f"{COMMANDS}:{os.environ['PATH']}"} | settings
    call = [scripts / name, *arguments]
    done = subprocess.run(call, env=environment(**settings), capture_output=True, text=True, timeout=PATIENCE)
    return Done(done.returncode, done.stdout, done.stderr)


class Account:
    """Use it as a context manager. `settings` is what a user of it has in the environment."""

    def __init__(self):
        self.moto = start_moto("127.0.0.1")
        self.port = int(self.moto.stdout.readline())
        url = f"http://127.0.0.1:{self.port}"
        self.front = Front(self.port)
        self.runtime = Runtime({})
        self.settings = {
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_SAGEMAKER": self.front.url,
            "AWS_ENDPOINT_URL_ECR": self.front.url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.runtime.url,
        }
        self.url = url

    def client(self, service: str):
        url = self.front.url if service == "sagemaker" else self.url
        secret = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION, endpoint_url=url, **secret)

    def make_registry(self) -> dict[str, str]:
        """The settings of a container that is served from a registry in S3, with its key in Secrets Manager."""
        self.client("s3").create_bucket(Bucket=BUCKET)
        run("key", "new", "--to", f"secretsmanager:{KEK}", **self.settings)
        return {"STRONGROOM_REGISTRY": f"s3://{BUCKET}/prod", "STRONGROOM_KEY": f"secretsmanager:{KEK}"}

    def __enter__(self) -> "Account":
        return self

    def __exit__(self, *exception):
        for server in (self.front, self.runtime):
            server.__exit__(*exception)
        self.moto.communicate()


class Front(Loopback):
    """SageMaker and ECR: moto's answers, but for those below."""

    def __init__(self, moto: int):
        super().__init__(Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.moto = moto
        #: Where docker finds the registry.
        self.registry_host = ""
        #: DescribeImageScanFindings says so many times that the scan is not done.
        self.scans_to_wait_for = 0
        self.sagemaker = SageMaker()

    def ask_moto(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.moto, timeout=PATIENCE)
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found


class Request(BaseHTTPRequestHandler):
    """A call of a JSON API: X-Amz-Target names it."""

    protocol_version = "HTTP/1.1"
    server: Front

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        call, asked = self.headers["X-Amz-Target"].split(".")[-1], json.loads(body)
        status, answer = self.answer(call, asked, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, call: str, asked: dict, body: bytes) -> tuple[int, bytes]:
        if call == "DescribeImageScanFindings" and self.server.scans_to_wait_for > 0:
            self.server.scans_to_wait_for -= 1
            return 200, json.dumps({"imageScanStatus": {"status": "IN_PROGRESS"}}).encode()
        if call == "UpdateEndpoint":
            return 200, json.dumps(self.server.sagemaker.update(asked)).encode()
        status, answer = self.server.ask_moto(self.passed_on(), body)
        if status != 200 or not answer:
            return status, answer
        found = json.loads(answer)
        if call == "DescribeRepositories":
            for repository in found["repositories"]:
                repository["repositoryUri"] = f"{self.server.registry_host}/{repository['repositoryName']}"
        return status, json.dumps(self.server.sagemaker.seen(call, asked, found)).encode()

    def passed_on(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}

    def log_message(self, *_):
        pass


class SageMaker:
    """What moto lacks of SageMaker: UpdateEndpoint, the states of an update, and members that it forgets."""

    def __init__(self):
        #: CreateModel and CreateEndpointConfig as they were asked, by name.
        self.created: dict[str, dict] = {}
        self.updates: list[dict] = []
        #: What DescribeEndpoint says of an endpoint beside what moto says.
        self.endpoints: dict[str, dict] = {}
        #: What it says next, one after the other, while an endpoint is updated.
        self.states: list[dict] = []
        #: How the next update goes on.
        self.course = self.succeeds

    def succeeds(self, config: str) -> list[dict]:
        stages = [{"VariantName": "all", "VariantStatus": [{"Status": "Baking"}]}]
        pending = {"EndpointConfigName": config, "ProductionVariants": stages}
        return [
            {"EndpointStatus": "Updating"},
            {"EndpointStatus": "Updating", "PendingDeploymentSummary": pending},
            {"EndpointStatus": "InService", "EndpointConfigName": config},
        ]

    def rolls_back(self, config: str) -> list[dict]:
        reason = "The deployment was rolled back: the alarm errors-5xx is in ALARM state."
        return [
            {"EndpointStatus": "Updating"},
            {"EndpointStatus": "RollingBack"},
            {"EndpointStatus": "InService", "FailureReason": reason},
        ]

    def fails(self, config: str) -> list[dict]:
        failed = {"EndpointStatus": "UpdateRollbackFailed", "FailureReason": "no capacity"}
        return [{"EndpointStatus": "Updating"}, failed]

    def hangs(self, config: str) -> list[dict]:
        return [{"EndpointStatus": "Updating"}] * 10_000

    def update(self, asked: dict) -> dict:
        self.updates.append(asked)
        self.states = self.course(asked["EndpointConfigName"])
        endpoint = self.endpoints.setdefault(asked["EndpointName"], {})
        endpoint.pop("LastDeploymentConfig", None)
        if "DeploymentConfig" in asked:
            endpoint["LastDeploymentConfig"] = asked["DeploymentConfig"]
        return {"EndpointArn": f"arn:aws:sagemaker:{REGION}:{NUMBER}:endpoint/{asked['EndpointName']}"}

    def seen(self, call: str, asked: dict, found: dict) -> dict:
        if call in ("CreateModel", "CreateEndpointConfig"):
            self.created[call, asked.get("ModelName") or asked["EndpointConfigName"]] = asked
        elif call in ("DescribeModel", "DescribeEndpointConfig"):
            created = self.created["Create" + call.removeprefix("Describe"), *asked.values()]
            told = {name: value for name, value in created.items() if name != "Tags"}
            # Without what moto tells of members that were never given.
            found = {name: value for name, value in found.items() if name.endswith(("Arn", "Time"))} | told
        elif call == "DescribeEndpoint":
            now = self.endpoints.setdefault(asked["EndpointName"], {})
            if self.states:
                state = self.states.pop(0)
                now.pop("PendingDeploymentSummary", None)
                now.update(state)
            found |= now
        return found


class Ecr(ImageRegistry):
    """ECR as docker sees it: it wants the password of get-login-password, and what is pushed is then in moto's ECR."""

    def __init__(self, account: Account):
        super().__init__(EcrRequest)
        self.client = account.client("ecr")
        token = self.client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        self.authorization = f"Basic {token}"
        assert base64.b64decode(token).startswith(b"AWS:")
        #: What the builder made, where it is not docker's own: the media type that ECR then tells.
        self.media_type = None
        self.scan_on_push = True
        account.front.registry_host = f"127.0.0.1:{self.server_port}"

    def store(self, repository: str, tag: str, media_type: str, manifest: bytes):
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        self.client.put_image(
            repositoryName=repository,
            imageManifest=manifest.decode(),
            imageTag=tag,
            imageManifestMediaType=self.media_type or media_type,
            imageDigest=digest,
        )
        if self.scan_on_push:
            self.client.start_image_scan(repositoryName=repository, imageId={"imageDigest": digest})


class EcrRequest(Push):
    server: Ecr

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.headers["Authorization"] == self.server.authorization:
            return True
        self.answer(401, WWW_Authenticate='Basic realm="ecr"')
        return False

    def do_PUT(self):
        known = len(self.server.manifests)
        super().do_PUT()
        for media_type, manifest in self.server.manifests[known:]:
            _, _, *name, _, tag = self.path.split("/")
            self.server.store("/".join(name), tag, media_type, manifest)


def versions(work: pathlib.Path, *numbers: str) -> list[pathlib.Path]:
    """The sample flower model, as bundles of these versions."""
    bundles = []
    for number in numbers:
        bundle = shutil.copytree(artifact("iris-random-forest"), work / number)
        manifest = bundle / "model.toml"
        manifest.write_text(manifest.read_text().replace('version = "1.0.0"', f'version = "{number}"'))
        bundles.append(bundle)
    return bundles
