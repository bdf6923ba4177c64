"""The check of a log from its published tiles: a directory that was exported, or another machine over HTTP.

Like :mod:`ledger.log.verify` it shares no code with the write path. Hash tiles alone show that the signed root is the
root of the published hashes and that the tiles agree with each other; with entry bundles each entry is checked as well.
Memory is constant: one tile a level. From an earlier verification on only the tiles of what is new are fetched, and one
a level that shows that the new tree extends the old one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import httpx2

from ledger.errors import Fault, InstanceError, LedgerError, RollbackError, TamperError
from ledger.log.cosignature import Cosigned, CosignerKey, open_cosigned
from ledger.log.keychain import KeyChain
from ledger.log.tiles import HEIGHT, WIDTH, Tile, decode_bundle, decode_tile
from ledger.log.verify_chain import Chain  # the check of entries, itself apart from the write path
from ledger.log.verify_state import VerifiedState
from ledger.log.verify_tree import root_of

HASH_BYTES = 32
MAX_CHECKPOINT_BYTES = 1 << 20
#: 256 entries of at most 65,535 bytes, each behind its length.
MAX_BUNDLE_BYTES = WIDTH * (2 + 65_535)
TIMEOUT_SECONDS = 30

CheckEntry = Callable[[dict[str, Any]], None]
Progress = Callable[[int], None]


class UnreachableError(InstanceError):
    """A published log that cannot be read now: no connection, or not without a token."""


class Source(Protocol):
    """Where published files are read, by their path below the log's prefix."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """Return the file. Raises :class:`TamperError` if it is missing or larger, :class:`UnreachableError`."""
        ...


@dataclass(frozen=True, slots=True)
class TilesVerdict:
    """What was verified: a signed checkpoint, its hash tiles, and with ``entries_checked`` the entries themselves.

    ``since`` is the first entry that was looked at: those before were verified earlier, and are a prefix of this log.
    """

    origin: str
    size: int
    root: bytes
    entries_checked: bool
    cosigned: tuple[Cosigned, ...]
    not_cosigned: tuple[str, ...] = ()  # names of the given witnesses that have not cosigned this checkpoint
    first_t: str = ""
    last_t: str = ""
    since: int = 0
    state: VerifiedState | None = field(default=None, compare=False, repr=False)


class DirectorySource:
    """An exported directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, path: str, max_bytes: int) -> bytes:
        file = self.path / path
        try:
            with file.open("rb") as opened:
                data = opened.read(max_bytes + 1)
        except FileNotFoundError as error:
            raise _missing(str(file)) from error
        except OSError as error:
            raise UnreachableError(
                f"{file} cannot be read ({error.strerror}); restore permission or verify a copy",
                f"无法读取 {file}（{error.strerror}）；请恢复权限或核验其副本",
            ) from error
        return _limited(str(file), data, max_bytes)


class HttpSource:
    """A log published over HTTP. A context manager.

    Args:
        url: the service's address; ``/log`` is added unless it ends so.
        token: a supervising office's bearer token, for entry bundles.
    """

    def __init__(self, url: str, token: str = "") -> None:
        if not _is_address(url):
            raise UnreachableError(
                f"{url!r} is not an address like https://host/prefix", f"{url!r} 不是 https://主机/前缀 形式的地址"
            )
        if not (token.isascii() and token.isprintable()):
            raise UnreachableError(
                "the token holds characters that no token has; copy it again", "令牌含有不应有的字符；请重新复制"
            )
        self.prefix = url.rstrip("/") if url.rstrip("/").endswith("/log") else url.rstrip("/") + "/log"
        headers = {"accept-language": "zh"} | ({"authorization": f"Bearer {token}"} if token else {})
        # No redirects: the token goes nowhere else.
        self._client = httpx2.Client(timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def read(self, path: str, max_bytes: int) -> bytes:
        url = f"{self.prefix}/{path}"
        try:
            with self._client.stream("GET", url) as response:
                data = b""
                for part in response.iter_bytes():
                    data += part
                    if len(data) > max_bytes:
                        break
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise UnreachableError(
                f"{url} cannot be reached ({error}); check the address and that the service is running",
                f"无法连接 {url}（{error}）；请核对地址，并确认服务已启动",
            ) from error
        if response.status_code == 404:
            raise _missing(url)
        if response.status_code != 200:
            raise UnreachableError(
                f"{url} answers {response.status_code}; entries need the token of a supervising office; "
                "if the service is busy, try again later",
                f"{url} 返回 {response.status_code}；读取条目需要监督机构的令牌，如服务繁忙请稍后重试",
            )
        return _limited(url, data, max_bytes)


def verify_tiles(
    source: Source,
    keys: KeyChain,
    *,
    with_entries: bool,
    check_entry: CheckEntry | None = None,
    witnesses: Sequence[CosignerKey] = (),
    progress: Progress | None = None,
    since: VerifiedState | None = None,
) -> TilesVerdict:
    """Check a published log: checkpoint, signature, known cosignatures, every hash tile, and entries if wanted.

    Args:
        keys: the log's verifier keys, from elsewhere than the source.
        check_entry: the schema check of one decoded entry; raises :class:`LedgerError`.
        witnesses: cosigners whose lines are verified.
        progress: called with the number of entries done since the last call.
        since: look only at what is new since then, and prove that this log extends that one. With entries it must come
            of a verification that saw entries.

    Raises:
        TamperError: the first tile or entry that does not hold, or is missing.
        RollbackError: the log does not extend ``since``.
        NoteError: checkpoint, tile or bundle malformed, or not signed by the key.
        UnreachableError: the source cannot be read now.
    """
    note = source.read("checkpoint", MAX_CHECKPOINT_BYTES)
    head = keys.open(note)
    _, cosigned = open_cosigned(note, keys.at(head.size), witnesses)
    if head.size == 0:
        raise TamperError(
            "the checkpoint is of no entries at all; every log begins with an entry: it was emptied",
            "检查点涵盖 0 条；每份台账都有首条：内容已被清空",
        )
    begin = since.size if since is not None else 0
    chain = Chain(keys.origin, check_entry, begin)
    tree = _Tree(source, head.size)
    last = bytes(HASH_BYTES)
    if since is not None:
        tree.resume(since)
        chain.prev, chain.first_t, chain.last_t = since.last, since.first_t, since.last_t
        last = since.last
    first = begin // WIDTH * WIDTH if begin < head.size else head.size
    for start in range(first, head.size, WIDTH):
        tile = Tile(0, start // WIDTH, min(WIDTH, head.size - start))
        hashes = _tile(source, tile)
        known = max(0, begin - start)
        if with_entries:
            _check_entries(source, tile, hashes, chain, known)
        tree.add(hashes)
        last = hashes[-1]
        if progress is not None:
            progress(tile.width - known)
    frontier = tree.finish()
    root = root_of(frontier)
    if root != head.root:
        raise TamperError(
            f"the signed checkpoint of size {head.size} has root {head.root.hex()}, the tiles give {root.hex()}: "
            "tiles or checkpoint were altered",
            f"大小为 {head.size} 的已签名检查点的根为 {head.root.hex()}，由瓦片算得 {root.hex()}：瓦片或检查点被改动",
            Fault(None, f"root of {head.size} entries", head.root.hex(), root.hex()),
        )
    absent = tuple(key.name for key in witnesses if key not in [found.key for found in cosigned])
    seen = with_entries and (since is None or since.entries_seen)
    state = VerifiedState(keys.origin, head.size, tuple(frontier), last, chain.first_t, chain.last_t, seen)
    times = (chain.first_t, chain.last_t) if with_entries else ("", "")
    return TilesVerdict(keys.origin, head.size, root, with_entries, cosigned, absent, *times, begin, state)


class _Tree:
    """The tree over the leaves given so far: one row of at most 256 hashes a level of tiles."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._size = size
        self._rows: list[list[bytes]] = [[]]  # the unfinished rows above level 0; [0] stands for level 1
        self._counts = [0]  # hashes of that level given so far
        self._last: list[bytes] = []  # the unfinished row of level 0

    def resume(self, since: VerifiedState) -> None:
        """Take up the unfinished rows as they were after ``since.size`` leaves, which must give its frontier."""
        if self._size < since.size:
            raise RollbackError(
                f"the published log has {self._size} entries, the last verification saw {since.size} (root "
                f"{since.root.hex()}): entries were cut off, or an older copy was published",
                f"公布的台账有 {self._size} 条，而上次核验时有 {since.size} 条（根 {since.root.hex()}）："
                "末尾被截去，或公布了较旧的副本",
                Fault(self._size, "seq", f"{since.size} entries", f"{self._size} entries"),
            )
        self._rows, self._counts = [], []
        while since.size >> (HEIGHT * (len(self._rows) + 1)) or not self._rows:
            count = since.size >> (HEIGHT * (len(self._rows) + 1))
            self._rows.append(self._row(len(self._rows) + 1, count))
            self._counts.append(count)
        self._last = self._row(0, since.size)
        root = root_of(self._frontier())
        if root != since.root:
            raise RollbackError(
                f"the first {since.size} entries of the published log have root {root.hex()}, the last verification "
                f"saw {since.root.hex()}: this is another log, or its history was rewritten",
                f"公布的台账前 {since.size} 条的根为 {root.hex()}，而上次核验时为 {since.root.hex()}："
                "这是另一份台账，或其历史被改写",
                Fault(None, f"root of {since.size} entries", since.root.hex(), root.hex()),
            )

    def _row(self, level: int, count: int) -> list[bytes]:
        """The hashes of ``level`` up to the ``count``-th that are not in a full tile."""
        index, width = divmod(count, WIDTH)
        if not width:
            return []
        tile = Tile(level, index, min(WIDTH, (self._size >> (HEIGHT * level)) - index * WIDTH))
        return _tile(self._source, tile)[:width]

    def add(self, hashes: list[bytes]) -> None:
        """Take the next tile of level 0. After :meth:`resume` the first one is read again: it must be the same."""
        if hashes[: len(self._last)] != self._last:
            raise TamperError(
                f"the first {len(self._last)} hashes of the tile that was read twice differ: whoever publishes the log "
                "answers now this, now that; keep what was received as evidence",
                f"同一瓦片两次读取，其前 {len(self._last)} 个哈希不同：公布台账的一方前后答复不一；"
                "请保留所收到的内容作为证据",
            )
        self._last = hashes if len(hashes) < WIDTH else []
        if len(hashes) == WIDTH:
            self._push(0, _root(hashes))

    def _push(self, place: int, value: bytes) -> None:
        if place == len(self._rows):
            self._rows.append([])
            self._counts.append(0)
        row = self._rows[place]
        row.append(value)
        self._counts[place] += 1
        if len(row) == WIDTH:
            self._compare(place, row)
            self._push(place + 1, _root(row))
            row.clear()

    def _compare(self, place: int, row: list[bytes]) -> None:
        level = place + 1
        first = self._counts[place] - len(row)
        published = _tile(self._source, Tile(level, first // WIDTH, len(row)))
        for offset, (found, want) in enumerate(zip(published, row, strict=True)):
            if found != want:
                node, height = first + offset, level * HEIGHT
                raise TamperError(
                    f"the tiles disagree at level {level}, hash {node} (entries {node << height} to "
                    f"{((node + 1) << height) - 1}): published is {found.hex()}, the hashes below give {want.hex()}",
                    f"瓦片互不一致：第 {level} 层第 {node} 个哈希（第 {node << height} 至 "
                    f"{((node + 1) << height) - 1} 条）公布为 {found.hex()}，由下层算得 {want.hex()}",
                    Fault(None, f"level {height}, node {node}", want.hex(), found.hex()),
                )

    def finish(self) -> list[bytes]:
        """Compare the partial tiles; return the roots of the complete subtrees, largest first."""
        for place in reversed(range(len(self._rows))):
            if self._rows[place]:
                self._compare(place, self._rows[place])
        return self._frontier()

    def _frontier(self) -> list[bytes]:
        rows = [*reversed(self._rows), self._last]
        return [root for row in rows for root in _subtrees(row)]


def _check_entries(source: Source, tile: Tile, hashes: list[bytes], chain: Chain, known: int) -> None:
    """Check the entries of a bundle; the first ``known`` of them were checked earlier."""
    bundle = Tile(None, tile.index, tile.width)
    entries = decode_bundle(source.read(f"tile/{bundle.path}", MAX_BUNDLE_BYTES), bundle)
    for offset, (entry, published) in enumerate(zip(entries, hashes, strict=True)):
        if offset >= known:
            chain.step(bundle.start + offset, entry, published)


def _tile(source: Source, tile: Tile) -> list[bytes]:
    return decode_tile(source.read(f"tile/{tile.path}", WIDTH * HASH_BYTES), tile)


def _root(row: list[bytes]) -> bytes:
    """The root over a row whose length is a power of two."""
    while len(row) > 1:
        row = [hashlib.sha256(b"\1" + row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)]
    return row[0]


def _subtrees(row: list[bytes]) -> list[bytes]:
    """The roots of a row's complete subtrees, largest first."""
    found, start = [], 0
    for height in reversed(range(HEIGHT + 1)):
        width = 1 << height
        if len(row) & width:
            found.append(_root(row[start : start + width]))
            start += width
    return found


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.query and not parts.fragment


def _limited(where: str, data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise TamperError(f"{where} is larger than {max_bytes} bytes", f"{where} 超过 {max_bytes} 字节")
    return data


def _missing(where: str) -> LedgerError:
    return TamperError(
        f"{where} is missing, though the log must publish it: it was removed, or this is not a log's address",
        f"缺少 {where}，而台账应当公布它：已被移除，或此处并非台账",
    )
