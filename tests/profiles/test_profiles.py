"""The profiles for other homes (container/profiles), each before the tool that will read it.

Usage: python test_profiles.py [-v], with the Python of tests/python/requirements-profiles.txt. It needs docker-compose
(1.29 or v2), promtool, apparmor_parser and systemd-analyze; with kubectl the overlays are built, too.
"""

import json
import os
import pathlib
import re
import shutil
import string
import subprocess
import sys
import tempfile
import unittest

import boto3
import moto
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROFILES = ROOT / "container/profiles"
COMPOSE, KUBERNETES = PROFILES / "compose", PROFILES / "kubernetes"
#: Where pip put its programs.
TOOLS = pathlib.Path(sys.executable).parent
#: Not everybody's path has it.
APPARMOR_PARSER = shutil.which("apparmor_parser", path=f"{os.environ['PATH']}:/usr/sbin") or "apparmor_parser"
#: What systemd rates a service that gives nothing up is 9.6.
MOST_EXPOSURE = 1.5
OVERLAYS = ("eks", "gvisor", "secrets-store")
#: What checkov finds and we keep, with the reason.
KEPT = {
    "dockerfile": {
        "CKV_DOCKER_2": "every orchestrator has its own health check, and ignores the image's or wants another pace",
        "CKV_DOCKER_3": "SageMaker starts images as root; the program drops to its own uid before it answers",
    },
    "kubernetes": {
        "CKV_K8S_31": "knows RuntimeDefault only; the overlays' Localhost profile allows less than that",
    },
}
SETTINGS = {
    "STRONGROOM_IMAGE": "registry.example/strongroom@sha256:" + "0" * 64,
    "STRONGROOM_USER": "1000:1000",
    "STRONGROOM_EXPORT": "/srv/exported",
    "STRONGROOM_KEY_FILE": "/srv/key",
    "STRONGROOM_REGISTRY": "s3://models/prod",
    "STRONGROOM_MODEL": "face-analyzer",
    "STRONGROOM_KEY": "secretsmanager:strongroom/kek",
    "AWS_REGION": "eu-central-1",
    "TASK_ROLE_ARN": "arn:aws:iam::123456789012:role/task",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/execution",
}


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)


def compose(*files: str) -> dict:
    """What compose understands of `files`."""
    command = ["docker", "compose"] if run("docker", "compose", "version").returncode == 0 else ["docker-compose"]
    named = [word for file in files for word in ("-f", file)]
    done = run(*command, *named, "config", cwd=COMPOSE, env=os.environ | SETTINGS)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def task_definition() -> dict:
    text = (PROFILES / "ecs/task-definition.json").read_text()
    return json.loads(string.Template(text).substitute(SETTINGS))


def documents(text: str) -> list[dict]:
    return [document for document in yaml.safe_load_all(text) if document]


def overlay(name: str) -> str:
    if shutil.which("kubectl") is None:
        raise unittest.SkipTest("kubectl is missing: the overlays are not built")
    done = run("kubectl", "kustomize", KUBERNETES / "overlays" / name)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Scratch(unittest.TestCase):
    """A directory that a tool is pointed at."""

    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-"))
        self.addCleanup(shutil.rmtree, self.scratch)

    def file(self, name: str, text: str) -> pathlib.Path:
        path = self.scratch / name
        path.write_text(text)
        return path

    def succeeds(self, *command, **options) -> str:
        done = run(*command, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def checkov(self, framework: str, target: pathlib.Path) -> set[str]:
        """The checks that fail."""
        kind = "--directory" if target.is_dir() else "--file"
        done = run(TOOLS / "checkov", kind, target, "--framework", framework, "--output", "json", "--skip-download")
        reports = json.loads(done.stdout)
        self.assertGreater(reports["summary"]["passed"], 0, "checkov checked nothing")
        return {check["check_id"] for check in reports["results"]["failed_checks"]}


class Compose(unittest.TestCase):
    FILES = (("prod.yaml",), ("prod.yaml", "mounted.yaml"), ("dev.yaml",), ("prod.yaml", "monitoring.yaml"))

    def services(self):
        for files in self.FILES:
            for name, service in compose(*files)["services"].items():
                yield f"{name} of {' and '.join(files)}", service

    def test_every_service_has_no_capability_no_new_privileges_a_read_only_root_and_bounds(self):
        for name, service in self.services():
            with self.subTest(name):
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertIn("no-new-privileges:true", service["security_opt"])
                self.assertTrue(service["read_only"])
                self.assertNotIn(str(service["user"]).split(":")[0], ("0", "root", ""))
                self.assertTrue(service["mem_limit"] and service["pids_limit"])
                self.assertTrue(service["logging"]["options"]["max-size"])
                self.assertNotIn("privileged", service)
                self.assertNotIn("cap_add", service)

    def test_the_server_runs_under_its_own_list_of_system_calls(self):
        for name, service in self.services():
            with self.subTest(name):
                if name.startswith("strongroom"):
                    option = next(option for option in service["security_opt"] if option.startswith("seccomp:"))
                    self.assertTrue((COMPOSE / option.removeprefix("seccomp:")).is_file())

    def test_every_port_is_on_the_loopback_unless_told_otherwise(self):
        for name, service in self.services():
            with self.subTest(name):
                for port in service.get("ports", []):
                    address = port["host_ip"] if isinstance(port, dict) else port.split(":")[0]
                    self.assertEqual(address, "127.0.0.1")

    def test_the_server_is_asked_by_its_own_health_check_and_has_time_to_drain(self):
        for name, service in self.services():
            with self.subTest(name):
                if name.startswith("strongroom"):
                    self.assertEqual(service["healthcheck"]["test"], ["CMD", "/strongroom", "healthcheck"])
                    self.assertEqual(service["stop_grace_period"], "30s")

    def test_a_file_that_is_mounted_from_here_exists(self):
        for path in COMPOSE.glob("*.yaml"):
            for mounted in re.findall(r"- (\./[^:]+):", path.read_text()):
                self.assertTrue((COMPOSE / mounted).is_file(), f"{path.name}: {mounted}")

    def test_a_missing_image_is_told(self):
        with self.assertRaisesRegex(AssertionError, "name the image"):
            kept = SETTINGS.pop("STRONGROOM_IMAGE")
            self.addCleanup(SETTINGS.__setitem__, "STRONGROOM_IMAGE", kept)
            compose("prod.yaml")


class Monitoring(Scratch):
    DIRECTORY = COMPOSE / "monitoring"

    def test_prometheus_takes_its_settings_and_the_alerts(self):
        self.succeeds("promtool", "check", "config", self.DIRECTORY / "prometheus.yml")

    def test_each_alert_fires_on_what_it_is_for_and_on_nothing_else(self):
        self.succeeds("promtool", "test", "rules", "alerts_test.yml", cwd=self.DIRECTORY)

    def test_every_alert_is_tested_to_fire(self):
        alerts = yaml.safe_load((self.DIRECTORY / "alerts.yml").read_text())["groups"][0]["rules"]
        tests = yaml.safe_load((self.DIRECTORY / "alerts_test.yml").read_text())["tests"]
        fired = json.dumps([test["promql_expr_test"] for test in tests if "promql_expr_test" in test])
        for alert in alerts:
            self.assertIn(alert["alert"], fired)

    def test_the_dashboard_asks_the_data_source_that_is_provisioned(self):
        sources = yaml.safe_load((self.DIRECTORY / "grafana/datasources.yml").read_text())["datasources"]
        dashboard = json.loads((self.DIRECTORY / "grafana/strongroom.json").read_text())
        asked = {panel["datasource"]["uid"] for panel in dashboard["panels"]}
        self.assertEqual(asked, {source["uid"] for source in sources})


class Ecs(Scratch):
    def client(self):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client("ecs", region_name="eu-central-1", **keys)

    def test_the_api_takes_the_task_definition(self):
        # botocore checks names and types of what is sent, moto answers.
        with moto.mock_aws():
            answer = self.client().register_task_definition(**task_definition())["taskDefinition"]
        container = answer["containerDefinitions"][0]
        self.assertEqual(container["user"], "65532:65532")
        self.assertTrue(container["readonlyRootFilesystem"])
        self.assertEqual(container["linuxParameters"]["capabilities"]["drop"], ["ALL"])

    def test_fargate_has_this_size(self):
        # Of one vCPU: 2 to 8 GB in steps of 1 GB.
        task = task_definition()
        self.assertEqual(task["cpu"], "1024")
        self.assertIn(int(task["memory"]), range(2048, 8193, 1024))

    def test_no_secret_is_in_the_environment(self):
        container = task_definition()["containerDefinitions"][0]
        self.assertNotIn("secrets", container)
        names = {variable["name"] for variable in container["environment"]}
        self.assertEqual(names, {"AWS_REGION", "STRONGROOM_REGISTRY", "STRONGROOM_MODEL", "STRONGROOM_KEY"})

    def test_checkov_finds_nothing(self):
        # It reads task definitions as Terraform has them.
        task = task_definition()
        self.file("task.tf", f'''resource "aws_ecs_task_definition" "strongroom" {{
          family                = "{task["family"]}"
          task_role_arn         = "{task["taskRoleArn"]}"
          execution_role_arn    = "{task["executionRoleArn"]}"
          container_definitions = jsonencode({json.dumps(task["containerDefinitions"])})
        }}''')
        self.assertEqual(self.checkov("terraform", self.scratch), set())


class Kubernetes(Scratch):
    def validate(self, *files: pathlib.Path):
        said = self.succeeds(TOOLS / "kubernetes-validate", "--strict", *files)
        unknown = {line.split("kind ")[1].split(" ")[0] for line in said.splitlines() if "find schema" in line}
        # The driver's own kind.
        self.assertLessEqual(unknown, {"SecretProviderClass"}, said)

    def pods(self):
        for name in OVERLAYS:
            deployment = next(one for one in documents(overlay(name)) if one["kind"] == "Deployment")
            yield name, deployment["spec"]["template"]["spec"]

    def test_every_manifest_is_valid(self):
        manifests = [path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"]
        self.assertGreater(len(manifests), 6)
        self.validate(*manifests)

    def test_every_overlay_builds_to_valid_manifests(self):
        for name in OVERLAYS:
            with self.subTest(overlay=name):
                self.validate(self.file(f"{name}.yaml", overlay(name)))

    def test_what_a_kustomization_names_exists(self):
        for path in KUBERNETES.rglob("kustomization.yaml"):
            kustomization = yaml.safe_load(path.read_text())
            for named in kustomization.get("resources", []) + kustomization.get("components", []):
                target = path.parent / named
                found = target.is_file() or (target / "kustomization.yaml").is_file()
                self.assertTrue(found, f"{path.relative_to(PROFILES)}: {named}")

    def test_every_manifest_belongs_to_a_kustomization(self):
        for path in KUBERNETES.rglob("*.yaml"):
            if path.name != "kustomization.yaml":
                kustomization = yaml.safe_load((path.parent / "kustomization.yaml").read_text())
                self.assertIn(path.name, kustomization["resources"])

    def test_every_pod_is_what_the_standard_restricted_asks(self):
        for name, pod in self.pods():
            with self.subTest(name):
                container = pod["containers"][0]
                self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                self.assertIn(pod["securityContext"]["seccompProfile"]["type"], ("RuntimeDefault", "Localhost"))
                self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
                self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
                self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"])
                self.assertLessEqual({kind for volume in pod.get("volumes", []) for kind in volume}, {"name", "csi"})

    def test_no_pod_has_a_token_for_the_api(self):
        account = documents((KUBERNETES / "base/serviceaccount.yaml").read_text())[0]
        self.assertFalse(account["automountServiceAccountToken"])
        for name, pod in self.pods():
            with self.subTest(name):
                self.assertFalse(pod["automountServiceAccountToken"])

    def test_memory_that_is_promised_is_the_limit(self):
        for name, pod in self.pods():
            with self.subTest(name):
                resources = pod["containers"][0]["resources"]
                self.assertEqual(resources["requests"]["memory"], resources["limits"]["memory"])

    def test_a_loading_pod_is_not_killed_for_not_being_ready(self):
        for name, pod in self.pods():
            with self.subTest(name):
                probe = pod["containers"][0]["startupProbe"]
                self.assertGreaterEqual(probe["periodSeconds"] * probe["failureThreshold"], 600)

    def test_a_pod_has_time_to_leave_the_service_and_to_drain(self):
        for name, pod in self.pods():
            with self.subTest(name):
                before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
                self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], before + 30)

    def test_the_key_of_the_secrets_store_is_readable_for_the_group_only(self):
        provider = documents((KUBERNETES / "components/secrets-store/secretproviderclass.yaml").read_text())[0]
        objects = yaml.safe_load(provider["spec"]["parameters"]["objects"])
        self.assertEqual([one["filePermission"] for one in objects], ["0440"])

    def test_checkov_finds_nothing_but_what_is_kept_with_a_reason(self):
        for name in OVERLAYS:
            self.file(f"{name}.yaml", overlay(name))
        self.assertEqual(self.checkov("kubernetes", self.scratch), set(KEPT["kubernetes"]))


class Dockerfile(Scratch):
    def test_checkov_finds_nothing_but_what_is_kept_with_a_reason(self):
        self.assertLessEqual(self.checkov("dockerfile", ROOT / "container/Dockerfile"), set(KEPT["dockerfile"]))


class AppArmor(Scratch):
    def test_the_profile_compiles(self):
        profile = PROFILES / "apparmor/strongroom"
        self.succeeds(APPARMOR_PARSER, "--skip-kernel-load", "--skip-cache", profile)

    def test_nothing_but_terminals_and_null_may_be_written(self):
        rules = (PROFILES / "apparmor/strongroom").read_text().splitlines()
        paths = [rule.strip() for rule in rules if re.match(r"\s+/\S+ [a-z]+,$", rule)]
        written = [rule for rule in paths if re.search(r" \w*[wakl]\w*,$", rule)]
        self.assertEqual(written, ["/dev/null rw,", "/dev/pts/[0-9]* rw,"])


class Seccomp(unittest.TestCase):
    PROFILE = json.loads((PROFILES / "seccomp/strongroom.json").read_text())

    def allowed(self) -> list[str]:
        rules = [rule for rule in self.PROFILE["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"]
        return [name for rule in rules for name in rule["names"] if "args" not in rule]

    def test_what_is_not_named_is_refused_on_both_architectures(self):
        self.assertEqual(self.PROFILE["defaultAction"], "SCMP_ACT_ERRNO")
        self.assertEqual(set(self.PROFILE["architectures"]), {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"})

    def test_nothing_that_changes_the_machine_is_allowed(self):
        forbidden = set("""
            bpf ptrace mount umount2 pivot_root chroot setns unshare fork vfork execveat kexec_load
            init_module finit_module delete_module reboot swapon perf_event_open keyctl userfaultfd
            process_vm_readv process_vm_writev io_uring_setup open_by_handle_at unlinkat mkdirat renameat2
            linkat symlinkat chmod fchmodat fchownat mknodat truncate
        """.split())
        self.assertEqual(forbidden & set(self.allowed()), set())

    def test_threads_are_made_and_processes_are_not(self):
        rule = next(rule for rule in self.PROFILE["syscalls"] if rule["names"] == ["clone"])
        thread = 0x10000
        self.assertEqual(rule["args"], [{"index": 0, "value": thread, "valueTwo": thread, "op": "SCMP_CMP_MASKED_EQ"}])
        self.assertNotIn("clone", self.allowed())
        self.assertNotIn("clone3", self.allowed())


class Systemd(Scratch):
    UNIT = PROFILES / "systemd/strongroom.service"

    def test_the_unit_has_no_error(self):
        # It names a program that is not installed here.
        text = self.UNIT.read_text().replace("ExecStart=/usr/local/bin/strongroom", "ExecStart=/bin/true")
        said = self.succeeds("systemd-analyze", "verify", self.file("strongroom.service", text))
        self.assertNotIn("strongroom.service", said)

    def test_the_unit_exposes_little(self):
        threshold = f"--threshold={MOST_EXPOSURE * 10:.0f}"
        self.succeeds("systemd-analyze", "security", "--offline=true", "--no-pager", threshold, self.UNIT)


if __name__ == "__main__":
    unittest.main()
