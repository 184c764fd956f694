"""A registry that takes what `docker push` sends, as ECR would get it, and keeps it in memory."""

import hashlib
import re
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from runtime import Loopback


class ImageRegistry(Loopback):
    """On loopback, where Docker needs no TLS; as a context manager."""

    def __init__(self, requests: type[BaseHTTPRequestHandler] | None = None):
        #: The manifests pushed: media type and content.
        self.manifests: list[tuple[str, bytes]] = []
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        super().__init__(requests or Push)


class Push(BaseHTTPRequestHandler):
    """The part of the distribution API that a push needs."""

    protocol_version = "HTTP/1.1"
    server: ImageRegistry

    def do_GET(self):
        self.answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self):
        blob = self.server.blobs.get(self.path.split("/")[-1])
        self.answer(404) if blob is None else self.answer(200, length=len(blob))

    def do_POST(self):
        self.body()
        place = f"{self.path}{len(self.server.uploads)}"
        self.server.uploads[place] = b""
        self.answer(202, Location=place)

    def do_PATCH(self):
        self.server.uploads[self.path] += self.body()
        self.answer(202, Location=self.path, Range=f"0-{len(self.server.uploads[self.path]) - 1}")

    def do_PUT(self):
        place, content = urlsplit(self.path), self.body()
        if re.search("/manifests/[^/]*$", place.path):
            self.server.manifests.append((self.headers["Content-Type"], content))
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        else:
            [digest] = parse_qs(place.query)["digest"]
            self.server.blobs[digest] = self.server.uploads[place.path] + content
        self.answer(201, Location=place.path, Docker_Content_Digest=digest)

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while length := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def answer(self, status: int, length: int = 0, **headers: str):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_):
        pass
