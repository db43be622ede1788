"""How Bugsink is served: on a free port, the same again after a restart, with connections that are kept for a while."""

import os

PORT = f"{os.environ['BUGSINK_HOME']}/port"
bind = f"127.0.0.1:{open(PORT).read() if os.path.exists(PORT) else 0}"
pidfile = f"{os.environ['BUGSINK_HOME']}/pid"
worker_class = "gthread"
workers = 1
threads = 4
accesslog = "-"
control_socket_disable = True


def when_ready(server):
    """The port is known and no worker is there yet: Bugsink writes its own address into each DSN."""
    port = server.LISTENERS[0].getsockname()[1]
    os.environ["BUGSINK_URL"] = f"http://127.0.0.1:{port}"
    with open(PORT, "w") as file:
        file.write(str(port))
