"""A fake AWS at an address of this machine, until standard input closes. Prints its port.

Usage: moto_server.py ADDRESS [CERTIFICATE KEY], with the Python that has moto; given a certificate it speaks TLS.
One request at a time, so that conditional writes are atomic, as S3's are.
"""

import os
import sys
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


address, *certificate = sys.argv[1:]
app = DomainDispatcherApplication(create_backend_app)
server = make_server(address, 0, app, request_handler=Quiet, ssl_context=tuple(certificate) or None)
threading.Thread(target=end_with_parent, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
