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
from catalog.identity import Identity
from ingest.mapping import packaged_mappings
from ingest.schema import create_databases
from ledger import Instance, Settings

#: Configuration that an instance gets a copy of, and may change.
DEFAULT_FILES = ("datasette.yml", "metadata.yml")
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


def create_instance(path: Path, settings: Settings) -> Instance:
    """Create an instance in ``path``, with empty tables and a ledger that begins with ``log.opened``.

    Raises:
        BilingualError: the folder is not empty or cannot be written, or a setting is out of form.
    """
    instance = Instance.create(path, settings)
    defaults = resources.files("catalog") / "defaults"
    for name in DEFAULT_FILES:
        with resources.as_file(defaults / name) as source:
            shutil.copyfile(source, path / name)
    create_databases(instance.database_path, packaged_mappings().values())
    Identity.create(instance.identity_path).close()
    with instance.ledger() as ledger:
        ledger.append(
            "log.opened",
            {
                "county_zh": settings.county_zh,
                "county_en": settings.county_en,
                "software": f"liandong {version('liandong')}",
            },
        )
    return instance
