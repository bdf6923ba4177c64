"""The line between a parent and one worker: by it the worker says that it is ready, and by its end that one is gone.

A socket pair of which the worker inherits one end. When the parent dies, however it dies, the line ends and the worker
stops: no worker is ever left behind holding the port.
"""

from __future__ import annotations

import os
import signal
import socket
import threading

from catalog.serving.answering import Stop

READY = b"ready\n"


class WorkerEnd:
    """The worker's end.

    Args:
        descriptor: as inherited.
        stop: asked for where the parent is gone.
    """

    def __init__(self, descriptor: int, stop: Stop) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._stop = stop
        threading.Thread(target=self._watch, name="parent", daemon=True).start()

    def ready(self) -> None:
        """Tell the parent that requests are answered."""
        self._socket.sendall(READY)

    def _watch(self) -> None:
        while self._socket.recv(64):
            pass  # the parent says nothing; only its end says something
        if self._stop.requested:
            os._exit(1)  # a second signal ended the parent at once, and so it ends us
        os.kill(os.getpid(), signal.SIGTERM)
