"""The demonstration instance: an invented county, filled through the same doors as a real one.

Passwords, tokens and keys are random for each instance. They are written once into ``demo/credentials.json`` (0600),
so that a second start can print them again; only a demonstration keeps such a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from catalog import grants, suspensions
from catalog.errors import UsageError
from catalog.grants import Grant
from catalog.identity import keys, officers, tokens
from catalog.identity.agencies import name_office, register_agency
from catalog.identity.key_statement import PrivateKey, endorsed
from catalog.identity.passwords import one_time
from catalog.identity.register import Register
from catalog.setup import DIRECTORY_TABLES, adopt_packaged_rules, built_beside, create_instance
from ingest.batches import ledger_recorder
from ingest.load import Loader
from ingest.mapping import packaged_mappings
from ingest.readers import open_source
from ingest.schema import put_agencies
from ingest.tables import tables_of
from ledger import Instance, Ledger, Settings
from ledger.instance import private_pem, write_private
from ledger.log import canonical
from ledger.rule_archive import Archive, record, timeline_of
from ledger.rules import Clause, adoption

#: Who the printed sign-ins and lines are for.
OFFICER, SUPERVISOR, SYSTEM = "zhzf-1", "sfj-1", "zhzf"
_CREDENTIALS = Path("demo/credentials.json")
_SYSTEM_KEY = Path(f"demo/{SYSTEM}-sys.key.pem")
#: The supervising office that endorses the demonstration's keys.
_ENDORSER = "sfj"
_DATA_AUTHORITY = "sjj"
_SUPERVISOR_KEY = Path(f"demo/{_ENDORSER}-sys.key.pem")
_CREDENTIAL_DAYS = 365
_SAMPLE = "/directory/resources.json?_shape=objects&_size=3"


def exists(directory: Path) -> bool:
    """Whether ``directory`` holds a finished demonstration."""
    return (directory / _CREDENTIALS).is_file()


def create(directory: Path, public_url: str) -> None:
    """Create the demonstration in ``directory``, whole or not at all.

    Raises:
        BilingualError: the folder exists and is not empty, or cannot be written.
    """
    with built_beside(directory) as building:
        _fill(building, public_url)


def greeting(instance: Instance, program: str) -> str:
    """What is printed when the demonstration is ready: address, sign-ins, two lines that work as they stand.

    Args:
        program: how to call ``liandong`` from the caller's folder.
    """
    credentials = json.loads((instance.path / _CREDENTIALS).read_text(encoding="utf-8"))
    url = instance.settings.public_url
    key = instance.path / _SYSTEM_KEY
    passwords = credentials["passwords"]
    return f"""
  示范县（虚构演示） Shifan County (invented demonstration)

  地址 address             {url}/
  单位人员 agency officer   {OFFICER}  {passwords[OFFICER]}
  监督人员 supervisor       {SUPERVISOR}  {passwords[SUPERVISOR]}

  curl -s -H 'Authorization: Bearer {credentials["token"]}' '{url}{_SAMPLE}'

  {shlex.quote(program)} query --key {shlex.quote(str(key))} '{url}{_SAMPLE}'

  其他口令 other passwords: {instance.path / _CREDENTIALS}    停止 stop: Ctrl+C
"""


def _fill(path: Path, public_url: str) -> None:
    county = _read("county.yml")
    names = county["county"]
    instance = create_instance(path, Settings(county["origin"], names["zh"], names["en"], public_url, demo=True))
    with instance.ledger() as ledger, closing(Register(instance.identity_path)) as register:
        _adopt_rules(instance, ledger)
        for agency in county["agencies"]:
            register_agency(register, ledger, _agency_row(agency))
        operator = next(agency["id"] for agency in county["agencies"] if agency["role"] == "operator")
        for agency in county["agencies"]:
            if "office" in agency:
                name_office(register, ledger, agency["id"], agency["office"], by=operator, officer=None)
        _load_tables(instance, ledger, county)
        _publish(instance, ledger, register, county)
        _give_credentials(instance, ledger, register, county)
        for grant in county["grants"]:
            grants.give(register, ledger, _grant(grant))
        _suspend_and_restore(ledger, register, county)
        _adopt_clocks(instance, ledger)


def _adopt_rules(instance: Instance, ledger: Ledger) -> None:
    rules = _read("rules.yml")
    (instance.path / "rules" / "rules.yml").write_text(_text("rules.yml"), encoding="utf-8")
    ledger.append(
        "rules.adopted",
        {
            "rules": rules["id"],
            "digest": hashlib.sha256(canonical.encode(rules)).hexdigest(),
            "valid_from": rules["valid_from"],
            "valid_to": rules["valid_to"],
        },
    )


def _adopt_clocks(instance: Instance, ledger: Ledger) -> None:
    """The clocks of the invented rule, as the local standard that they are."""
    adopt_packaged_rules(instance, ledger)
    archive = Archive(instance.path / "rules")
    for clause in clocks_of(_read("rules.yml")):
        timeline = timeline_of(ledger, archive)
        record(ledger, archive, timeline, adoption.adopt_rule(timeline.current, clause), by=_DATA_AUTHORITY)


def clocks_of(rules: dict[str, Any]) -> list[Clause]:
    """The clauses of the demonstration's rule text that set a clock."""
    found = []
    for each in rules["clauses"]:
        clock = each.get("clock")
        if clock is None:
            continue
        at_once = clock["limit"]["unit"] == "at_once"
        value = {
            "id": each["id"],
            "number": rules["document_no"],
            "name_zh": rules["title"]["zh"],
            "name_en": rules["title"]["en"],
            "level": "service_standard",
            "kind": rules["standing"],
            "article_zh": each["article"]["zh"],
            "article_en": each["article"]["en"],
            "quote": each["text"]["zh"],
            "gist_en": each["text"]["en"],
            "valid_from": each["valid_from"],
            "valid_to": each["valid_to"],
            "source": rules["source"]["zh"],
            "clock": {
                "act": clock["act"],
                "start": clock["starts"],
                "stop": clock["stops"],
                "urgent": clock.get("urgent", False),
                **({"at_once": True} if at_once else {"working_days": clock["limit"]["count"]}),
            },
        }
        found.append(Clause.read(value, each["id"]))
    return found


def _agency_row(agency: dict[str, Any]) -> dict[str, str | None]:
    return {
        "id": agency["id"],
        "name_zh": agency["name"]["zh"],
        "name_en": agency["name"]["en"],
        "short_name": agency["short"]["zh"],
        "type": agency["type"],
        "role": agency["role"],
        "superior": agency.get("superior", {}).get("zh"),
    }


def _load_tables(instance: Instance, ledger: Ledger, county: dict[str, Any]) -> None:
    mappings = packaged_mappings()
    tables = tables_of(mappings.values())
    put_agencies(
        instance.database_path("directory"),
        [
            {
                "id_code": agency["id"],
                "name": agency["name"]["zh"],
                "short_name": agency["short"]["zh"],
                "type": agency["type"],
                "valid_from": agency["valid_from"],
                "valid_to": agency.get("valid_to"),
            }
            for agency in county["agencies"]
        ],
    )
    for item in county["tables"]:
        loader = Loader(
            instance.database_path(item["database"]),
            tables[(item["database"], item["table"])],
            mappings[item["mapping"]],
            instance.row_secret(),
            ledger_recorder(ledger),
            lambda: datetime.now(UTC),
            os.urandom,
        )
        with resources.as_file(resources.files("catalog.demo") / item["file"]) as file, open_source(file) as source:
            report = loader.load(source)
        if report.refused:
            raise UsageError(
                f"the sample file {item['file']} does not fit its mapping; the installation is damaged, install anew",
                f"样例文件 {item['file']} 与映射不符；安装已损坏，请重新安装",
            )


def _publish(instance: Instance, ledger: Ledger, register: Register, county: dict[str, Any]) -> None:
    with closing(sqlite3.connect(instance.database_path("directory"))) as directory:
        rows = directory.execute(
            "SELECT code, sharing_class, sharing_condition, statutory_basis FROM resources WHERE code IS NOT NULL"
        )
        shared = {code: (sharing_class, condition, basis) for code, sharing_class, condition, basis in rows}
    providers = {(item["database"], item["table"]): item for item in county["tables"]}
    authority = next(agency["id"] for agency in county["agencies"] if agency["role"] == "data_authority")
    for table in DIRECTORY_TABLES:
        grants.publish(register, ledger, f"directory/{table}", authority, "无条件共享")
    for (database, table), item in providers.items():
        if database != "directory":
            sharing_class, condition, basis = shared[item["code"]]
            provider, resource = item["provider"], f"{database}/{table}"
            grants.publish(register, ledger, resource, provider, sharing_class, condition=condition, basis=basis)
    for item in county["listed"]:
        sharing_class, _, basis = shared[item["code"]]
        resource = f"{item['database']}/{item['table']}"
        grants.publish(register, ledger, resource, item["provider"], sharing_class, basis=basis)
    _title_listed(instance.path / "metadata.yml", county["listed"])


def _title_listed(metadata: Path, listed: list[dict[str, Any]]) -> None:
    """Give what is published and not held here its titles: no mapping says them."""
    content = yaml.safe_load(metadata.read_text(encoding="utf-8"))
    for item in listed:
        tables = content["databases"][item["database"]].setdefault("tables", {})
        title, about = item["title"], item["description"]
        tables[item["table"]] = {
            "title": title["zh"],
            "title_en": title["en"],
            "description": about["zh"],
            "description_en": about["en"],
        }
    metadata.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _suspend_and_restore(ledger: Ledger, register: Register, county: dict[str, Any]) -> None:
    for each in county["suspensions"]:
        what = {"id": suspensions.next_id(register), "reason": each["reason"]["zh"]}
        what |= {name: each[name] for name in ("agency", "resource", "by")}
        suspensions.suspend(register, ledger, what)
        suspensions.restore(register, ledger, what["id"], each["by"], each["restored"]["zh"])


def _grant(grant: dict[str, Any]) -> Grant:
    return Grant(
        grant["id"],
        grant["provider"],
        grant["grantee"],
        grant["database"],
        grant["table"],
        tuple(grant["purposes"]),
        grant["valid_from"],
        grant["valid_to"],
        grant["legal_basis"]["zh"],
        tuple(grant["columns"]) if "columns" in grant else None,
    )


def _give_credentials(instance: Instance, ledger: Ledger, register: Register, county: dict[str, Any]) -> None:
    folder = instance.path / _CREDENTIALS.parent
    folder.mkdir(mode=0o700)
    passwords: dict[str, str] = {}
    for agency in county["agencies"]:
        for officer in agency["officers"]:
            passwords[officer["login"]] = officers.enrol(
                register,
                ledger,
                {
                    "id": officer["login"],
                    "agency": agency["id"],
                    "title_zh": officer["name"]["zh"],
                    "title_en": officer["name"]["en"],
                },
                officer["roles"],
                password=one_time(os.urandom),
            )
    endorser = _supervisors_key(instance, ledger, register)
    system = f"{SYSTEM}-sys"
    key = Ed25519PrivateKey.generate()
    write_private(instance.path / _SYSTEM_KEY, private_pem(key))
    expires_at = register.timestamp(timedelta(days=_CREDENTIAL_DAYS))
    keys.add(register, ledger, endorsed(ledger.origin, SYSTEM, system, expires_at, key, endorser))
    token = tokens.add(register, ledger, SYSTEM, system, _CREDENTIAL_DAYS)
    content = json.dumps({"token": token, "passwords": passwords}, ensure_ascii=False, indent=1)
    write_private(instance.path / _CREDENTIALS, content.encode())


def _supervisors_key(instance: Instance, ledger: Ledger, register: Register) -> PrivateKey:
    """The supervising office's own key, with which it endorses the agencies' first keys."""
    key = Ed25519PrivateKey.generate()
    write_private(instance.path / _SUPERVISOR_KEY, private_pem(key))
    expires_at = register.timestamp(timedelta(days=_CREDENTIAL_DAYS))
    keys.add(register, ledger, endorsed(ledger.origin, _ENDORSER, f"{_ENDORSER}-sys", expires_at, key, None))
    return key


def _text(name: str) -> str:
    return (resources.files("catalog.demo") / name).read_text(encoding="utf-8")


def _read(name: str) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(_text(name))
    return value
