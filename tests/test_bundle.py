"""The offline archive: what is in it, that it is the same each time, and that it works with the network cut off."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from tools import bundle

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
VERSION = bundle.project_version()
FOLDER = f"liandong-{VERSION}-bundle"


def write_bundle(out: Path, umask: str) -> Path:
    """Run tools/bundle.py as ``make bundle`` does, under ``umask``."""
    command = f'umask {umask} && exec "{sys.executable}" tools/bundle.py --out "{out}"'
    run = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    archive = out / f"{FOLDER}.tar.gz"
    assert str(archive) in run.stdout
    assert f"SHA-256 {hashlib.sha256(archive.read_bytes()).hexdigest()}" in run.stdout
    return archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle"), "022")


@pytest.fixture(scope="module")
def files(archive: Path) -> dict[str, bytes]:
    """Name below the archive's one folder -> bytes."""
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
        assert all(member.isfile() and member.name.startswith(f"{FOLDER}/") for member in members)
        return {m.name.removeprefix(f"{FOLDER}/"): opened.extractfile(m).read() for m in members}  # type: ignore[union-attr]


def test_the_archive_holds_one_wheel_of_each_requirement_for_each_architecture(files: dict[str, bytes]) -> None:
    wheels = [parse_wheel_filename(name.removeprefix("wheels/")) for name in files if name.startswith("wheels/")]
    lock = files["requirements.lock"].decode()
    for architecture in bundle.ARCHITECTURES:
        for line in bundle.requirements_for(architecture, lock).splitlines():
            requirement = Requirement(line.split(" --hash=")[0])
            fitting = [
                tags
                for name, version, _, tags in wheels
                if canonicalize_name(requirement.name) == name
                and requirement.specifier.contains(version, prereleases=True)
                and any(tag.platform == "any" or tag.platform.endswith(architecture) for tag in tags)
            ]
            assert len(fitting) == 1, (architecture, line)
    assert f"wheels/liandong-{VERSION}-py3-none-any.whl" in files


def test_every_wheel_is_for_cpython_311_and_glibc_228_or_older(files: dict[str, bytes]) -> None:
    for name in files:
        if not name.startswith("wheels/"):
            continue
        tags = parse_wheel_filename(name.removeprefix("wheels/"))[3]
        for tag in tags:
            assert tag.abi in ("cp311", "abi3", "none"), name
            assert tag.interpreter in ("cp311", "py3", "py2") or tag.abi == "abi3", name
        platforms = {tag.platform for tag in tags}
        numbers = [re.fullmatch(r"manylinux_2_(\d+)_(?:x86_64|aarch64)", platform) for platform in platforms]
        oldest = min((int(number.group(1)) for number in numbers if number), default=0)
        legacy = any(re.fullmatch(r"manylinux(1|2010|2014)_(x86_64|aarch64)", platform) for platform in platforms)
        assert platforms == {"any"} or legacy or 0 < oldest <= 28, name


def test_the_checksums_cover_every_other_file(files: dict[str, bytes]) -> None:
    listed = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "SHA256SUMS"}


def test_the_project_itself_is_installed_by_its_hash(files: dict[str, bytes]) -> None:
    digest = hashlib.sha256(files[f"wheels/liandong-{VERSION}-py3-none-any.whl"]).hexdigest()
    assert files["liandong.lock"].decode() == f"liandong=={VERSION} --hash=sha256:{digest}\n"


def test_the_archive_names_no_index_and_no_place_of_the_machine_that_made_it(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        if not name.startswith("wheels/"):
            text = data.decode()
            # What agencies take along shows addresses of a service that does not exist.
            allowed = r"https?://(share|portal)\.example\.gov\.cn" if name.startswith("clients/") else r"(?!)"
            assert not re.search(r"[a-z]://|index-url", re.sub(allowed, "", text)), name
            assert str(ROOT) not in text, name


def test_the_clients_for_agencies_are_in_it_as_sources(files: dict[str, bytes]) -> None:
    clients = {name for name in files if name.startswith("clients/")}
    assert {"clients/java/LiandongQuery.java", "clients/python/liandong_query.py", "clients/README.md"} <= clients
    assert files["clients/java/LiandongQuery.java"] == (ROOT / "clients/java/LiandongQuery.java").read_bytes()
    assert "clients/" in files["README.txt"].decode()


def test_the_archive_reads_in_both_languages(files: dict[str, bytes]) -> None:
    text = files["README.txt"].decode()
    assert "离线安装包" in text and "offline installation archive" in text
    assert "VERSION" not in text and VERSION in text


def test_the_same_source_gives_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    again = write_bundle(tmp_path, "077")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(archive.read_bytes()).digest()
    sums = Path(f"{archive}.sha256")
    subprocess.run(["sha256sum", "-c", "--quiet", sums.name], cwd=sums.parent, check=True)


def test_a_damaged_archive_is_not_installed(archive: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "xzf", str(archive), "-C", str(tmp_path)], check=True)
    damaged = next((tmp_path / FOLDER / "wheels").glob("datasette-*.whl"))
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    run = subprocess.run(
        ["sh", f"{FOLDER}/install.sh", "installed"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert damaged.name in run.stdout + run.stderr
    assert "没有安装" in run.stderr and "nothing was installed" in run.stderr
    assert not (tmp_path / "installed").exists()


def clean_environment() -> dict[str, str]:
    """The environment without what would let Python or pip look at this machine's own packages."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PIP_", "UV_", "PYTHON", "COV_", "LIANDONG")) and key != "VIRTUAL_ENV"
    }


def cut_off(environment: dict[str, str]) -> list[str]:
    """The command prefix that takes the network away; where the kernel refuses, the environment does it."""
    for prefix in (["unshare", "-n"], ["unshare", "-rn"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0
        ):
            return prefix
    nowhere = "http://127.0.0.1:9"
    proxies = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    environment.update(dict.fromkeys(proxies, nowhere), no_proxy="127.0.0.1", NO_PROXY="127.0.0.1", PIP_NO_INDEX="1")
    return []


@pytest.fixture(scope="module")
def session(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened when the archive was installed and first used with the network cut off."""
    folder = tmp_path_factory.mktemp("offline")
    environment = clean_environment()
    prefix = cut_off(environment)
    command = [*prefix, sys.executable, str(ROOT / "tests/offline_session.py"), str(archive), str(folder)]
    if prefix:
        command.append("--own-network")
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    report: dict[str, Any] = json.loads(run.stdout)
    report.update(folder=folder, own_network=bool(prefix))
    return report


def test_the_archive_installs_without_a_network(session: dict[str, Any]) -> None:
    if session["own_network"]:
        assert session["interfaces"] == ["lo"]
    installed: Path = session["folder"] / "installed"
    assert (installed / "bin/liandong").exists()
    assert list(installed.glob(f"lib/python3.11/site-packages/liandong-{VERSION}.dist-info"))


def test_the_first_signed_query_works_without_a_network(session: dict[str, Any]) -> None:
    assert session["query"]["status"] == 0, session["query"]["err"]
    assert session["query"]["out"].strip()
    with sqlite3.connect(session["folder"] / "county/ledger.db") as ledger:
        entries = [json.loads(data) for (data,) in ledger.execute("select entry from entries order by seq")]
    served = [entry for entry in entries if entry["kind"] == "query.served"]
    assert len(served) == 1
    assert served[0]["auth"] == "signature"


def test_the_ledger_verifies_after_it(session: dict[str, Any]) -> None:
    assert session["verify"]["status"] == 0, session["verify"]["out"] + session["verify"]["err"]
