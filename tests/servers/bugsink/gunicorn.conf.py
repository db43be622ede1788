"""How Bugsink is served: on a free port, with connections that are kept for a while."""

import os

bind = "127.0.0.1:0"
worker_class = "gthread"
workers = 1
threads = 4
accesslog = "-"
control_socket_disable = True


def when_ready(server):
    """The port is known and no worker is there yet: Bugsink writes its own address into each DSN."""
    port = server.LISTENERS[0].getsockname()[1]
    os.environ["BUGSINK_URL"] = f"http://127.0.0.1:{port}"
