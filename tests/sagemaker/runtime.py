"""A stand-in for the SageMaker runtime API: boto3 on one side, a container's /invocations on the other.

It hands on what the platform hands on and no more: the body as it is and the headers the API knows. An answer that is
not 2xx becomes a ModelError, a streamed answer an event stream with one event for each piece as it arrives.
"""

import http.client
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import event_stream

#: Request headers of InvokeEndpoint and InvokeEndpointWithResponseStream; all others stay with the platform.
TO_CONTAINER = (
    "Content-Type",
    "Accept",
    "X-Amzn-SageMaker-Content-Type",
    "X-Amzn-SageMaker-Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Target-Variant",
    "X-Amzn-SageMaker-Target-Container-Hostname",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Inference-Component",
    "X-Amzn-SageMaker-Enable-Explanations",
    "X-Amzn-SageMaker-Session-Id",
)
#: Response headers of a container that the caller sees.
TO_CALLER = (
    "Content-Type",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-New-Session-Id",
    "X-Amzn-SageMaker-Closed-Session-Id",
)
LONGEST_MESSAGE = 2048
#: The platform's own patience with a container, in seconds.
PATIENCE = 60
VARIANT = "AllTraffic"
#: How the platform ends the sentence in which it quotes a container.
SEE = "See https://us-east-1.console.aws.amazon.com/cloudwatch/home in account 123456789012 for more information."

Deliver = Callable[[http.client.HTTPConnection, bytes], None]


@dataclass
class Container:
    """Where an endpoint's container listens. The rest is for tests that show what a broken platform would be told."""

    host: str
    port: int
    method: str = "POST"
    path: str = "/invocations"
    added: dict[str, str] = field(default_factory=dict)
    deliver: Deliver = http.client.HTTPConnection.send

    @contextmanager
    def asked(self, headers: dict[str, str], body: bytes) -> Iterator[http.client.HTTPResponse]:
        """The answer, while its connection is open."""
        with closing(http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)) as connection:
            connection.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
            # As seen in containers: no name that a server could know itself by.
            sent = {"Host": "model.aws.local:8080", "User-Agent": "AHC/2.0", "Content-Length": str(len(body))}
            for name, value in (sent | headers | self.added).items():
                connection.putheader(name, value)
            connection.endheaders()
            self.deliver(connection, body)
            with connection.getresponse() as answer:
                yield answer


class Loopback(ThreadingHTTPServer):
    """A server on a free port of loopback, from its making to the end of its `with`."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]):
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    def __exit__(self, *exception):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        # A peer that leaves is none.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Runtime(Loopback):
    """The runtime API of one account: its endpoints by name."""

    def __init__(self, endpoints: dict[str, Container]):
        super().__init__(Call)
        self.endpoints = endpoints
        self.url = f"http://127.0.0.1:{self.server_port}"


class Call(BaseHTTPRequestHandler):
    """One request of the runtime API."""

    protocol_version = "HTTP/1.1"
    server: Runtime

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, kind, name, verb = (self.path.split("/") + [""] * 4)[:4]
        container = self.server.endpoints.get(name)
        if kind != "endpoints" or container is None:
            return self.refuse(400, "ValidationError", {"Message": f"Endpoint {name} of this account not found."})
        headers = {name: self.headers[name] for name in TO_CONTAINER if name in self.headers}
        try:
            with container.asked(headers, body) as answer:
                if not 200 <= answer.status < 300:
                    self.model_error(answer.status, answer.read().decode(errors="replace"))
                elif verb == "invocations":
                    self.answer_whole(answer)
                else:
                    self.answer_in_parts(answer)
        except (OSError, http.client.HTTPException) as error:
            self.model_error(0, f"no answer from the container: {error!r}")

    def answer_whole(self, answer: http.client.HTTPResponse):
        body = answer.read()
        self.send_response(200)
        self.send_known_headers(answer)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_in_parts(self, answer: http.client.HTTPResponse):
        self.send_response(200)
        self.send_known_headers(answer, content_type="X-Amzn-SageMaker-Content-Type")
        self.send_header("Content-Type", "application/vnd.amazon.eventstream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            # A chunk of the container's, or as much of a body without chunks as has arrived.
            while piece := answer.read1():
                self.send_chunk(event_stream.payload_part(piece))
        except (OSError, http.client.HTTPException) as error:
            self.send_chunk(event_stream.stream_error("StreamBroken", repr(error)))
        self.send_chunk(b"")

    def send_chunk(self, content: bytes):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def send_known_headers(self, answer: http.client.HTTPResponse, content_type: str = "Content-Type"):
        self.send_header("x-Amzn-Invoked-Production-Variant", VARIANT)
        for name in TO_CALLER:
            if (value := answer.headers[name]) is not None:
                self.send_header(content_type if name == "Content-Type" else name, value)

    def model_error(self, status: int, body: str):
        kind = "client" if 400 <= status < 500 else "server"
        said = body[:LONGEST_MESSAGE]
        message = f'Received {kind} error ({status}) from primary with message "{said}". {SEE}'
        self.refuse(
            424,
            "ModelError",
            {
                "Message": message[:LONGEST_MESSAGE],
                "OriginalStatusCode": status,
                "OriginalMessage": said,
                "LogStreamArn": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/stand-in",
            },
        )

    def refuse(self, status: int, kind: str, members: dict):
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("x-amzn-ErrorType", kind)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
