"""The container image: what is in it, and that it runs wherever containers are confined.

Usage: STRONGROOM_IMAGE=IMAGE STRONGROOM_PROGRAM=PROGRAM STRONGROOM_TEST_TOOLS=DIRECTORY python test_image.py [-v],
with the Python of requirements-image.txt, tests/sagemaker in PYTHONPATH, as root, and a running Docker. PROGRAM is the
one in the directory that the image was built from.
"""

import functools
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import ssl
import stat
import subprocess
import tarfile
import tempfile
import time
import tomllib
import unittest
import urllib.request
import zipfile
import zlib

import boto3
import trustme

from cloud import docker
from containers import FLOWERS, IMAGE, IMAGENET, IRIS, NOBODY, TOOLS, Exported, FakeAws, Served
from containers import bytes_pushed, content, distribution, entries, name, once, pushed
from program import PATIENCE, PROGRAM, ROOT, Place, artifact

FILES = {
    "LICENSE": 0o644,
    "THIRD-PARTY-NOTICES.md": 0o644,
    "etc/ssl/certs/ca-certificates.crt": 0o644,
    "strongroom": 0o755,
    "strongroom.cdx.json": 0o644,
}
#: What a registry keeps and a machine fetches; and what it takes there unpacked.
#: Packages of the clone itself, which no registry has a checksum of.
OURS = {"strongroom", "strongroom-jpeg", "strongroom-kernels"}
MOST_BYTES_PUSHED, MOST_BYTES = 20_000_000, 25_000_000
#: The directory that scripts/image-files laid out.
FILES_BUILT = pathlib.Path(PROGRAM).parent
TRIPLE = "x86_64-unknown-linux-gnu"


def setUpModule():
    global PLACE, FLOWERS_MODEL
    PLACE = Place()
    unittest.addModuleCleanup(PLACE.close)
    for model in (IRIS, IMAGENET):
        PLACE.publish(artifact(model))
    FLOWERS_MODEL = Exported(PLACE, IRIS)


@functools.cache
def described() -> dict:
    return json.loads(docker("inspect", IMAGE))[0]


def digest(found: bytes) -> str:
    return hashlib.sha256(found).hexdigest()


class Description(unittest.TestCase):
    """What a platform reads before it starts a container."""

    def test_it_says_what_it_can_do_on_sagemaker_and_that_it_has_no_two_way_streams(self):
        prefix = "com.amazonaws.sagemaker.capabilities."
        labels = described()["Config"]["Labels"]
        found = {key.removeprefix(prefix): value for key, value in labels.items() if key.startswith(prefix)}
        expected = {"accept-bind-to-port": "true", "multi-models": "true", "bidirectional-streaming": "false"}
        self.assertEqual(found, expected)

    def test_it_says_which_commit_it_was_built_from(self):
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
        labels = described()["Config"]["Labels"]
        self.assertEqual(labels["org.opencontainers.image.revision"], commit.stdout.strip())
        self.assertEqual(labels["org.opencontainers.image.version"], IMAGE.split(":")[1])
        self.assertEqual(labels["org.opencontainers.image.licenses"], "Apache-2.0")
        self.assertEqual(labels["org.opencontainers.image.title"], "Strongroom")

    def test_the_program_itself_is_started_without_a_shell_and_without_arguments(self):
        config = described()["Config"]
        self.assertEqual((config["Entrypoint"], config["Cmd"]), (["/strongroom"], None))
        self.assertEqual(config["Healthcheck"]["Test"], ["CMD", "/strongroom", "healthcheck"])

    def test_no_user_is_set_as_sagemaker_starts_containers_as_root(self):
        self.assertEqual(described()["Config"]["User"], "")

    def test_a_push_sends_a_docker_v2_manifest_of_one_architecture(self):
        # SageMaker refuses manifests of the OCI's kinds, and indices of several architectures.
        [(media_type, manifest)] = pushed().manifests
        expected = "application/vnd.docker.distribution.manifest.v2+json"
        self.assertEqual((media_type, json.loads(manifest)["mediaType"]), (expected, expected))
        self.assertEqual((described()["Os"], described()["Architecture"]), ("linux", "amd64"))

    @unittest.skipUnless(shutil.which("docker-registry"), "there is no registry: sudo apt-get install docker-registry")
    def test_a_registry_of_others_keeps_it_and_gives_it_back_as_it_is(self):
        [(media_type, manifest)] = pushed().manifests
        with distribution() as address:
            there = f"{address}/strongroom:pushed"
            docker("tag", IMAGE, there)
            docker("push", there)
            docker("rmi", there)
            kept = urllib.request.Request(f"http://{address}/v2/strongroom/manifests/pushed", headers={"Accept": media_type})
            with urllib.request.urlopen(kept) as answer:
                self.assertEqual((answer.headers["Content-Type"], digest(answer.read())), (media_type, digest(manifest)))
            docker("pull", there)
            self.assertEqual(docker("image", "inspect", "--format", "{{.Id}}", there), described()["Id"])
            docker("rmi", there)


class Files(unittest.TestCase):
    """What is in it."""

    def test_there_are_these_files_and_no_other(self):
        self.assertEqual({entry.name for entry in entries() if not entry.isdir()}, set(FILES))

    def test_all_belong_to_root_and_nobody_else_may_write_them_or_becomes_root_by_them(self):
        for entry in entries():
            expected = 0o755 if entry.isdir() else FILES.get(entry.name)
            self.assertEqual((entry.uid, entry.gid, stat.S_IMODE(entry.mode)), (0, 0, expected), entry.name)

    def test_a_registry_keeps_at_most_20_mb_of_it(self):
        self.assertLessEqual(bytes_pushed(), MOST_BYTES_PUSHED)

    def test_unpacked_it_has_at_most_25_mb(self):
        self.assertLessEqual(described()["Size"], MOST_BYTES)

    def test_syft_finds_no_package_of_an_operating_system_and_the_crates(self):
        with tempfile.TemporaryDirectory() as place:
            archive = pathlib.Path(place) / "image.tar"
            docker("save", "--output", str(archive), IMAGE)
            syft = [TOOLS / "image/bin/syft", f"docker-archive:{archive}", "--output", "json", "--quiet"]
            env = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
            found = json.loads(subprocess.run(syft, env=env, capture_output=True, check=True).stdout)
        kinds = {package["type"] for package in found["artifacts"]}
        self.assertEqual(kinds, {"rust-crate"})
        crates = {(package["name"], package["version"]) for package in found["artifacts"]}
        self.assertLessEqual(linked_crates(), crates)

    def test_the_licence_and_the_notices_are_those_of_the_clone(self):
        self.assertEqual(content("LICENSE"), (ROOT / "LICENSE").read_bytes())
        notices = subprocess.run([ROOT / "scripts/third-party-notices", "--image"], capture_output=True, check=True).stdout
        self.assertEqual(content("THIRD-PARTY-NOTICES.md"), notices)

    def test_the_certificate_authorities_are_those_pinned_and_amazon_s_are_among_them(self):
        pinned = re.search(r"sha256:(\w+)", (ROOT / "container/requirements.txt").read_text())[1]
        [wheel] = FILES_BUILT.parent.glob("wheels/certifi-*.whl")
        self.assertEqual(digest(wheel.read_bytes()), pinned)
        found = content("etc/ssl/certs/ca-certificates.crt")
        with zipfile.ZipFile(wheel) as files:
            lines = files.read("certifi/cacert.pem").splitlines(keepends=True)
        self.assertEqual(digest(found), digest(b"".join(line for line in lines if not line.startswith(b"#"))))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=found.decode())
        names = {value for ca in context.get_ca_certs() for [(key, value)] in ca["subject"] if key == "commonName"}
        self.assertLessEqual({f"Amazon Root CA {number}" for number in range(1, 5)}, names)


@functools.cache
def linked_crates() -> set[tuple[str, str]]:
    """The crates that Cargo links into the program: no build tools, no tests."""
    tree = ["cargo", "tree", "--locked", "--no-default-features", "--target", TRIPLE, "--prefix", "none"]
    tree += ["--edges", "normal,no-proc-macro", "--format", "{p}"]
    lines = subprocess.run(tree, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {(crate, version.removeprefix("v")) for crate, version, *_ in (line.split() for line in lines)}


class BillOfMaterials(unittest.TestCase):
    """What the program is made of, as a file and inside the program."""

    def test_the_file_lists_every_crate_with_its_licence_and_cargo_lock_s_checksum(self):
        bill = json.loads(content("strongroom.cdx.json"))
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        listed = {(each["name"], each["version"]): each for each in bill["components"]}
        self.assertLessEqual(linked_crates() - {("strongroom", bill["metadata"]["component"]["version"])}, set(listed))
        lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
        checksums = {(each["name"], each["version"]): each.get("checksum") for each in lock}
        for crate, component in listed.items():
            if crate[0] not in OURS:
                self.assertEqual([each["content"] for each in component["hashes"]], [checksums[crate]], crate)
            self.assertTrue(component["licenses"], crate)

    def test_the_program_lists_every_crate_too(self):
        with tempfile.TemporaryDirectory() as place:
            section = pathlib.Path(place) / "section"
            dump = ["objcopy", "--dump-section", f".dep-v0={section}", PROGRAM, pathlib.Path(place) / "copy"]
            subprocess.run(dump, check=True)
            packages = json.loads(zlib.decompress(section.read_bytes()))["packages"]
        linked = {(each["name"], each["version"]) for each in packages if each.get("kind", "runtime") == "runtime"}
        self.assertLessEqual(linked_crates(), linked)
        self.assertEqual({each["source"] for each in packages if each["name"] not in OURS}, {"crates.io"})


class Program(unittest.TestCase):
    """The one program in it."""

    def test_it_is_position_independent_and_asks_for_no_loader_and_no_library(self):
        run = lambda *command: subprocess.run(command, capture_output=True, text=True, check=True).stdout
        readelf = lambda what: run("readelf", "--wide", what, PROGRAM)
        self.assertRegex(readelf("--file-header"), r"Type:\s+DYN")
        self.assertNotIn("INTERP", readelf("--program-headers"))
        self.assertNotIn("NEEDED", readelf("--dynamic"))

    def test_it_is_the_one_that_was_built(self):
        self.assertEqual(digest(content("strongroom")), digest(pathlib.Path(PROGRAM).read_bytes()))

    def test_no_path_of_the_machine_that_built_it_is_in_it(self):
        program = content("strongroom")
        cargo = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
        for path in (ROOT, cargo, TOOLS.resolve().parent, os.path.expanduser("~")):
            self.assertNotIn(f"{path}/".encode(), program)
        # The same sources are named by their crates.
        self.assertIn(b"/crates/tract-core-", program)

    def test_the_machines_that_run_it_need_no_shell(self):
        done = once("--entrypoint", "/bin/sh")
        self.assertEqual(done.returncode, 127, done.stderr)


class Reproducible(unittest.TestCase):
    """The same files give the same image, whenever, wherever and by whichever builder."""

    def packed(self, builder: str) -> bytes:
        place = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, place)
        files = shutil.copytree(FILES_BUILT, place / FILES_BUILT.name, copy_function=shutil.copyfile)
        # A clone of another day and another umask.
        for file in files.rglob("*"):
            os.utime(file, (1, 1))
            file.chmod(0o700 if file.is_dir() or file.name == "strongroom" else 0o600)
        archive = place / "image.tar"
        subprocess.run([ROOT / "scripts/image-pack", builder, files, IMAGE, archive], check=True, capture_output=True)
        return archive.read_bytes()

    def image_id(self, archive: bytes) -> str:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            [image] = json.load(files.extractfile("manifest.json"))
            return f"sha256:{digest(files.extractfile(image['Config']).read())}"

    def test_docker_makes_the_same_image_again(self):
        self.assertEqual(self.image_id(self.packed("docker")), described()["Id"])

    @unittest.skipUnless(shutil.which("buildah"), "buildah is not installed: sudo apt-get install buildah")
    def test_buildah_makes_the_very_image_that_docker_makes(self):
        self.assertEqual(self.packed("buildah"), self.packed("docker"))


class Start(unittest.TestCase):
    """How it starts and answers."""

    def test_without_an_argument_and_with_serve_it_names_what_it_misses(self):
        for arguments in ((), ("serve",)):
            done = once(arguments=arguments)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn("STRONGROOM_MODEL", done.stdout + done.stderr)
            self.assertIn("STRONGROOM_KEY", done.stdout + done.stderr)

    def test_without_an_argument_it_serves(self):
        served = Served(*FLOWERS_MODEL.options(), arguments=())
        self.addCleanup(served.close)
        served.wait_until_ready()

    def test_a_photo_is_answered_as_by_the_program_itself(self):
        cat = artifact(IMAGENET) / "self-test/chelsea.jpg"
        served = Served(*Exported(PLACE, IMAGENET).options())
        self.addCleanup(served.close)
        served.wait_until_ready()
        self.assertEqual(served.invoke(cat.read_bytes(), "image/jpeg"), PLACE.predict(IMAGENET, cat))

    def test_sigterm_ends_it_with_exit_code_0(self):
        served = Served(*FLOWERS_MODEL.options())
        self.addCleanup(served.close)
        served.wait_until_ready()
        docker("stop", "--time", "30", served.name)
        self.assertEqual(served.state(".State.ExitCode"), "0")

    def test_docker_s_health_check_finds_it_healthy_once_it_serves(self):
        served = Served(*FLOWERS_MODEL.options(), "--health-interval", "1s")
        self.addCleanup(served.close)
        served.wait_until_ready()
        deadline = time.monotonic() + PATIENCE
        while served.state(".State.Health.Status") != "healthy" and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(served.state(".State.Health.Status"), "healthy", served.state("json .State.Health.Log"))

    def test_the_health_check_says_that_nothing_serves(self):
        self.assertEqual(once(arguments=("healthcheck",)).returncode, 1)


class Network(unittest.TestCase):
    """Names are looked up and certificates checked with nothing but these files."""

    @classmethod
    def setUpClass(cls):
        cls.network = name("network")
        docker("network", "create", cls.network)
        cls.addClassCleanup(docker, "network", "rm", cls.network)

    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.place)

    def aws(self, *certificate: pathlib.Path) -> FakeAws:
        aws = FakeAws(self.network, *certificate)
        self.addCleanup(aws.close)
        return aws

    def certified_aws(self) -> FakeAws:
        """It speaks TLS with a certificate of an authority that nobody knows."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.place / "ca.pem")
        certificate = authority.issue_cert("moto")
        certificate.cert_chain_pems[0].write_to_path(self.place / "certificate.pem")
        certificate.private_key_pem.write_to_path(self.place / "key.pem")
        return self.aws(self.place / "certificate.pem", self.place / "key.pem")

    def key_new(self, aws: FakeAws, *options: str, **settings: str) -> subprocess.CompletedProcess:
        arguments = ("key", "new", "--to", "secretsmanager:strongroom/kek")
        return once("--network", self.network, *options, arguments=arguments, **aws.settings, **settings)

    def test_a_model_is_fetched_from_a_host_that_is_looked_up_by_name(self):
        aws = self.aws()
        session = boto3.Session("test", "test", region_name="us-east-1")
        session.client("s3", endpoint_url=aws.address_from_here()).create_bucket(Bucket="models")
        self.assertEqual(self.key_new(aws).returncode, 0)
        registry = {"STRONGROOM_REGISTRY": "s3://models/prod", "STRONGROOM_KEY": "secretsmanager:strongroom/kek"}
        settings = aws.settings | registry
        bundle = ["--network", self.network, "--tmpfs", "/tmp", "--volume", f"{artifact(IRIS)}:/bundle:ro"]
        published = once(*bundle, arguments=("publish", "/bundle", "--alias", "live"), **settings)
        self.assertEqual(published.returncode, 0, published)
        served = Served("--network", self.network, **settings, STRONGROOM_MODEL=IRIS)
        self.addCleanup(served.close)
        served.wait_until_ready()
        self.assertEqual(served.invoke(FLOWERS.read_bytes()), PLACE.predict(IRIS, FLOWERS))

    def test_a_name_that_nobody_has_is_an_error(self):
        aws = self.aws()
        aws.settings["AWS_ENDPOINT_URL"] = "http://nobody.invalid:1"
        refused = self.key_new(aws)
        self.assertEqual(refused.returncode, 1, refused)
        self.assertIn("lookup", refused.stderr)

    def test_a_server_of_an_unknown_authority_is_refused(self):
        refused = self.key_new(self.certified_aws())
        self.assertEqual(refused.returncode, 1, refused)
        self.assertIn("UnknownIssuer", refused.stderr)

    def test_a_server_of_the_authority_in_ssl_cert_file_is_trusted(self):
        mount = ["--volume", f"{self.place}/ca.pem:/ca.pem:ro"]
        done = self.key_new(self.certified_aws(), *mount, SSL_CERT_FILE="/ca.pem")
        self.assertEqual(done.returncode, 0, done)

    def test_the_authorities_are_read_from_the_image_s_file(self):
        mount = ["--volume", f"{self.place}/ca.pem:/etc/ssl/certs/ca-certificates.crt:ro"]
        done = self.key_new(self.certified_aws(), *mount)
        self.assertEqual(done.returncode, 0, done)


READ_ONLY = ["--read-only"]
NO_NETWORK = ["--network", "none"]
NO_CAPABILITIES = ["--cap-drop", "ALL"]
NO_NEW_PRIVILEGES = ["--security-opt", "no-new-privileges"]
LITTLE_MEMORY = ["--memory", "256m"]
EVERYTHING = [*READ_ONLY, *NO_NETWORK, *NO_CAPABILITIES, *NO_NEW_PRIVILEGES, *LITTLE_MEMORY]


#: What Landlock does, which not every kernel has.
LANDLOCK = {"files", "ports"}


@functools.cache
def not_in_this_kernel() -> set[str]:
    """Layers of the sandbox that a container of this machine cannot have, however it is run."""
    served = Served(*FLOWERS_MODEL.options())
    try:
        served.wait_until_ready()
        return served.missing_layers() & LANDLOCK
    finally:
        served.close()


class Confined(unittest.TestCase):
    """It is ready, answers rightly and says which layers of its sandbox are missing, however Docker confines it."""

    def serves(self, *options: str, user: int = 0, without: frozenset[str] | set[str] = frozenset()) -> Served:
        served = Served(*options, "--user", str(user), *FLOWERS_MODEL.options(user))
        self.addCleanup(served.close)
        served.wait_until_ready()
        self.assertEqual(served.invoke(FLOWERS.read_bytes()), PLACE.predict(IRIS, FLOWERS))
        self.assertEqual(served.missing_layers(), not_in_this_kernel() | without)
        return served

    def test_as_docker_runs_it(self):
        self.serves()

    def test_as_uid_65532(self):
        self.serves(user=NOBODY)

    def test_with_a_read_only_root(self):
        self.serves(*READ_ONLY)

    def test_without_a_network(self):
        self.serves(*NO_NETWORK)

    def test_without_capabilities(self):
        self.serves(*NO_CAPABILITIES, without={"identity"})

    def test_without_new_privileges(self):
        self.serves(*NO_NEW_PRIVILEGES)

    def test_with_256_mb_of_memory(self):
        self.serves(*LITTLE_MEMORY)

    def test_as_root_with_all_of_it(self):
        self.serves(*EVERYTHING, without={"identity"})

    def test_as_uid_65532_with_all_of_it(self):
        self.serves(*EVERYTHING, user=NOBODY)


def knows_gvisor() -> bool:
    return "runsc" in json.loads(docker("info", "--format", "{{json .Runtimes}}"))


@unittest.skipUnless(knows_gvisor(), "docker has no runtime runsc: sudo apt-get install runsc, then scripts/docker-up")
class InGvisor(Confined):
    """The same on another kernel, one that has no Landlock."""

    def serves(self, *options: str, user: int = 0, without: frozenset[str] | set[str] = frozenset()) -> Served:
        return super().serves("--runtime", "runsc", *options, user=user, without=LANDLOCK | without)


if __name__ == "__main__":
    unittest.main()
