"""The blocks of docs/DEPLOY.md, run as they stand: the laptop's for real, AWS's against moto.

What is not there is a function of the shell: make, terraform, which answers with outputs, and scripts that have tests of
their own.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import page
from page import PROGRAM, ROOT, TOOLS

FLOWERS = "model-artifacts/iris-random-forest/self-test/flowers"
ACCOUNT, REGION = "123456789012", "eu-central-1"
DIGEST = "sha256:" + "5b" * 32
STAND_INS = r"""
set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
make() { echo "made $*"; }
scripts/push() { echo "123456789012.dkr.ecr.eu-central-1.amazonaws.com/strongroom@$DIGEST"; }
scripts/invoke() { echo "asked $*"; }
terraform() { if [ "$2" = output ]; then printenv "output_${!#}"; else echo "terraform $2"; fi; }
"""


class Offline(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ("model-artifacts", "container"):
            (self.directory / name).symlink_to(ROOT / name)
        for name in ("target/release", "terraform/examples/complete"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "target/release/strongroom").symlink_to(PROGRAM)
        tools = f"{self.directory}/target/release:{Path(sys.executable).parent}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STRONGROOM_"))}
        self.environment = kept | {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(self.directory), "DIGEST": DIGEST}

    def run_blocks(self, *blocks):
        script = STAND_INS + "\n".join(block.text for block in blocks)
        run = subprocess.run(["bash", "-c", script], cwd=self.directory, env=self.environment, capture_output=True,
                             text=True, timeout=120)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return run.stdout

    def blocks(self, heading):
        return [block for block in page.blocks() if block.heading == heading]


class Laptop(Offline):
    def test_the_journey_on_a_laptop_ends_with_the_answer_of_the_self_test(self):
        block = self.blocks("Laptop")[0]
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        self.environment["SAGEMAKER_BIND_TO_PORT"] = str(port)
        said = self.run_blocks(block._replace(text=block.text.replace(":8080", f":{port}")))
        answer, _ = json.JSONDecoder().raw_decode(said, said.index('{"predictions"'))
        expected = json.loads((ROOT / f"{FLOWERS}.json").read_text())
        self.assertEqual([row["label"] for row in answer["predictions"]], [row["label"] for row in expected["predictions"]])


class OnAws(Offline):
    @classmethod
    def setUpClass(cls):
        cls.moto = subprocess.Popen([TOOLS / "py/bin/python", ROOT / "tests/sagemaker/moto_server.py", "127.0.0.1"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.moto.wait)
        cls.addClassCleanup(cls.moto.stdin.close)
        cls.addClassCleanup(cls.moto.stdout.close)
        cls.url = f"http://127.0.0.1:{cls.moto.stdout.readline().strip()}"

    def setUp(self):
        super().setUp()
        (self.directory / ".aws").mkdir()
        (self.directory / ".aws/credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
        (self.directory / ".aws/config").write_text(f"[default]\nregion = {REGION}\n")
        self.environment |= {"AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_DISABLED": "true"}
        subprocess.run(["curl", "-sf", "-X", "POST", f"{self.url}/moto-api/reset"], check=True, capture_output=True)
        secret = self.aws("secretsmanager", "create-secret", "--name", "strongroom/kek")["ARN"]
        for bucket in ("registry", f"faces-results-{ACCOUNT}-{REGION}", f"models-exports-{ACCOUNT}-{REGION}"):
            self.aws("s3api", "create-bucket", "--bucket", bucket, "--create-bucket-configuration", f"LocationConstraint={REGION}")
        self.environment |= {f"output_{name}": value for name, value in {
            "publisher_role_arn": f"arn:aws:iam::{ACCOUNT}:role/strongroom-publisher",
            "settings": json.dumps({"AWS_REGION": REGION, "STRONGROOM_REGISTRY": "s3://registry/prod",
                                    "STRONGROOM_KEY": f"secretsmanager:{secret}"}),
            "key": f"secretsmanager:{secret}",
            "put_key_command": put_key_command(secret),
            "job": transform_job(),
        }.items()}

    def aws(self, *words):
        run = subprocess.run(["aws", "--region", REGION, "--output", "json", *words], env=self.environment,
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout or "null")

    def journey(self):
        return self.blocks("SageMaker, real time")[:3]

    def test_key_and_model_are_where_the_endpoint_will_look(self):
        said = self.run_blocks(*self.journey())
        self.assertIn("iris-random-forest:live ->", said)
        keys = [found["Key"] for found in self.aws("s3api", "list-objects-v2", "--bucket", "registry")["Contents"]]
        self.assertIn("prod/aliases/iris-random-forest/live.json", keys)
        stages = self.aws("secretsmanager", "describe-secret", "--secret-id", "strongroom/kek")["VersionIdsToStages"]
        self.assertEqual(list(stages.values()), [["AWSCURRENT"]])
        variables = (self.directory / "terraform/examples/complete/terraform.tfvars").read_text()
        self.assertTrue(variables.endswith(f'\nimage_digest = "{DIGEST}"\n'), variables)

    @unittest.skipUnless(shutil.which("terraform"), "terraform is not installed")
    def test_the_variables_written_are_in_terraforms_language_and_form(self):
        self.run_blocks(*self.journey())
        file = self.directory / "terraform/examples/complete/terraform.tfvars"
        form = subprocess.run(["terraform", "fmt", "-check", "-diff", file], capture_output=True, text=True)
        self.assertNotIn("Error", form.stderr)
        self.assertIn(form.returncode, (0, 3))

    def test_an_asynchronous_request_is_put_and_asked_for(self):
        self.run_blocks(*self.journey(), *self.other_ways("invoke-endpoint-async"))
        self.aws("s3api", "head-object", "--bucket", f"faces-results-{ACCOUNT}-{REGION}", "--key", "in/photo.jpg")

    def test_the_examples_own_transform_job_is_started_and_awaited(self):
        self.run_blocks(*self.journey(), *self.other_ways("create-transform-job"))
        jobs = self.aws("sagemaker", "list-transform-jobs")["TransformJobSummaries"]
        self.assertRegex(jobs[0]["TransformJobName"], r"^faces-\d+$")

    def test_a_model_for_a_multi_model_endpoint_is_exported_and_copied(self):
        said = self.run_blocks(*self.journey(), *self.other_ways("--target-model"))
        self.aws("s3api", "head-object", "--bucket", f"models-exports-{ACCOUNT}-{REGION}", "--key", "models/iris.tar.gz")
        self.assertIn(f"asked models {FLOWERS}.csv --target-model iris.tar.gz", said)

    def other_ways(self, mark):
        found = [block for block in self.blocks("SageMaker, other ways") if mark in block.text]
        self.assertEqual(len(found), 1)
        return found

    def test_the_task_definition_is_registered_and_rolled(self):
        self.aws("ecs", "create-cluster", "--cluster-name", "models")
        self.run_blocks(*self.journey(), *(self.with_what_is_there(block) for block in self.blocks("ECS")))
        definition = self.aws("ecs", "describe-task-definition", "--task-definition", "strongroom")["taskDefinition"]
        self.assertTrue(definition["containerDefinitions"][0]["readonlyRootFilesystem"])
        self.assertNotIn("${", json.dumps(definition))

    def with_what_is_there(self, block):
        """The journey's registry and key, and a network of the account."""
        subnet = self.aws("ec2", "describe-subnets")["Subnets"][0]["SubnetId"]
        group = self.aws("ec2", "describe-security-groups")["SecurityGroups"][0]["GroupId"]
        text = re.sub(r"STRONGROOM_(REGISTRY|KEY)=\S+", "", block.text)
        return block._replace(text=re.sub(r"subnet-\w+", subnet, re.sub(r"\bsg-\w+", group, text)))


def put_key_command(secret):
    outputs = (ROOT / "terraform/modules/keys/outputs.tf").read_text()
    command = re.search(r'value\s+= "(.*put-secret-value.*)"', outputs)[1]
    return command.replace("${aws_secretsmanager_secret.this.arn}", secret)


def transform_job():
    """The job of the example, with a word for what only Terraform knows."""
    source = (ROOT / "terraform/examples/batch-transform/main.tf").read_text()
    job = re.search(r"^  job = (\{.*?^  \})", source, re.MULTILINE | re.DOTALL)[1]
    job = re.sub(r"\$\{[^}]+\}", "faces", job)
    job = re.sub(r"\b(module|var)\.[\w.]+", '"faces"', job)
    job = re.sub(r"(\w+)\s*= ", r'"\1": ', job)
    job = re.sub(r"(?<![{(,])\n", ",\n", job)
    return json.dumps(json.loads(re.sub(r",(\s*\})", r"\1", job)))


if __name__ == "__main__":
    unittest.main()
