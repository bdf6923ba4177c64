"""What is locked, what is built, and that it works when installed elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import bundle

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-test.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("ledger", "ingest", "catalog")


def locked(name: str) -> dict[str, list[str]]:
    """``name==version`` with its marker -> its hashes, for each requirement of a lock."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    blocks = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {block.split(" --hash=")[0].strip(): re.findall(r"--hash=(\S+)", block) for block in blocks}


def versions(name: str) -> dict[str, set[Version]]:
    """Distribution -> its locked versions (one for each range of Pythons at most)."""
    found: dict[str, set[Version]] = {}
    for line in locked(name):
        requirement = Requirement(line)
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", line
        found.setdefault(canonicalize_name(requirement.name), set()).add(Version(specifier.version))
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_no_line_of_a_lock_names_an_index_or_an_address(name: str) -> None:
    allowed = re.compile(
        r"#.*|"  # comments, looked at below
        r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [^\\]+)? \\|"
        r" {4}--hash=sha256:[0-9a-f]{64}( \\)?"
    )
    for line in (ROOT / name).read_text().splitlines():
        assert allowed.fullmatch(line) or line.lstrip().startswith("#"), line
        assert not re.search(r"://|file:|index|find-links|(^|\s)/\w", line.replace("pyproject.toml", "")), line


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_has_its_hashes(name: str) -> None:
    lock = locked(name)
    assert len(lock) > 30
    assert [line for line, hashes in lock.items() if not hashes] == []


def test_the_test_lock_holds_every_line_of_the_runtime_lock() -> None:
    """By version and hash; what only tests need may want a thing on more platforms than what runs does."""
    test_lock = {line.partition(" ;")[0]: hashes for line, hashes in locked("requirements-test.lock").items()}
    for line, hashes in locked("requirements.lock").items():
        assert test_lock[line.partition(" ;")[0]] == hashes, line


def test_everything_that_pyproject_asks_for_is_locked_within_its_bounds() -> None:
    project, extras = PROJECT["project"], PROJECT["project"]["optional-dependencies"]
    runtime = project["dependencies"] + PROJECT["build-system"]["requires"]
    for name, asked in {LOCKS[0]: runtime, LOCKS[1]: runtime + extras["test"] + extras["dev"]}.items():
        have = versions(name)
        for text in asked:
            requirement = Requirement(text)
            found = have[canonicalize_name(requirement.name)]
            assert all(requirement.specifier.contains(v, prereleases=True) for v in found), text


def test_datasette_is_pinned_exactly() -> None:
    assert "datasette==1.0a41" in PROJECT["project"]["dependencies"]


def test_every_package_of_the_tree_is_listed() -> None:
    tree = {
        str(init.parent.relative_to(ROOT)).replace("/", ".")
        for package in PACKAGES
        for init in (ROOT / package).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == tree


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sdist/*.tar.gz, from-sdist/*.whl and from-tree/*.whl, all built by ``python -m build``."""
    out = tmp_path_factory.mktemp("built")
    source = out / "source"
    bundle.copy_source(source)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(bundle.DEFAULT_EPOCH_S), "PIP_NO_INDEX": "1"}
    for arguments in (["--sdist", "--outdir", str(out / "sdist")], ["--wheel", "--outdir", str(out / "from-tree")]):
        command = [sys.executable, "-m", "build", "--no-isolation", *arguments, str(source)]
        run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "Deprecat" not in run.stdout + run.stderr, run.stdout + run.stderr
    (sdist,) = (out / "sdist").glob("*.tar.gz")
    (out / "unpacked").mkdir()
    subprocess.run(["tar", "xzf", str(sdist), "-C", str(out / "unpacked")], check=True)
    (unpacked,) = (out / "unpacked").iterdir()
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(out / "from-sdist")]
    subprocess.run([*command, str(unpacked)], check=True, env=environment, capture_output=True)
    return out


def wheel_files(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of the one wheel in ``folder``, without the metadata that names other files' hashes."""
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(built: Path) -> None:
    tree = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    wheel = wheel_files(built / "from-tree")
    packaged = {name: data for name, data in wheel.items() if ".dist-info/" not in name}
    assert sorted(packaged) == sorted(tree)
    assert [name for name in tree if packaged[name] != tree[name]] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [
        r"catalog/templates/.+\.html", r"catalog/static/.+", r"catalog/locale/zh\w*/LC_MESSAGES/.+\.po",
        r"catalog/defaults/metadata\.yml",
        r"catalog/defaults/datasette\.yml", r"catalog/demo/.+\.csv", r"ingest/mappings/.+\.yml",
    ],
)  # fmt: skip
def test_the_wheel_carries_each_kind_of_data(built: Path, pattern: str) -> None:
    assert any(re.fullmatch(pattern, name) for name in wheel_files(built / "from-tree"))


@pytest.mark.slow
def test_the_configuration_at_the_top_of_the_tree_is_what_is_packaged(built: Path) -> None:
    wheel = wheel_files(built / "from-tree")
    (sdist,) = (built / "sdist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = {member.name.split("/", 1)[-1]: member for member in archive.getmembers()}
        for name in ("metadata.yml", "datasette.yml"):
            assert wheel[f"catalog/defaults/{name}"] == (ROOT / name).read_bytes()
            assert members[f"catalog/defaults/{name}"].isfile(), "the sdist carries the contents, not a link"


@pytest.mark.slow
def test_the_sdist_builds_the_same_wheel(built: Path) -> None:
    assert wheel_files(built / "from-sdist") == wheel_files(built / "from-tree")


@pytest.mark.slow
def test_the_sdist_carries_what_building_testing_and_reading_need(built: Path) -> None:
    (sdist,) = (built / "sdist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    wanted = {
        "Makefile",
        "README.zh-CN.md",
        "CHANGELOG.md",
        "docs/cli.md",
        "clients/java/LiandongQuery.java",
        "clients/python/liandong_query.py",
        "tests/no_skip.py",
        "tools/setup.sh",
        *LOCKS,
    }
    assert wanted <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(("var/", ".venv/"))]


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bin/ of a virtual environment that has the wheel installed, far from the source tree.

    The dependencies are those of the running environment, put behind its own folder on the path; a path named in a
    .pth file runs no .pth files itself, so the editable installation of this tree is not seen.
    """
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    (wheel,) = (built / "from-tree").glob("*.whl")
    install = [sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*install, str(wheel)], check=True)
    (own,) = {Path(p) for p in sys.path if p.endswith("site-packages") and Path(p).is_relative_to(sys.prefix)}
    (site_packages / "dependencies.pth").write_text(f"{own}\n")
    return folder / "bin"


@pytest.mark.slow
def test_the_installed_command_runs_from_anywhere(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [installed / "python", "-c", "import catalog, ledger, ingest; print(catalog.__file__)"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert where.startswith(str(installed.parent)), where
    printed = subprocess.run(
        [installed / "liandong", "--version"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert PROJECT["project"]["version"] in printed


@pytest.mark.slow
def test_the_installed_command_makes_a_demo_instance_that_verifies(installed: Path, tmp_path: Path) -> None:
    for arguments in (["demo", "--create-only", "county"], ["ledger", "verify", "-i", "county"]):
        run = subprocess.run(
            [installed / "liandong", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
    made = {path.name for path in (tmp_path / "county").iterdir()}
    assert {"datasette.yml", "metadata.yml", "ledger.db", "identity.db", "directory.db", "keys"} <= made


def fake_python(folder: Path, *, without: str = "", version: str = "") -> Path:
    """A Python that lacks the module ``without``, or says it is of another ``version``."""
    folder.mkdir()
    if without:
        (folder / f"{without}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{without}'\")\n")
    if version:
        numbers = tuple(int(part) for part in version.split("."))
        (folder / "sitecustomize.py").write_text(f"import sys\nsys.version_info = {(*numbers, 0, 'final', 0)}\n")
    script = folder / "python3"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return script


def set_up(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Run tools/setup.sh with ``python`` towards a virtual environment that does not exist yet."""
    environment = {**os.environ, "PYTHON": python, "VENV": str(tmp_path / "venv")}
    return subprocess.run(
        ["sh", "tools/setup.sh", "requirements.lock"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_venv_the_one_line_that_installs_it_is_printed(tmp_path: Path) -> None:
    run = set_up(tmp_path, str(fake_python(tmp_path / "python", without="ensurepip")))
    assert run.returncode == 2
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("    ")]
    assert re.fullmatch(r" {4}(sudo )?apt install python3(\.\d+)?-venv", line)
    assert "请运行下面这一行" in run.stderr and "Run this one line" in run.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("version", ["3.10.14", "2.7.18"])
def test_an_older_python_is_refused_with_what_was_found(tmp_path: Path, version: str) -> None:
    run = set_up(tmp_path, str(fake_python(tmp_path / "python", version=version)))
    assert run.returncode == 2
    assert "=" + version.rsplit(".", 1)[0] in run.stderr and ">= 3.11" in run.stderr
    assert "需要 Python" in run.stderr


def test_a_missing_python_is_refused(tmp_path: Path) -> None:
    run = set_up(tmp_path, str(tmp_path / "no-such-python"))
    assert run.returncode == 2
    assert "found: none" in run.stderr and "没有" in run.stderr


def test_a_folder_that_is_no_virtual_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/precious.txt").write_text("keep")
    run = set_up(tmp_path, sys.executable)
    assert run.returncode == 2
    assert "不是虚拟环境" in run.stderr
    assert (tmp_path / "venv/precious.txt").read_text() == "keep"


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize(
    "body",
    [
        "import pytest\n\n@pytest.mark.skip\ndef test_a(): pass\n\ndef test_b(): pass\n",
        "import pytest\n\n@pytest.mark.xfail\ndef test_a(): assert False\n\ndef test_b(): pass\n",
        "import pytest\npytest.skip('all of it', allow_module_level=True)\n",
    ],
    ids=["skip", "xfail", "module"],
)
def test_a_skipped_test_fails_the_run_and_is_named(tmp_path: Path, body: str, workers: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_a.py").write_text(body)
    (tmp_path / "test_c.py").write_text("def test_c(): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.no_skip", "-n", workers, "-c", str(tmp_path / "pytest.ini")]
    run = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout
    assert "tests were skipped, which fails the run" in run.stdout
    assert "test_a.py" in run.stdout


def test_a_run_without_skips_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_c.py").write_text("def test_c(): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.no_skip", "-c", str(tmp_path / "pytest.ini")]
    run = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_make_help_lists_every_target_in_both_languages() -> None:
    printed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True)
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert phony is not None
    for target in set(phony.group(1).split()) - {"setup", "setup-test"}:
        (line,) = [line for line in printed.stdout.splitlines() if line.split()[:2] == ["make", target]]
        assert re.search(r"[一-鿿]", line) and re.search(r"/ .*[a-z]{3}", line), line


def test_the_shell_scripts_parse() -> None:
    shell = shutil.which("dash") or "sh"
    for script in [*ROOT.glob("tools/*.sh"), *ROOT.glob("tools/bundle_files/*.sh")]:
        subprocess.run([shell, "-n", str(script)], check=True)
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)
