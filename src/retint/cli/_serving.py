"""A local server run from the command line."""

import contextlib
import signal
from socketserver import BaseServer


def serve_until_stopped(server: BaseServer) -> None:
    """Answer until Ctrl-C, SIGTERM or the end of the terminal."""
    arrived: list[int] = []

    def stop(number: int, _: object) -> None:
        arrived.append(number)
        if len(arrived) == 1:  # more of them must not disturb what is still to be written
            raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
