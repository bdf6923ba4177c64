"""Making a new instance: folder, keys, the six databases, register, and the ledger's first entry."""

from __future__ import annotations

import shutil
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from catalog.identity import Identity
from ingest.mapping import packaged_mappings
from ingest.schema import create_databases
from ledger import Instance, Settings

#: Configuration that an instance gets a copy of, and may change.
DEFAULT_FILES = ("datasette.yml", "metadata.yml")
#: Tables that every directory has, whoever fills them.
DIRECTORY_TABLES = ("agencies", "categories", "items", "resources")


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
