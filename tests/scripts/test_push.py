"""scripts/push with the real AWS CLI and docker, against moto's ECR and a registry on this machine.

Usage: STRONGROOM_PROGRAM=PROGRAM STRONGROOM_TEST_TOOLS=DIRECTORY python test_push.py [-v], with a running Docker.
"""

import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import urllib.request
import uuid

from account import ROOT, Account, Done, Ecr, script

REPOSITORY = "team/strongroom"
#: Images of this run alone.
NAME = f"strongroom-scripts-{uuid.uuid4().hex[:8]}"
DOCKER_V2 = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"


def docker(*arguments: str, content: bytes = b"") -> str:
    done = subprocess.run(["docker", *arguments], input=content, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout.decode().strip()


def has_docker() -> bool:
    return shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@unittest.skipUnless(has_docker(), "no running docker; as root: scripts/docker-up")
class Push(unittest.TestCase):
    def setUp(self):
        self.account = self.enterContext(Account())
        self.ecr = self.enterContext(Ecr(self.account))
        self.client = self.account.client("ecr")
        self.client.create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
        # The user's own settings of docker, which a push must leave as they are.
        self.docker_config = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="strongroom-")))

    def image(self, tag: str, name: str = NAME, status: str = "COMPLETE", **scan) -> str:
        """A new image of one file, and what moto's ECR will find in it."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            content = uuid.uuid4().bytes
            member = tarfile.TarInfo("strongroom")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        docker("import", "-", f"{name}:{tag}", content=archive.getvalue())
        self.scan(tag, status, **scan)
        self.addCleanup(self.remove, f"{name}:{tag}")
        return f"{name}:{tag}"

    def remove(self, image: str):
        tag = image.split(":")[-1]
        docker("image", "rm", image)
        subprocess.run(["docker", "image", "rm", f"{self.ecr_uri}:{tag}"], capture_output=True)

    @property
    def ecr_uri(self) -> str:
        return f"127.0.0.1:{self.ecr.server_port}/{REPOSITORY}"

    def scan(self, tag: str, status: str, description: str = "", **counts: int):
        result = {
            "repositoryName": REPOSITORY,
            "imageId": {"imageTag": tag},
            "imageScanStatus": {"status": status, "description": description},
            "imageScanFindings": {"findingSeverityCounts": counts},
        }
        url = f"{self.account.url}/moto-api/static/ecr/scan-finding-results"
        request = urllib.request.Request(url, json.dumps({"results": [result]}).encode(), method="POST")
        urllib.request.urlopen(request).close()

    def push(self, *arguments: str, scripts: pathlib.Path = ROOT / "scripts", **settings: str) -> Done:
        settings = self.account.settings | {"DOCKER_CONFIG": str(self.docker_config)} | settings
        return script("push", *arguments, "--repository", REPOSITORY, "--poll", "0", scripts=scripts, **settings)

    def refused(self, done: Done, *words: str, code: int = 1):
        self.assertEqual(done.code, code, done)
        for word in words:
            self.assertIn(word, done.err.splitlines()[-1])

    def in_ecr(self) -> dict[str, str]:
        """Digest by tag."""
        images = self.client.list_images(repositoryName=REPOSITORY)["imageIds"]
        return {image["imageTag"]: image["imageDigest"] for image in images}

    def test_the_last_line_is_the_image_by_the_digest_that_ecr_has(self):
        done = self.push(self.image("v1.0.0"))
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.out, f"{self.ecr_uri}@{self.in_ecr()['v1.0.0']}\n")
        self.assertEqual([media for media, _ in self.ecr.manifests], [DOCKER_V2])

    def test_json_tells_image_tag_and_scan(self):
        done = self.push(self.image("v1.0.0"), "--json")
        scan = {"status": "COMPLETE", "description": "", "critical": 0, "high": 0}
        expected = {"image": f"{self.ecr_uri}@{self.in_ecr()['v1.0.0']}", "tag": "v1.0.0", "scan": scan}
        self.assertEqual(done.json(), expected)

    def test_the_password_of_ecr_stays_in_no_settings_of_docker(self):
        self.assertEqual(self.push(self.image("v1.0.0")).code, 0)
        self.assertEqual(list(self.docker_config.iterdir()), [])

    def test_the_same_image_again_is_not_pushed_again_and_succeeds(self):
        image = self.image("v1.0.0")
        first = self.push(image)
        self.assertEqual((self.push(image).out, len(self.ecr.manifests)), (first.out, 1))

    def test_another_image_under_a_tag_that_is_there_is_refused(self):
        self.assertEqual(self.push(self.image("v1.0.0")).code, 0)
        before = self.in_ecr()
        self.refused(self.push(self.image("v1.0.0", f"{NAME}-other")), "tags do not move", "another --tag")
        self.assertEqual(self.in_ecr(), before)

    def test_findings_above_the_limits_refuse_the_image_and_at_the_limits_do_not(self):
        for number, (counts, limits, refusal) in enumerate((
            ({"CRITICAL": 1}, [], "1 critical findings (allowed: 0)"),
            ({"HIGH": 2}, [], "2 high findings (allowed: 0)"),
            ({"CRITICAL": 1, "HIGH": 3}, ["--max-critical", "1", "--max-high", "2"], "3 high findings (allowed: 2)"),
            ({"CRITICAL": 1, "HIGH": 2}, ["--max-critical", "1", "--max-high", "2"], None),
            ({"MEDIUM": 9, "LOW": 9}, [], None),
        )):
            with self.subTest(counts=counts, limits=limits):
                done = self.push(self.image(f"v{number}", **counts), *limits)
                if refusal:
                    self.refused(done, "do not deploy", refusal)
                    self.assertEqual(done.out, "")
                else:
                    self.assertEqual(done.code, 0, done)

    def test_an_image_that_the_scan_does_not_know_is_refused_unless_told(self):
        words = "UnsupportedImageError: The operating system and/or package manager are not supported."
        image = self.image("v1.0.0", status="FAILED", description=words)
        self.refused(self.push(image), "not scanned, ECR says FAILED UnsupportedImageError", "--allow-unscanned")
        done = self.push(image, "--allow-unscanned", "--json")
        self.assertEqual((done.code, done.json()["scan"]["status"]), (0, "FAILED"))

    def test_a_scan_that_is_not_done_is_waited_for(self):
        # DescribeImageScanFindings of a scan under way, which moto does not have.
        self.account.front.scans_to_wait_for = 3
        done = self.push(self.image("v1.0.0"))
        self.assertEqual((done.code, self.account.front.scans_to_wait_for), (0, 0), done)

    def test_a_scan_that_never_begins_is_refused_after_the_timeout(self):
        self.ecr.scan_on_push = False
        self.refused(self.push(self.image("v1.0.0"), "--timeout", "1"), "no scan of", "switch on scan on push")

    def test_an_oci_manifest_is_refused_since_sagemaker_refuses_it(self):
        # What a builder with OCI manifests would have pushed: docker's own push has none.
        self.ecr.media_type = OCI
        self.refused(self.push(self.image("v1.0.0")), "SageMaker refuses", OCI, "make image")

    def test_a_tag_of_a_dirty_tree_is_refused_unless_told(self):
        image = self.image("abc-dirty")
        self.refused(self.push(image), "uncommitted changes", "--allow-dirty")
        self.assertEqual(self.in_ecr(), {})
        self.assertEqual(self.push(image, "--allow-dirty").code, 0)

    def test_the_image_left_out_is_the_one_of_this_commit(self):
        clone = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="strongroom-")))
        shutil.copytree(ROOT / "scripts", clone / "scripts")
        git = lambda *arguments: subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], cwd=clone, check=True, capture_output=True
        )
        git("init"), git("add", "."), git("commit", "-m", "one"), git("tag", "v9.9.9-scripts")
        self.refused(self.push(scripts=clone / "scripts"), "there is no image strongroom:v9.9.9-scripts", "make image")
        self.image("v9.9.9-scripts", "strongroom")
        self.assertEqual(self.push(scripts=clone / "scripts").code, 0)
        self.assertEqual(list(self.in_ecr()), ["v9.9.9-scripts"])
        (clone / "scripts/check-tools").write_text("exit")
        self.refused(self.push(scripts=clone / "scripts"), "strongroom:v9.9.9-scripts-dirty is of a tree")

    def test_a_dry_run_pushes_nothing_and_still_refuses(self):
        image = self.image("v1.0.0")
        done = self.push(image, "--dry-run")
        self.assertEqual((done.code, self.in_ecr(), self.ecr.blobs), (0, {}, {}), done)
        self.assertIn(f"push {image} as {self.ecr_uri}:v1.0.0", done.out)
        self.refused(self.push(self.image("abc-dirty"), "--dry-run"), "uncommitted changes")

    def test_what_cannot_be_is_told_with_the_remedy(self):
        image = self.image("v1.0.0")
        self.refused(self.push("strongroom-scripts:none"), "there is no image strongroom-scripts:none", "make image")
        done = script("push", image, "--repository", "nothing", **self.account.settings)
        self.refused(done, "RepositoryNotFoundException", "check the name and AWS_REGION")
        self.refused(self.push(image, AWS_REGION="", HOME="/nowhere"), "set AWS_REGION")

    def test_wrong_usage_ends_with_2_and_one_line(self):
        for arguments, words in (
            (["strongroom"], "has no tag"),
            (["strongroom:latest"], "latest says nothing"),
            (["a:1", "b:2"], "too many: b:2"),
            (["a:1", "--max-high", "few"], "--max-high wants a whole number, not few"),
        ):
            with self.subTest(arguments):
                self.refused(self.push(*arguments), words, "--help", code=2)
        self.refused(script("push", "a:1"), "--repository is missing", code=2)


if __name__ == "__main__":
    unittest.main()
