"""One HTTP request to a port of this machine; as a program, where `nsenter` runs it inside a container's network.

Usage: ask.py PORT METHOD PATH MEDIA-TYPE <BODY; prints the status and the answer's body.
"""

import http.client
import sys

#: Longest wait for an answer, in seconds.
PATIENCE = 60


def ask(port: int, method: str, path: str, body: bytes, media_type: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body or None, {"Content-Type": media_type})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


if __name__ == "__main__":
    port, method, path, media_type = sys.argv[1:]
    status, content = ask(int(port), method, path, sys.stdin.buffer.read(), media_type)
    sys.stdout.buffer.write(b"%d\n" % status + content)
