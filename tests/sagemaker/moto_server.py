"""A fake AWS at an address of this machine, until standard input closes. Prints its port.

Usage: moto_server.py ADDRESS, with the Python that has moto. One request at a time, so that conditional writes are
atomic, as S3's are.
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


server = make_server(sys.argv[1], 0, DomainDispatcherApplication(create_backend_app), request_handler=Quiet)
threading.Thread(target=end_with_parent, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
