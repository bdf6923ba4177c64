"""Making a new instance: folder, keys, the six databases, register, and the ledger's first entry."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from catalog.errors import UsageError
from catalog.identity.officers import CONSOLE
from catalog.identity.register import Register
from ingest.mapping import packaged_mappings
from ingest.schema import create_databases
from ledger import Instance, Ledger, NoteError, Settings
from ledger.log.note import Checkpoint, Note, VerifierKey, open_checkpoint
from ledger.rule_archive import Archive, record, timeline_of
from ledger.rules import adoption, packaged

#: Configuration that an instance gets a copy of, and may change.
DEFAULT_FILES = ("datasette.yml", "metadata.yml")
#: A local service standard that a county may adopt, in the instance's rules/.
QUERY_STANDARD = "query-standard.yml"
#: Tables that every directory has, whoever fills them.
DIRECTORY_TABLES = ("agencies", "categories", "items", "resources")


@contextmanager
def built_beside(directory: Path) -> Iterator[Path]:
    """Give a new folder to build in; when all went well it becomes ``directory``, else nothing is left of it.

    Raises:
        UsageError: ``directory`` exists and is not empty, or cannot be written.
    """
    building = None
    try:
        if directory.exists() and any(directory.iterdir()):
            raise UsageError(
                f"{directory} is not empty; choose another folder, nothing was changed",
                f"{directory} 不是空目录；请另选目录，未作任何更改",
            )
        directory.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        yield building
        if directory.exists():
            directory.rmdir()
        building.rename(directory)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(
            f"{directory} cannot be made ({error}); choose a folder with space that you may write",
            f"无法建立 {directory}（{error}）；请选择空间充足、有写权限的目录",
        ) from error
    finally:
        if building is not None:
            shutil.rmtree(building, ignore_errors=True)


def create_instance(
    path: Path, settings: Settings, continues: bytes | None = None, old_key: VerifierKey | None = None
) -> Instance:
    """Create an instance in ``path``, with empty tables and a ledger that begins with ``log.opened``.

    Args:
        continues: the last cosigned checkpoint of a log whose key was lost; the new ledger begins with
            ``log.continued`` then, which holds it.
        old_key: that log's verifier key, with which its checkpoint must be signed; a lost private key leaves it known.

    Raises:
        NoteError: ``continues`` is no checkpoint, not signed by ``old_key``, or of a log of the same name.
        BilingualError: the folder is not empty or cannot be written, or a setting is out of form.
    """
    if continues is not None:
        _check_continues(continues, settings.origin, old_key)
    instance = Instance.create(path, settings)
    defaults = resources.files("catalog") / "defaults"
    for name in DEFAULT_FILES:
        with resources.as_file(defaults / name) as source:
            shutil.copyfile(source, path / name)
    create_databases(instance.database_path, packaged_mappings().values())
    Register.create(instance.identity_path).close()
    with instance.ledger() as ledger:
        opened = {
            "county_zh": settings.county_zh,
            "county_en": settings.county_en,
            "software": f"liandong {version('liandong')}",
        }
        if continues is None:
            ledger.append("log.opened", opened)
        else:
            ledger.append("log.continued", {**opened, "checkpoint": continues.decode()})
    return instance


def adopt_packaged_rules(instance: Instance, ledger: Ledger) -> None:
    """Say in the ledger with which register and calendars it begins, and lay the local standard on offer beside.

    The standard is a file to be filled in; nothing is adopted by itself.
    """
    archive = Archive(instance.path / "rules")
    change = adoption.adopt_register(
        packaged(), software=f"liandong {version('liandong')}", reason="启用 initial rules"
    )
    record(ledger, archive, timeline_of(ledger, archive), change, by=CONSOLE.agency)
    with resources.as_file(resources.files("catalog") / "defaults" / QUERY_STANDARD) as source:
        shutil.copyfile(source, archive.folder / QUERY_STANDARD)


def _check_continues(note: bytes, origin: str, old_key: VerifierKey | None) -> None:
    """Its form, and the old log's signature where its key is given; what it proves rests on its witnesses'."""
    parsed = Note.parse(note)
    if old_key is not None:
        open_checkpoint(note, old_key)
    if Checkpoint.parse_text(parsed.text).origin == origin:
        raise NoteError(
            f"the checkpoint is of a log named {origin!r} too; a log that goes on under a new key needs a new --origin",
            f"该检查点所属的日志也名为 {origin!r}；以新密钥接续的台账须用新的 --origin",
        )
