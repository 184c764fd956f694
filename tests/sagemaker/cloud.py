"""A Docker network with a fake AWS at its gateway, which containers and this machine reach under one address."""

import os
import pathlib
import subprocess
import sys

import boto3

from program import run

#: The name the SDK's local mode gives its network; it takes one that is there.
NETWORK = "sagemaker-local"
BUCKET, SECRET = "models", "strongroom/kek"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


class Cloud:
    """Made with a bucket and a sealing key; `close` leaves nothing of it."""

    def __init__(self):
        self.network = None if NETWORK in docker("network", "ls", "--format", "{{.Name}}").split() else make_network()
        gateway = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", NETWORK)
        self.moto = start_moto(gateway)
        self.endpoint = f"http://{gateway}:{int(self.moto.stdout.readline())}"
        self.settings = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "STRONGROOM_REGISTRY": f"s3://{BUCKET}/prod",
            "STRONGROOM_KEY": f"secretsmanager:{SECRET}",
        }
        self.session().client("s3", endpoint_url=self.endpoint).create_bucket(Bucket=BUCKET)
        run("key", "new", "--to", f"secretsmanager:{SECRET}", **self.settings)

    def session(self) -> boto3.Session:
        return boto3.Session(region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")

    def publish(self, bundle: pathlib.Path):
        run("publish", str(bundle), "--alias", "live", **self.settings)

    def close(self):
        self.moto.communicate()
        if self.network:
            # It stays where somebody else's containers are in it by now.
            subprocess.run(["docker", "network", "rm", self.network], capture_output=True)


def make_network() -> str:
    # docker compose takes only a network with its own label.
    return docker("network", "create", "--label", f"com.docker.compose.network={NETWORK}", NETWORK)


def start_moto(address: str) -> subprocess.Popen:
    python = pathlib.Path(os.environ["STRONGROOM_TEST_TOOLS"]) / "py/bin/python"
    script = pathlib.Path(__file__).with_name("moto_server.py")
    pipe = subprocess.PIPE
    return subprocess.Popen([python, script, address], stdin=pipe, stdout=pipe, stderr=sys.__stderr__)
