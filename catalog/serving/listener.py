"""The listening socket: made once, before anything is printed, and shared by all workers."""

from __future__ import annotations

import errno
import socket

from catalog.errors import UsageError

#: Connections that the kernel keeps for us until a worker takes them.
_WAITING = 512


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is known before anything is printed.

    Raises:
        UsageError: the port is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is; without, each answer waits 40 ms for
    # a delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_WAITING)
    except (OSError, OverflowError) as error:
        listener.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} on {host} is in use; end the program that uses it or give another with --port",
                f"{host} 的端口 {port} 已被占用；请结束占用它的程序，或用 --port 指定其他端口",
            ) from error
        raise UsageError(
            f"cannot listen on {host}:{port} ({error}); give an address of this machine with --host and a free port",
            f"无法监听 {host}:{port}（{error}）；请用 --host 指定本机地址，用 --port 指定空闲端口",
        ) from error
    return listener


def address(host: str, port: int) -> str:
    """The address of a listener as a client writes it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class SharedListener(socket.socket):
    """A listening socket that several processes accept from, each one connection at a time.

    asyncio sets the kernel's queue to the number of connections that it accepts in one go. Here the number is one, so
    that a burst of connections spreads over the workers instead of all going to the one that wakes first, while the
    kernel's queue stays as :func:`listen` made it.
    """

    #: What asyncio is told to accept in one go.
    AT_ONCE = 1

    def listen(self, backlog: int = 0, /) -> None:
        """Nothing: it listens already."""
