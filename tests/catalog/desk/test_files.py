"""Attachments: kinds by content, limits, names, private storage, changed bytes, erasing."""

from __future__ import annotations

import io
import os
import time
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from catalog.desk import files
from catalog.desk.desk import Desk
from catalog.desk.errors import DeskError
from catalog.desk.files import Files, Upload
from ledger.erasure import Erasure, erase
from tests.catalog.desk.conftest import Office

PDF = b"%PDF-1.7\n..."


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return out.getvalue()


DOCX = archive("[Content_Types].xml", "word/document.xml")


@pytest.mark.parametrize(
    ("name", "content", "ending"),
    [
        ("a.pdf", PDF, "pdf"),
        ("图.PNG", b"\x89PNG\r\n\x1a\n...", "png"),
        ("a.jpeg", b"\xff\xd8\xff...", "jpg"),
        ("a.docx", DOCX, "docx"),
        ("a.xlsx", archive("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        ("a.ofd", archive("OFD.xml"), "ofd"),
        ("a.csv", "名称,代码\r\n".encode("gb18030"), "csv"),
        ("a.txt", "说明".encode(), "txt"),
    ],
)
def test_kinds_are_known_by_their_content(name: str, content: bytes, ending: str) -> None:
    assert files.kind_of(Upload(name, content, True)).ending == ending


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", b"MZ\x90\x00"),
        ("a.exe", PDF),
        ("a.png", PDF),
        ("a", PDF),
        ("a.docx", archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ("a.docx", archive("[Content_Types].xml")),
        ("a.docx", b"PK\x03\x04 broken"),
        ("a.zip", archive("x")),
        ("a.txt", b"\x00\x01"),
        ("a.html", b"<script>alert(1)</script>"),
        ("a.txt.js", b"alert(1)"),
        ("a.txt", b"\xff\xfe\xff"),
    ],
)
def test_other_kinds_are_refused_in_both_languages(name: str, content: bytes) -> None:
    with pytest.raises(DeskError) as caught:
        files.check([Upload(name, content, True)])
    assert (caught.value.status, caught.value.code) == (415, "file_type")
    assert caught.value.en and caught.value.zh


@pytest.mark.parametrize(
    ("uploads", "status"),
    [
        ([Upload("a.pdf", PDF, True)] * (files.MAX_FILES + 1), 413),
        ([Upload("a.pdf", PDF + b"x" * files.MAX_FILE_BYTES, True)], 413),
        ([Upload("a.pdf", PDF + b"x" * (7 * 2**20), True)] * 3, 413),
        ([Upload("a.pdf", b"", True)], 422),
        ([Upload("a.pdf", PDF, False)], 422),
        ([Upload("x" * 200 + ".pdf", PDF, True)], 422),
        ([Upload("..", PDF, True)], 422),
    ],
)
def test_too_many_too_large_empty_undeclared_or_nameless_are_refused(uploads: list[Upload], status: int) -> None:
    with pytest.raises(DeskError) as caught:
        files.check(uploads)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("given", "kept"),
    [("../../etc/a.pdf", "a.pdf"), ("C:\\档案\\a.pdf", "a.pdf"), ("a\u202efdp.pdf", "afdp.pdf"), ("a\n.pdf", "a.pdf")],
)
def test_a_name_is_no_path_and_hides_nothing(given: str, kept: str) -> None:
    assert files.clean_name(given) == kept


def test_what_is_stored_is_private_encrypted_and_read_back(tmp_path: Path) -> None:
    kept = Files(tmp_path / "files").keep([Upload("a.pdf", PDF, True)])
    (path,) = (tmp_path / "files").glob("*/*")
    assert path.name == kept[0].stored and path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert PDF not in path.read_bytes()
    assert Files(tmp_path / "files").read(kept[0]) == PDF
    assert files.attachments_of([kept[0].to_value(), "x", {}]) == kept


def test_changed_bytes_another_key_and_a_missing_file_are_told(tmp_path: Path) -> None:
    store = Files(tmp_path)
    (kept,) = store.keep([Upload("a.pdf", PDF, True)])
    for wrong in (replace(kept, key="00" * 32), replace(kept, sha256="0" * 64), replace(kept, stored="../../x")):
        with pytest.raises(DeskError) as caught:
            store.read(wrong)
        assert caught.value.code == "changed"
    (path,) = tmp_path.glob("*/*")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DeskError) as caught:
        store.read(kept)
    assert caught.value.code == "changed"
    path.unlink()
    with pytest.raises(DeskError) as caught:
        store.read(kept)
    assert caught.value.status == 410


def test_what_no_entry_names_goes_after_a_day(tmp_path: Path) -> None:
    store = Files(tmp_path)
    named, unnamed, new = store.keep([Upload("a.pdf", PDF, True)] * 3)
    for each in (named, unnamed):
        path = tmp_path / each.stored[:2] / each.stored
        os.utime(path, (time.time() - 100_000,) * 2)
    assert store.discard_unnamed(lambda stored: stored == named.stored) == 1
    assert {path.name for path in tmp_path.glob("*/*")} == {named.stored, new.stored}


def test_the_desk_itself_looks_for_what_no_entry_names(office: Office) -> None:
    done = office.ask(uploads=(Upload("证据.pdf", PDF, True),))
    (named,) = office.desk.attachments(done.seq)
    office.desk.files.keep([Upload("a.pdf", PDF, True)])
    folder = office.service.instance.path / "files"
    for path in folder.glob("??/*"):
        os.utime(path, (time.time() - 100_000,) * 2)
    Desk(office.service).follow()  # as a process does that was just started
    assert [path.name for path in folder.glob("??/*")] == [named.stored]


def test_erasing_the_particular_takes_the_file_along(office: Office, now: datetime) -> None:
    done = office.ask(uploads=(Upload("证据.pdf", PDF, True),))
    (attachment,) = office.desk.attachments(done.seq)
    assert office.desk.files.read(attachment) == PDF
    wanted = Erasure(done.seq, "法院裁定（示例）", "sfj", ("attachments",), law_requires="示例法第二条")
    erase(office.service.ledger, wanted, now)
    office.desk.follow()
    assert office.desk.attachments(done.seq) == ()
    assert not list((office.service.instance.path / "files").glob("??/*"))
