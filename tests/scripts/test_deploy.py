"""scripts/deploy with the real AWS CLI and the program: S3, Secrets Manager and SageMaker are moto's, but for
UpdateEndpoint and the states that follow it, which moto lacks (account.py).

Usage: STRONGROOM_PROGRAM=PROGRAM STRONGROOM_TEST_TOOLS=DIRECTORY python test_deploy.py [-v]
"""

import json
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from account import COMMANDS, NUMBER, REGION, ROOT, Account, Done, artifact, environment, run, script, versions

IRIS, ENDPOINT = "iris-random-forest", "flowers"
IMAGE = f"{NUMBER}.dkr.ecr.{REGION}.amazonaws.com/strongroom@sha256:{'a' * 64}"
NEWER = f"{NUMBER}.dkr.ecr.{REGION}.amazonaws.com/strongroom@sha256:{'b' * 64}"
ALARMS = {"Alarms": [{"AlarmName": "flowers-5xx"}, {"AlarmName": "flowers-latency"}]}
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
            "WaitIntervalInSeconds": 600,
        },
        "TerminationWaitInSeconds": 300,
        "MaximumExecutionTimeoutInSeconds": 3600,
    },
    "AutoRollbackConfiguration": ALARMS,
}
#: As Terraform would make them; every kind of member that has to survive.
MODEL = {
    "ModelName": "flowers-by-terraform",
    "ExecutionRoleArn": f"arn:aws:iam::{NUMBER}:role/strongroom",
    "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
    "EnableNetworkIsolation": False,
    "Tags": [{"Key": "team", "Value": "vision"}],
}
CONFIG = {
    "EndpointConfigName": "flowers-by-terraform",
    "ProductionVariants": [
        {
            "VariantName": "all",
            "ModelName": "flowers-by-terraform",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 2,
            "InitialVariantWeight": 1.0,
            "ContainerStartupHealthCheckTimeoutInSeconds": 300,
        }
    ],
    "DataCaptureConfig": {
        "EnableCapture": True,
        "InitialSamplingPercentage": 5,
        "DestinationS3Uri": "s3://captured/flowers",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    },
    "KmsKeyId": "alias/flowers",
    "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://answers/flowers"}},
    "Tags": [{"Key": "cost", "Value": "42"}],
}


class Deploy(unittest.TestCase):
    def setUp(self):
        self.account = self.enterContext(Account())
        self.sagemaker = self.account.front.sagemaker
        self.client = self.account.client("sagemaker")
        self.registry = self.account.make_registry()
        self.work = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="strongroom-")))
        self.old, self.new = versions(self.work, "1.0.0", "1.1.0+b2")
        self.strongroom("publish", str(self.old), "--alias", "live")

    def strongroom(self, *arguments: str) -> bytes:
        return run(*arguments, **self.account.settings | self.registry)

    def make_endpoint(self, served: str = IRIS, model: dict = {}, config: dict = {}, container: dict = {}):
        settings = self.registry | {"STRONGROOM_MODEL": served, "STRONGROOM_LOG": "warn"}
        self.client.create_model(
            **MODEL | {"PrimaryContainer": {"Image": IMAGE, "Environment": settings} | container} | model
        )
        self.client.create_endpoint_config(**CONFIG | config)
        self.client.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=CONFIG["EndpointConfigName"])
        self.sagemaker.endpoints[ENDPOINT] = {"LastDeploymentConfig": CANARY}

    def deploy(self, *arguments: str, **settings: str) -> Done:
        call = [*arguments, "--endpoint", ENDPOINT, "--poll", "0"]
        return script("deploy", *call, **self.account.settings | settings)

    def live(self, alias: str = "live") -> str:
        """The version that the alias points to: promoting it to itself writes nothing."""
        return json.loads(self.strongroom("promote", f"{IRIS}:{alias}", "--alias", alias, "--json"))["version"]

    def created(self, kind: str) -> list[dict]:
        return [asked for (call, _), asked in self.sagemaker.created.items() if call == f"Create{kind}"]

    def succeeded(self, done: Done) -> Done:
        self.assertEqual(done.code, 0, done)
        return done

    def failed(self, done: Done, *words: str, code: int = 1):
        self.assertEqual((done.code, done.out), (code, ""), done)
        for word in words:
            self.assertIn(word, done.err)

    def nothing_was_changed(self):
        self.assertEqual((self.live(), self.sagemaker.updates), ("1.0.0", []))
        self.assertEqual((len(self.created("Model")), len(self.created("EndpointConfig"))), (1, 1))

    def test_a_new_version_is_published_made_live_and_put_into_service(self):
        self.make_endpoint()
        done = self.succeeded(self.deploy(str(self.new), "--json"))
        [update] = self.sagemaker.updates
        self.assertEqual(
            done.json(),
            {
                "endpoint": ENDPOINT,
                "config": update["EndpointConfigName"],
                "model": IRIS,
                "alias": "live",
                "version": "1.1.0+b2",
                "previous": {"config": "flowers-by-terraform", "version": "1.0.0"},
            },
        )
        self.assertEqual(self.live(), "1.1.0+b2")
        self.assertIn("Updating, Baking", done.err)

    def test_all_that_is_not_the_version_or_the_image_is_kept(self):
        self.make_endpoint()
        self.succeeded(self.deploy(str(self.new), "--image", NEWER))
        old, new = self.created("Model")
        container = old["PrimaryContainer"] | {"Image": NEWER}
        self.assertEqual(new, old | {"ModelName": new["ModelName"], "PrimaryContainer": container})
        old, new = self.created("EndpointConfig")
        [variant] = old["ProductionVariants"]
        name = new["EndpointConfigName"]
        tags = [
            {"Key": "strongroom:previous-config", "Value": "flowers-by-terraform"},
            {"Key": "strongroom:previous-version", "Value": "1.0.0"},
            {"Key": "strongroom:alias", "Value": "live"},
        ]
        changed = {"EndpointConfigName": name, "ProductionVariants": [variant | {"ModelName": name}]}
        self.assertEqual(new, old | changed | {"Tags": old["Tags"] + tags})

    def test_no_member_that_sagemaker_describes_is_lost(self):
        # What deploy leaves out is all that a description has and a creation does not take.
        members = lambda shape: set(self.client.meta.service_model.shape_for(shape).members)
        only_told = members("DescribeModelOutput") - members("CreateModelInput")
        self.assertEqual(only_told, {"ModelArn", "CreationTime", "DeploymentRecommendation"})
        only_told = members("DescribeEndpointConfigOutput") - members("CreateEndpointConfigInput")
        self.assertEqual(only_told, {"EndpointConfigArn", "CreationTime"})

    def test_the_update_is_that_of_the_last_deployment_with_its_alarms_and_keeps_what_autoscaling_did(self):
        self.make_endpoint()
        self.succeeded(self.deploy(str(self.new)))
        [update] = self.sagemaker.updates
        self.assertEqual((update["DeploymentConfig"], update["RetainAllVariantProperties"]), (CANARY, True))

    def test_alarms_may_be_named_and_blue_green_is_what_is_done_where_nothing_says_how(self):
        self.make_endpoint()
        self.sagemaker.endpoints[ENDPOINT] = {}
        self.succeeded(self.deploy(str(self.new), "--alarms", "one,two"))
        deployment = self.sagemaker.updates[0]["DeploymentConfig"]
        alarms = [{"AlarmName": "one"}, {"AlarmName": "two"}]
        self.assertEqual(deployment["AutoRollbackConfiguration"], {"Alarms": alarms})
        routing = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
        self.assertEqual(routing, {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300})

    def test_without_alarms_nothing_is_deployed_unless_told(self):
        self.make_endpoint()
        self.sagemaker.endpoints[ENDPOINT] = {}
        self.failed(self.deploy(str(self.new)), "no alarm would end a deployment", "--alarms", "--without-alarms")
        self.nothing_was_changed()
        self.succeeded(self.deploy(str(self.new), "--without-alarms"))
        self.assertNotIn("DeploymentConfig", self.sagemaker.updates[0])

    def test_names_tell_endpoint_version_and_image_and_fit(self):
        self.make_endpoint()
        self.succeeded(self.deploy(str(self.new)))
        name = self.sagemaker.updates[0]["EndpointConfigName"]
        self.assertRegex(name, r"^flowers-1-1-0-b2-aaaaaaaaaaaa-20\d{12}$")
        self.assertLessEqual(len(name), 63)

    def test_the_alias_is_moved_back_when_the_endpoint_rolls_back(self):
        self.make_endpoint()
        self.sagemaker.course = self.sagemaker.rolls_back
        done = self.deploy(str(self.new))
        self.failed(done, "RollingBack", "errors-5xx is in ALARM state", f"{IRIS}:live -> 1.0.0 (was 1.1.0+b2)")
        self.assertEqual(self.live(), "1.0.0")

    def test_the_alias_is_moved_back_when_the_endpoint_fails(self):
        self.make_endpoint()
        self.sagemaker.course = self.sagemaker.fails
        self.failed(self.deploy(str(self.new)), "UpdateRollbackFailed", "no capacity", "live -> 1.0.0")
        self.assertEqual(self.live(), "1.0.0")

    def test_the_alias_is_moved_back_when_the_configuration_cannot_be_made(self):
        # moto takes no such instance type: SageMaker's answer to a quota is as late.
        self.make_endpoint()
        self.sagemaker.created["CreateEndpointConfig", "flowers-by-terraform"]["ProductionVariants"][0][
            "InstanceType"
        ] = "ml.p2.nothing"
        self.failed(self.deploy(str(self.new)), "create-endpoint-config", "live -> 1.0.0")
        self.assertEqual((self.live(), self.sagemaker.updates), ("1.0.0", []))

    def test_an_update_that_takes_too_long_goes_on_and_the_alias_stays(self):
        self.make_endpoint()
        self.sagemaker.course = self.sagemaker.hangs
        self.failed(self.deploy(str(self.new), "--timeout", "2"), "is not done after 2 s", "goes on by itself")
        self.assertEqual(self.live(), "1.1.0+b2")

    def test_an_interrupted_wait_leaves_the_update_and_the_alias(self):
        self.make_endpoint()
        self.sagemaker.course = self.sagemaker.hangs
        settings = environment(PATH=f"{COMMANDS}:/usr/bin:/bin", **self.account.settings)
        call = [ROOT / "scripts/deploy", str(self.new), "--endpoint", ENDPOINT, "--poll", "1"]
        deploy = subprocess.Popen(call, env=settings, stderr=subprocess.PIPE, text=True)
        for step in (deploy.stderr.close, deploy.wait, deploy.kill):
            self.addCleanup(step)
        while "Updating" not in (line := deploy.stderr.readline()):
            self.assertTrue(line)
        deploy.send_signal(signal.SIGTERM)
        said = deploy.stderr.read()
        self.assertEqual(deploy.wait(timeout=20), 1)
        self.assertIn("goes on to", said)
        self.assertEqual(self.live(), "1.1.0+b2")

    def test_pinned_the_model_is_served_by_its_digest_and_stays_so(self):
        self.make_endpoint()
        self.succeeded(self.deploy(str(self.new), "--pin"))
        served = lambda: self.created("Model")[-1]["PrimaryContainer"]["Environment"]["STRONGROOM_MODEL"]
        digest = json.loads(self.strongroom("publish", str(self.new), "--json"))["digest"]
        self.assertEqual(served(), f"{IRIS}@sha256:{digest}")
        time.sleep(1)
        self.succeeded(self.deploy(str(self.old)))
        digest = json.loads(self.strongroom("publish", str(self.old), "--json"))["digest"]
        self.assertEqual(served(), f"{IRIS}@sha256:{digest}")

    def test_the_alias_is_the_one_that_the_endpoint_serves(self):
        self.strongroom("promote", f"{IRIS}:1.0.0", "--alias", "canary")
        self.make_endpoint(f"{IRIS}:canary")
        self.succeeded(self.deploy(str(self.new)))
        self.assertEqual((self.live("canary"), self.live()), ("1.1.0+b2", "1.0.0"))

    def test_another_alias_is_moved_and_served_from_then_on(self):
        self.make_endpoint()
        self.succeeded(self.deploy(str(self.new), "--alias", "canary"))
        self.assertEqual((self.live("canary"), self.live()), ("1.1.0+b2", "1.0.0"))
        environment = self.created("Model")[-1]["PrimaryContainer"]["Environment"]
        self.assertEqual(environment["STRONGROOM_MODEL"], f"{IRIS}:canary")

    def test_an_image_alone_leaves_the_alias(self):
        self.make_endpoint()
        done = self.succeeded(self.deploy("--image", NEWER, "--json"))
        self.assertEqual((self.live(), done.json()["version"]), ("1.0.0", None))
        container = self.created("Model")[-1]["PrimaryContainer"]
        self.assertEqual((container["Image"], container["Environment"]["STRONGROOM_MODEL"]), (NEWER, IRIS))

    def test_rollback_goes_back_to_configuration_and_version_whatever_the_alarms_say(self):
        self.make_endpoint()
        self.succeeded(self.deploy(str(self.new)))
        done = self.succeeded(self.deploy("--rollback", "--json"))
        back = self.sagemaker.updates[-1]
        self.assertEqual(back["EndpointConfigName"], "flowers-by-terraform")
        policy = {"BlueGreenUpdatePolicy": CANARY["BlueGreenUpdatePolicy"]}
        self.assertEqual((back["DeploymentConfig"], self.live()), (policy, "1.0.0"))
        self.assertEqual((done.json()["version"], done.json()["previous"]["version"]), ("1.0.0", "1.1.0+b2"))

    def test_rollback_of_what_terraform_made_says_that_it_does_not_know(self):
        self.make_endpoint()
        self.failed(self.deploy("--rollback"), "does not say what it replaced", "deploy the older bundle")
        self.nothing_was_changed()

    def test_a_rollback_that_fails_moves_the_alias_forward_again(self):
        self.make_endpoint()
        self.succeeded(self.deploy(str(self.new)))
        self.sagemaker.course = self.sagemaker.fails
        self.failed(self.deploy("--rollback"), "no capacity")
        self.assertEqual(self.live(), "1.1.0+b2")

    def test_a_dry_run_says_all_steps_and_changes_nothing(self):
        self.make_endpoint()
        done = self.succeeded(self.deploy(str(self.new), "--image", NEWER, "--dry-run"))
        for words in (
            f"would publish {self.new} into s3://models/prod under secretsmanager:strongroom/kek",
            f"would move {IRIS}:live",
            f"would create a model like flowers-by-terraform with {NEWER}",
            "would create a configuration like flowers-by-terraform",
            "would update flowers",
            "flowers-5xx",
        ):
            self.assertIn(words, done.out)
        self.nothing_was_changed()
        with self.assertRaisesRegex(AssertionError, "no version"):
            self.strongroom("promote", f"{IRIS}:1.1.0+b2", "--alias", "other")

    def test_a_bundle_of_another_model_is_refused_and_moves_nothing(self):
        self.make_endpoint("faces")
        self.failed(self.deploy(str(self.new)), f"{ENDPOINT} serves faces, and {self.new} is {IRIS}")
        self.nothing_was_changed()

    def test_a_bundle_that_cannot_be_published_is_refused_with_the_programs_own_words(self):
        self.make_endpoint()
        (self.new / "iris_rf.onnx").unlink()
        self.failed(self.deploy(str(self.new)), "iris_rf.onnx")
        self.nothing_was_changed()

    def test_endpoints_of_other_kinds_are_refused(self):
        for parts, words in (
            ({"container": {"Environment": {}}}, "is served from no registry"),
            ({"container": {"Image": IMAGE.replace("@sha256:", ":")}}, "has its image by a tag"),
            ({"model": {"PrimaryContainer": {"Image": IMAGE, "Mode": "MultiModel"}}}, "is served from no registry"),
        ):
            with self.subTest(words):
                self.make_endpoint(**parts)
                self.failed(self.deploy(str(self.new)), words)
                self.assertEqual(self.sagemaker.updates, [])

    def test_an_endpoint_that_is_being_updated_is_left_alone(self):
        self.make_endpoint()
        self.sagemaker.endpoints[ENDPOINT]["EndpointStatus"] = "Updating"
        self.failed(self.deploy(str(self.new)), f"{ENDPOINT} is Updating")
        self.nothing_was_changed()

    def test_an_endpoint_that_is_not_there_is_told_with_the_remedy(self):
        self.failed(self.deploy(str(self.new)), "Could not find", "check the name and AWS_REGION")

    def test_wrong_usage_ends_with_2_and_one_line(self):
        for arguments, words in (
            ([], "name a bundle directory, --image or --rollback"),
            (["/nowhere"], "/nowhere is no directory"),
            ([str(self.new), "--image", "strongroom:1"], "named by its digest"),
            (["--rollback", str(self.new)], "--rollback takes neither"),
            ([str(self.new), "--endpoint"], "--endpoint wants a value"),
        ):
            with self.subTest(arguments):
                done = script("deploy", "--endpoint", ENDPOINT, *arguments, **self.account.settings)
                self.failed(done, words, "--help", code=2)
                self.assertEqual(done.err.count("\n"), 1)
        self.failed(script("deploy", str(self.new)), "--endpoint is missing", code=2)


if __name__ == "__main__":
    unittest.main()
