"""Answers that wait for their entry: whole, private, bounded, and nothing is left of them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import RequestError
from catalog.spool import CHUNK_BYTES, Room, Spool, TooLargeError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "spool", 8 * CHUNK_BYTES)


async def content(spool: Spool) -> bytes:
    return b"".join([chunk async for chunk in spool.chunks()])


@given(st.lists(st.binary(max_size=CHUNK_BYTES // 3), max_size=12))
def test_what_comes_out_is_what_went_in_and_its_digest(pieces: list[bytes]) -> None:
    async def check(folder: Path) -> None:
        spool = Room(folder, 8 * CHUNK_BYTES).open()
        for piece in pieces:
            await spool.write(piece)
        whole = b"".join(pieces)
        assert spool.size_bytes == len(whole)
        assert await spool.sha256() == hashlib.sha256(whole).hexdigest()
        assert await content(spool) == whole
        assert await content(spool) == whole
        assert spool.on_disk == (len(whole) > CHUNK_BYTES)
        spool.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


async def test_a_small_answer_never_touches_the_disk(room: Room) -> None:
    spool = room.open()
    await spool.write(b"x" * CHUNK_BYTES)
    assert not spool.on_disk
    assert spool.in_memory == b"x" * CHUNK_BYTES
    spool.close()


async def test_a_large_one_lies_in_a_private_file_without_a_name(room: Room) -> None:
    spool = room.open()
    await spool.write(b"x" * (CHUNK_BYTES + 1))
    assert spool.on_disk
    assert spool._descriptor is not None
    found = os.fstat(spool._descriptor)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_nlink == 0
    assert found.st_dev == room.folder.stat().st_dev
    assert stat.S_IMODE(room.folder.stat().st_mode) == 0o700
    assert list(room.folder.iterdir()) == []
    assert spool.in_memory == b""
    spool.close()


async def test_more_than_one_answer_may_take_is_413_also_in_memory(tmp_path: Path) -> None:
    spool = Room(tmp_path / "spool", 10).open()
    await spool.write(b"x" * 10)
    with pytest.raises(TooLargeError) as caught:
        await spool.write(b"x")
    assert caught.value.status == 413
    assert "max_csv_mb" in caught.value.en
    assert "max_csv_mb" in caught.value.zh


async def test_room_that_others_have_is_503_and_comes_back(room: Room) -> None:
    full = [room.open() for _ in range(4)]
    for spool in full:
        await spool.write(b"x" * room.answer_bytes)
    late = room.open()
    with pytest.raises(RequestError) as caught:
        await late.write(b"x" * (CHUNK_BYTES + 1))
    assert caught.value.status == 503
    full[0].close()
    await late.write(b"y")
    assert await content(late) == b"x" * (CHUNK_BYTES + 1) + b"y"
    for spool in (*full, late):
        spool.close()
    again = [room.open() for _ in range(4)]
    for spool in again:
        await spool.write(b"x" * room.answer_bytes)
        spool.close()


@pytest.fixture
def small_files() -> Iterator[int]:
    """No file of this process may grow beyond so many bytes: what a full disk does, and without root's exemption."""
    limit, before = 2 * CHUNK_BYTES, resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


async def test_a_file_that_cannot_grow_is_503_with_a_cure_and_its_room_comes_back(room: Room, small_files: int) -> None:
    for _ in range(6):
        spool = room.open()
        with pytest.raises(RequestError) as caught:
            for _ in range(6):
                await spool.write(b"x" * (CHUNK_BYTES + 1))
        assert caught.value.status == 503
        assert "free disk space" in caught.value.en
        spool.close()


async def test_cleared_it_begins_anew(room: Room) -> None:
    spool = room.open()
    await spool.write(b"x" * (CHUNK_BYTES * 2))
    spool.clear()
    await spool.write(b"error")
    assert await content(spool) == b"error"
    assert await spool.sha256() == hashlib.sha256(b"error").hexdigest()
    spool.close()


async def test_a_spool_that_was_cut_off_is_an_error_never_a_short_answer(room: Room) -> None:
    spool = room.open()
    await spool.write(b"x" * (CHUNK_BYTES * 3))
    assert spool._descriptor is not None
    os.ftruncate(spool._descriptor, CHUNK_BYTES)
    with pytest.raises(OSError, match="cut off"):
        await content(spool)
    spool.close()


async def test_where_there_are_no_unnamed_files_the_name_goes_at_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # what a kernel without them makes of the flag: EISDIR
    spool = room.open()
    await spool.write(b"x" * (CHUNK_BYTES * 2))
    assert spool.on_disk
    assert list(room.folder.iterdir()) == []
    assert await content(spool) == b"x" * (CHUNK_BYTES * 2)
    spool.close()
