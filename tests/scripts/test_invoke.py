"""scripts/invoke with the real AWS CLI against a running program, through the stand-in of SageMaker's runtime API.

Usage: STRONGROOM_PROGRAM=PROGRAM STRONGROOM_TEST_TOOLS=DIRECTORY python test_invoke.py [-v]
"""

import json
import unittest

from account import ROOT, Account, Container, Done, artifact, environment, run, script
from program import Place
from test_runtime import Scripted, respond

IRIS = "iris-random-forest"
FLOWERS = artifact(IRIS) / "self-test/flowers.csv"
IMAGES = ROOT / "tests/images"
ERROR = json.dumps({"error": {"code": "invalid_input", "message": 'it said "no"', "request_id": "1"}}).encode()


def setUpModule():
    global ACCOUNT, PLACE
    ACCOUNT = unittest.enterModuleContext(Account())
    PLACE = Place()
    unittest.addModuleCleanup(PLACE.close)
    PLACE.publish(artifact(IRIS))
    served = PLACE.serve(IRIS)
    unittest.addModuleCleanup(served.close)
    ACCOUNT.runtime.endpoints["flowers"] = Container(*served.address)


def invoke(*arguments: str, **settings: str) -> Done:
    return script("invoke", *arguments, **ACCOUNT.settings | settings)


class Invoke(unittest.TestCase):
    def failed(self, done: Done, code: int, *words: str):
        """It ended with this code and one line that holds these words, and answered nothing."""
        self.assertEqual((done.code, done.out, done.err.count("\n")), (code, "", 1), done)
        for word in words:
            self.assertIn(word, done.err)

    def answered_by(self, answer) -> Done:
        """What becomes of a container's answer."""
        with Scripted(answer) as scripted:
            ACCOUNT.runtime.endpoints["scripted"] = scripted.container
            return invoke("scripted", str(FLOWERS))

    def type_sent(self, file: str, *arguments: str) -> str:
        seen = []
        answer = lambda request: (seen.append(request.headers["Content-Type"]), respond(request, 200, b"{}"))
        with Scripted(answer) as scripted:
            ACCOUNT.runtime.endpoints["scripted"] = scripted.container
            done = invoke("scripted", file, *arguments)
        self.assertEqual(done.code, 0, done)
        return seen[0]

    def test_the_answer_is_the_programs_own(self):
        done = invoke("flowers", str(FLOWERS))
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(done.json(), PLACE.predict(IRIS, FLOWERS))

    def test_accept_asks_for_another_form(self):
        done = invoke("flowers", str(FLOWERS), "--accept", "text/csv")
        self.assertEqual(done.code, 0, done)
        self.assertTrue(done.out.startswith("setosa,"), done.out)

    def test_the_content_type_follows_from_name_or_first_bytes(self):
        expected = {
            FLOWERS: "text/csv",
            IMAGES / "rgb.jpg": "image/jpeg",
            IMAGES / "grey.png": "image/png",
            IMAGES / "lossy.webp": "image/webp",
            IMAGES / "animated.gif": "image/gif",
            IMAGES / "rgb.bmp": "image/bmp",
            IMAGES / "rgb.tiff": "image/tiff",
        }
        found = {file: self.type_sent(str(file)) for file in expected}
        self.assertEqual(found, expected)

    def test_a_content_type_may_be_said(self):
        self.assertEqual(self.type_sent(str(FLOWERS), "--content-type=application/x-any"), "application/x-any")

    def test_a_file_of_no_known_type_is_refused_before_it_is_sent(self):
        self.failed(invoke("flowers", str(ROOT / "LICENSE")), 2, "--content-type")

    def test_the_target_model_reaches_the_container(self):
        seen = []
        answer = lambda request: (seen.append(request.headers), respond(request, 200, b"{}"))
        with Scripted(answer) as scripted:
            ACCOUNT.runtime.endpoints["scripted"] = scripted.container
            invoke("scripted", str(FLOWERS), "--target-model", "faces.tar.gz")
        self.assertEqual(seen[0]["X-Amzn-SageMaker-Target-Model"], "faces.tar.gz")

    def test_a_refusal_of_the_model_is_told_with_its_own_status_code_and_message(self):
        done = invoke("flowers", str(FLOWERS), "--content-type", "application/json")
        self.failed(done, 1, "the model answered 400 malformed_json: ")

    def test_a_message_with_quotes_in_it_arrives_whole(self):
        done = self.answered_by(lambda request: respond(request, 422, ERROR))
        self.failed(done, 1, '422 invalid_input: it said "no"\n')

    def test_a_body_that_is_no_json_is_told_as_it_is(self):
        done = self.answered_by(lambda request: respond(request, 500, b"worker died\non line 1"))
        self.failed(done, 1, "the model answered 500 worker died on line 1\n")

    def test_an_endpoint_that_is_not_there_is_told_with_the_remedy(self):
        self.failed(invoke("nothing", str(FLOWERS)), 1, "not found", "check the name and AWS_REGION")

    def test_no_credentials_no_region_and_no_network_are_told_with_the_remedy(self):
        for lacking, words in (
            ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nowhere"}, "log in (aws sso login)"),
            ({"AWS_REGION": "", "HOME": "/nowhere"}, "set AWS_REGION"),
            ({"AWS_PROFILE": "nobody"}, "aws configure list-profiles"),
            ({"AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": "http://127.0.0.1:9"}, "check the network"),
        ):
            with self.subTest(words):
                self.failed(invoke("flowers", str(FLOWERS), **lacking), 1, words)

    def test_wrong_usage_ends_with_2_and_one_line(self):
        for arguments, words in (
            ([], "name an endpoint and a file"),
            (["flowers"], "name an endpoint and a file"),
            (["flowers", "/nowhere.csv"], "/nowhere.csv is no file"),
            (["flowers", str(FLOWERS), "more"], "too many: more"),
            (["flowers", str(FLOWERS), "--accept"], "--accept wants a value"),
            (["flowers", str(FLOWERS), "--color", "red"], "unknown option --color"),
            (["flowers", str(FLOWERS), "--"], "unknown option --"),
            (["flowers", str(FLOWERS), "-x"], "unknown option -x"),
            (["--$(touch pwned)"], "unknown option"),
        ):
            with self.subTest(arguments):
                self.failed(invoke(*arguments), 2, words, "--help")

    def test_a_dry_run_sends_nothing(self):
        def answer(request):
            self.fail("it was sent")

        with Scripted(answer) as scripted:
            ACCOUNT.runtime.endpoints["scripted"] = scripted.container
            done = invoke("scripted", str(FLOWERS), "--dry-run")
        self.assertEqual(done.code, 0, done)
        self.assertIn(f"would send {FLOWERS}", done.out)
        self.assertIn("text/csv) to scripted", done.out)


if __name__ == "__main__":
    unittest.main()
