"""Write requirements.lock and requirements-test.lock: every dependency by version and hash, no index named.

``uv`` resolves (for every platform and Python from 3.11 on); it is taken from PATH, or installed for this one run
into a temporary environment. It is no dependency of the project. Versions already locked are kept;
``--upgrade`` moves them to the newest that pyproject.toml allows.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = "requirements.lock"
TEST = "requirements-test.lock"
HEADER = {
    RUNTIME: "# What runs. Made by `make lock` from pyproject.toml; not edited by hand.\n",
    TEST: f"# What runs, tests and develops: all of {RUNTIME} and more. Made by `make lock`; not edited by hand.\n",
}


def find_uv(scratch: Path) -> str:
    """Path of a uv: the one on PATH, or one installed into ``scratch``."""
    found = shutil.which("uv")
    if found:
        return found
    subprocess.run([sys.executable, "-m", "venv", str(scratch / "uv")], check=True)
    subprocess.run([str(scratch / "uv/bin/pip"), "install", "--quiet", "uv"], check=True)
    return str(scratch / "uv/bin/uv")


def compile_lock(uv: str, name: str, extras: list[str], constraint: str | None, *, upgrade: bool) -> None:
    """Resolve pyproject.toml with ``extras`` and its build backend into the file ``name``."""
    build_requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    command = [uv, "pip", "compile", "pyproject.toml", "-", "--output-file", name]
    command += ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    command += [part for extra in extras for part in ("--extra", extra)]
    if constraint:
        command += ["--constraint", constraint]
    if upgrade:
        command.append("--upgrade")
    # Files found beside the index (a local folder of wheels) would put hashes into the lock that no index has.
    environment = {key: value for key, value in os.environ.items() if key != "UV_FIND_LINKS"}
    subprocess.run(command, cwd=ROOT, input="\n".join(build_requires), text=True, check=True, env=environment)
    path = ROOT / name
    lines = [line for line in path.read_text().splitlines() if line.strip() != "#   -c requirements.lock"]
    text = "\n".join(lines).replace("-r -", "build-system of pyproject.toml")
    path.write_text(HEADER[name] + text + "\n")


def main() -> None:
    """Write both locks; the test lock is constrained to the runtime lock's versions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="move to the newest allowed versions")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        uv = find_uv(Path(scratch))
        compile_lock(uv, RUNTIME, [], None, upgrade=arguments.upgrade)
        compile_lock(uv, TEST, ["test", "dev"], RUNTIME, upgrade=arguments.upgrade)


if __name__ == "__main__":
    main()
