"""What docs/DEPLOY.md tells people to type, and to set, is there."""

import json
import re
import subprocess
import sys
import unittest
from functools import cache
from pathlib import Path

from awscli.botocore import xform_name
from awscli.botocore.session import Session

import page
from page import PROGRAM, ROOT, TEXT

AWS = Session()
# The CLI's own commands, which stand for no call of an API. test_offline.py runs them.
AWS_CUSTOM = {("s3", "cp"), ("configure", "set")}
AWS_GLOBAL = {"--query", "--output", "--profile", "--region", "--cli-input-json"}
# Permissions without a call of that name.
NO_CALLS = {"iam:PassRole", "s3:ListBucket"}
# SageMaker's permissions are of two APIs.
APIS = {"sagemaker": ["sagemaker", "sagemaker-runtime"]}
SHELL = {"break", "cat", "cd", "curl", "echo", "envsubst", "eval", "export", "id", "jq", "kill", "sleep", "tail", "unset", "date"}
CHECKED = {"aws", "docker", "git", "kubectl", "make", "output", "strongroom", "terraform", "cosign"}
COMPLETE = "terraform/examples/complete"


@cache
def help_of(*command):
    return subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def text_of(directory, pattern):
    return "\n".join(path.read_text() for path in sorted((ROOT / directory).rglob(pattern)))


def has_option(text, option):
    return re.search(rf"(^|[\s,\[(]){re.escape(option)}\b", text) is not None


class Shell(unittest.TestCase):
    def test_every_block_is_clean_under_shellcheck(self):
        shellcheck = Path(sys.executable).with_name("shellcheck")
        # Placeholders are constants, and variables come from the blocks before.
        tolerated = "--exclude=SC2034,SC2154,SC2312"
        self.assertGreater(len(page.blocks()), 10)
        for block in page.blocks():
            with self.subTest(block.text):
                run = subprocess.run([shellcheck, "--shell=bash", tolerated, "-"], input=block.text, capture_output=True, text=True)
                self.assertEqual(run.stdout, "")

    def test_every_block_is_read_to_its_end(self):
        for block in page.blocks():
            self.assertFalse(page.PARSER.parse(block.text.encode()).root_node.has_error, block.text)

    def test_every_command_is_one_that_is_checked_here(self):
        self.assertGreater(len(page.calls()), 40)
        for call in page.calls():
            name = call.words[0]
            self.assertTrue(name in SHELL | CHECKED or name.startswith("scripts/"), call.words)


class Ours(unittest.TestCase):
    def test_targets_of_make_exist(self):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = {word for call in page.calls("make") for word in call.words[1:]} | set(re.findall(r"`make ([a-z-]+)`", TEXT))
        self.assertGreaterEqual(named, {"build", "image"})
        self.assertEqual(named - targets, set())

    def test_scripts_exist_and_have_the_options(self):
        scripts = [call for call in page.calls() if call.words[0].startswith("scripts/")]
        self.assertGreater(len(scripts), 5)
        for call in scripts:
            for option in call.options():
                self.assertTrue(has_option(help_of(f"./{call.words[0]}"), option), call.words)

    def test_options_of_scripts_in_sentences_exist(self):
        sentences = re.findall(r"`scripts/([a-z-]+) (--[a-z-]+)[^`]*`", TEXT)
        self.assertGreater(len(sentences), 0)
        for script, option in sentences:
            self.assertTrue(has_option(help_of(f"./scripts/{script}"), option), (script, option))

    def test_verbs_of_strongroom_exist_and_have_the_options(self):
        for call in page.calls("strongroom"):
            verb = call.words[1:3] if call.words[1] == "key" else call.words[1:2]
            said = help_of(PROGRAM, *verb)
            for option in call.options():
                self.assertTrue(has_option(said, option), call.words)

    def test_settings_are_documented_or_asked_for_by_a_profile(self):
        known = (ROOT / "docs/API.md").read_text() + text_of("container/profiles", "*.y*ml")
        for name in set(re.findall(r"STRONGROOM_[A-Z_]+", TEXT)):
            self.assertIsNotNone(re.search(rf"\b{name}\b", known), name)

    def test_paths_exist(self):
        top = {path.name for path in ROOT.iterdir() if path.is_dir()}
        paths = {path.rstrip("/.") for path in re.findall(r"(?<![\w/.:-])\.?[A-Za-z][\w.-]*/[\w./-]+", TEXT)}
        ours = {path for path in paths if path.split("/")[0] in top}
        self.assertGreater(len(ours), 15)
        made = {f"{COMPLETE}/terraform.tfvars", "target/release"}
        self.assertEqual({path for path in ours - made if not (ROOT / path).exists()}, set())

    def test_links_lead_somewhere(self):
        for target in re.findall(r"\]\(([^)]+)\)", TEXT):
            file, _, anchor = target.partition("#")
            linked = (ROOT / "docs" / file).read_text() if file else TEXT
            headings = {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.+)$", linked, re.MULTILINE)}
            self.assertTrue(not anchor or anchor in headings, target)

    def test_routes_asked_for_exist(self):
        routes = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
        urls = [word for call in page.calls("curl") for word in call.words if word.startswith("http")]
        self.assertGreater(len(urls), 0)
        for url in urls:
            address, route = re.fullmatch(r"http://(127\.0\.0\.1:8080)(/.*)", url).groups()
            self.assertIn(route, routes)


class Terraform(unittest.TestCase):
    def outputs(self, directory):
        return set(re.findall(r'^output "(\w+)"', text_of(directory, "*.tf"), re.MULTILINE))

    def test_directories_exist_and_outputs_do(self):
        for call in page.calls("terraform"):
            directory = call.words[1].removeprefix("-chdir=")
            self.assertTrue((ROOT / directory / "main.tf").exists(), call.words)
            if call.words[2] == "output" and call.words[-1] != "$@":
                self.assertIn(call.words[-1], self.outputs(directory))

    def test_outputs_of_the_complete_example_exist(self):
        named = {call.words[-1] for call in page.calls("output")}
        self.assertGreater(len(named), 2)
        self.assertEqual(named - self.outputs(COMPLETE), set())

    def test_fields_of_the_output_settings_exist(self):
        output = re.search(r'output "settings" \{.*?\n\}', (ROOT / COMPLETE / "outputs.tf").read_text(), re.DOTALL)[0]
        fields = re.findall(r"jq -r \.(\w+) <<<\"\$settings\"", TEXT)
        self.assertEqual(len(fields), 3)
        for field in fields:
            self.assertRegex(output, rf"\b{field}\s+=")

    def test_variables_set_are_the_examples_own_and_all_that_have_no_default(self):
        variables = dict(re.findall(r'^variable "(\w+)" \{(.*?)^\}', (ROOT / COMPLETE / "variables.tf").read_text(), re.M | re.S))
        written = re.search(r"terraform\.tfvars <<'END'\n(.*?)\nEND", TEXT, re.DOTALL)[1]
        names = set(re.findall(r"^(\w+)\s+=", written, re.MULTILINE))
        wanted = {name for name, body in variables.items() if not re.search(r"^  default\s+=", body, re.MULTILINE)}
        self.assertEqual(names & set(variables), names)
        self.assertEqual(wanted - names, set())
        self.assertIn("image_digest", variables)
        self.assertIn("github", variables)

    def test_outputs_and_variables_in_sentences_exist(self):
        examples = text_of("terraform", "*.tf")
        for name in re.findall(r"output `(\w+)`", TEXT) + re.findall(r"`(\w+_policy)`", TEXT):
            self.assertTrue(f'output "{name}"' in examples, name)
        for example in ("serverless", "asynchronous", "batch-transform", "multi-model"):
            tf = text_of(f"terraform/examples/{example}", "*.tf")
            self.assertTrue('variable "publisher_role_arns"' in tf and 'output "publisher_policies"' in tf, example)


class Aws(unittest.TestCase):
    def test_calls_exist_and_have_the_parameters(self):
        checked = 0
        for call in page.calls("aws"):
            service, operation = call.words[1:3]
            if (service, operation) in AWS_CUSTOM:
                continue
            checked += 1
            if operation == "wait":
                waiters = [xform_name(name, "-") for name in AWS.get_waiter_model(service).waiter_names]
                self.assertIn(call.words[3], waiters)
                continue
            self.assert_parameters(call, service, operation)
        self.assertGreater(checked, 5)

    def assert_parameters(self, call, service, operation):
        model = AWS.get_service_model(service)
        names = {xform_name(name, "-"): name for name in model.operation_names}
        self.assertTrue(operation in names, call.words)
        shape = model.operation_model(names[operation]).input_shape
        members = {f"--{xform_name(name, '-')}" for name in shape.members} if shape else set()
        self.assertEqual(set(call.options()) - members - AWS_GLOBAL, set(), call.words)
        if shape and "--cli-input-json" not in call.options():
            required = {f"--{xform_name(name, '-')}" for name in shape.required_members}
            self.assertEqual(required - set(call.options()), set(), call.words)

    def test_permissions_are_of_calls_that_exist(self):
        named = set(re.findall(r"`([a-z0-9]+:[A-Z]\w+)`", TEXT))
        self.assertGreater(len(named), 6)
        for permission in named - NO_CALLS:
            service, name = permission.split(":")
            known = [call for api in APIS.get(service, [service]) for call in AWS.get_service_model(api).operation_names]
            self.assertTrue(name in known, permission)


class Profiles(unittest.TestCase):
    def test_files_for_compose_exist(self):
        files = [(call.block.text, call.after("--file")) for call in page.calls("docker")]
        self.assertGreater(len(files), 0)
        for block, file in files:
            directory = re.search(r"\(cd (\S+) &&", block)[1]
            self.assertTrue((ROOT / directory / file).exists(), file)

    def test_directories_for_kustomize_and_what_rolls_out_exist(self):
        base = text_of("container/profiles/kubernetes", "*.yaml")
        for call in page.calls("kubectl"):
            if "--kustomize" in call.words:
                self.assertTrue((ROOT / call.after("--kustomize") / "kustomization.yaml").exists())
            else:
                kind, name = call.words[-1].split("/")
                self.assertIsNotNone(re.search(rf"(?i)kind: {kind}\nmetadata:\n  name: {name}\n", base), call.words)
                self.assertTrue(f"namespace: {call.after('--namespace')}\n" in base, call.words)

    def test_what_the_task_definition_leaves_open_is_set(self):
        open_names = set(re.findall(r"\$\{(\w+)\}", (ROOT / "container/profiles/ecs/task-definition.json").read_text()))
        block = next(block.text for block in page.blocks() if "register-task-definition" in block.text)
        self.assertEqual(open_names - set(re.findall(r"\b([A-Z_]+)=", block)), set())


class Workflows(unittest.TestCase):
    def test_the_page_lists_the_variables_of_the_workflows_by_environment(self):
        used = set()
        for path in (ROOT / ".github/workflows").glob("*.yml"):
            for job in re.split(r"^  (?=[a-z]+:$)", path.read_text().split("\njobs:")[1], flags=re.MULTILINE):
                environment = re.search(r"^    environment: (\w+)", job, re.MULTILINE)
                used |= {(environment and environment[1], name) for name in re.findall(r"\bvars\.(\w+)", job)}
        listed, environment = set(), None
        for row in re.findall(r"^\| (?:`(\w+)`)? ?\| `([A-Z_]+)` \|", TEXT, re.MULTILINE):
            environment = row[0] or environment
            listed.add((environment, row[1]))
        self.assertEqual(used, listed)

    def test_the_identity_that_the_page_verifies_is_the_workflow_that_signs(self):
        workflow = re.search(r"/(\.github/workflows/\w+\.yml)@refs/tags/v", TEXT)[1]
        self.assertIn("cosign sign", (ROOT / workflow).read_text())


if __name__ == "__main__":
    unittest.main()
