"""Write dist/liandong-VERSION-bundle.tar.gz: everything a machine without network needs to install liandong.

It holds the project's wheel, every locked dependency as a wheel for x86_64 and aarch64 (CPython 3.11, glibc 2.28
or newer), the lock, checksums, install.sh and the single-file clients for agencies. The same source and lock give
the same bytes: names are sorted, times and owners fixed, and only files whose hash is in the lock are taken.

Wheels are fetched once for each lock and kept in var/bundle-cache (LIANDONG_BUNDLE_CACHE names another folder).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURES = ("x86_64", "aarch64")
#: Oldest C library promised: glibc 2.28 (Debian 10, RHEL 8, openEuler 20.03, Kylin V10).
NEWEST_GLIBC_MINOR = 28
OLDEST_GLIBC_MINOR = 5
#: 1980-01-01, the earliest time a zip file can say. SOURCE_DATE_EPOCH overrides it.
DEFAULT_EPOCH_S = 315532800
#: Folders and patterns of the work tree that are no source.
NOT_SOURCE = (
    ".git", ".venv*", "var", "dist", "build", "node_modules", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis",
)  # fmt: skip


#: What of clients/ goes into the archive: sources, no leftovers of building them.
CLIENT_FILES = frozenset({".java", ".md", ".py"})


class BundleError(Exception):
    """The archive cannot be written; the message says why and what to do."""


def epoch_s() -> int:
    """The one time, in seconds, that every file of the archive carries."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", DEFAULT_EPOCH_S))


def project_version() -> str:
    """The version in pyproject.toml."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def copy_source(target: Path) -> None:
    """Copy the work tree without builds, caches and instances, with fixed modes: what is built never sees them."""
    shutil.copytree(ROOT, target, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    for path in target.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def build_wheel(out: Path) -> Path:
    """Build the project's wheel from a clean copy into ``out``; the build backend is the locked one."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        copy_source(source)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index"]
        command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(source)]
        subprocess.run(
            command,
            check=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch_s())},
            umask=0o022,  # the modes of generated files are in the wheel
        )
    (wheel,) = out.glob("liandong-*.whl")
    return wheel


def platforms(architecture: str) -> list[str]:
    """Platform tags allowed in the archive, the newest C library first."""
    tags = []
    for minor in range(NEWEST_GLIBC_MINOR, OLDEST_GLIBC_MINOR - 1, -1):
        tags.append(f"manylinux_2_{minor}_{architecture}")
        alias = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(minor)
        if alias:
            tags.append(f"{alias}_{architecture}")
    return tags


def requirements_for(architecture: str, lock_text: str) -> str:
    """The lines of the lock that apply to CPython 3.11 on Linux, whatever Python runs this script."""
    environment = {
        "implementation_name": "cpython", "implementation_version": "3.11.0", "os_name": "posix",
        "platform_machine": architecture, "platform_python_implementation": "CPython", "platform_release": "",
        "platform_system": "Linux", "platform_version": "", "python_full_version": "3.11.0",
        "python_version": "3.11", "sys_platform": "linux",
    }  # fmt: skip
    kept = []
    for block in lock_text.replace("\\\n", " ").splitlines():
        if not block.strip() or block.lstrip().startswith("#"):
            continue
        requirement, *hashes = block.split(" --hash=")
        parsed = Requirement(requirement.strip())
        if parsed.marker is None or parsed.marker.evaluate(environment):
            kept.append(" ".join([f"{parsed.name}{parsed.specifier}", *(f"--hash={h.strip()}" for h in hashes)]))
    return "\n".join(kept) + "\n"


def check_tags(wheel: Path, architecture: str) -> None:
    """Raise unless the wheel runs on CPython 3.11 with glibc 2.28 on ``architecture``.

    Raises:
        BundleError: the file name promises another interpreter or a newer C library.
    """
    allowed = {*platforms(architecture), "any"}
    for tag in parse_wheel_filename(wheel.name)[3]:
        if tag.platform in allowed and (tag.abi in ("cp311", "abi3", "none")):
            return
    raise BundleError(
        f"{wheel.name} does not run on CPython 3.11, glibc 2.{NEWEST_GLIBC_MINOR}, {architecture}; "
        "lock a version that has such a wheel (make lock)."
    )


def fetch_wheels(architecture: str) -> list[Path]:
    """Wheels of every locked dependency for ``architecture``; fetched once for each lock, then kept."""
    lock = (ROOT / "requirements.lock").read_text()
    wanted = requirements_for(architecture, lock)
    key = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    cache = Path(os.environ.get("LIANDONG_BUNDLE_CACHE") or ROOT / "var/bundle-cache")
    kept = cache / f"{architecture}-{key}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as scratch:
            requirements = Path(scratch) / "requirements.txt"
            requirements.write_text(wanted)
            fetched = Path(scratch) / "wheels"
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest", str(fetched)]
            command += ["--implementation", "cp", "--python-version", "3.11"]
            command += [part for abi in ("cp311", "abi3", "none") for part in ("--abi", abi)]
            command += [part for tag in platforms(architecture) for part in ("--platform", tag)]
            try:
                subprocess.run([*command, "--requirement", str(requirements)], check=True)
            except subprocess.CalledProcessError as error:
                raise BundleError(
                    f"The wheels for {architecture} could not be fetched (see above): an index must be reachable, "
                    "and every locked version must have a wheel for CPython 3.11 there."
                ) from error
            fetched.rename(kept)
    wheels = sorted(kept.glob("*.whl"))
    for wheel in wheels:
        check_tags(wheel, architecture)
    return wheels


def sha256_of(data: bytes) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def contents(wheel: Path, dependencies: Iterable[Path]) -> dict[str, bytes]:
    """Name in the archive -> bytes, SHA256SUMS last and covering all others."""
    version = project_version()
    files = {f"wheels/{path.name}": path.read_bytes() for path in {p.name: p for p in dependencies}.values()}
    files[f"wheels/{wheel.name}"] = wheel.read_bytes()
    files["requirements.lock"] = (ROOT / "requirements.lock").read_bytes()
    files["liandong.lock"] = f"liandong=={version} --hash=sha256:{sha256_of(wheel.read_bytes())}\n".encode()
    files["python.sh"] = (ROOT / "tools/python.sh").read_bytes()
    files["install.sh"] = (ROOT / "tools/bundle_files/install.sh").read_bytes()
    # Agencies copy these to their own machines; they need nothing else of the archive.
    clients = [path for path in (ROOT / "clients").rglob("*") if path.suffix in CLIENT_FILES]
    files |= {str(path.relative_to(ROOT)): path.read_bytes() for path in clients}
    files["README.txt"] = (ROOT / "tools/bundle_files/README.txt").read_text().replace("VERSION", version).encode()
    sums = "".join(f"{sha256_of(data)}  {name}\n" for name, data in sorted(files.items()))
    files["SHA256SUMS"] = sums.encode()
    return files


def write_archive(files: dict[str, bytes], folder: str, out: Path) -> None:
    """Write ``files`` under ``folder/`` as a gzipped tar whose bytes depend on nothing else."""
    with out.open("wb") as raw, gzip.GzipFile(
        filename="", mode="wb", fileobj=raw, mtime=epoch_s(), compresslevel=1
    ) as zipped, tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive:  # fmt: skip
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime = len(data), epoch_s()
            member.mode = 0o755 if name.endswith("install.sh") else 0o644
            archive.addfile(member, io.BytesIO(data))


def make_bundle(out_folder: Path) -> Path:
    """Write the archive and, beside it, a file with its SHA-256; returns the archive's path."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = build_wheel(Path(scratch))
        dependencies = [path for architecture in ARCHITECTURES for path in fetch_wheels(architecture)]
        files = contents(wheel, dependencies)
    folder = f"liandong-{project_version()}-bundle"
    out_folder.mkdir(parents=True, exist_ok=True)
    archive = out_folder / f"{folder}.tar.gz"
    unfinished = archive.with_suffix(".part")
    write_archive(files, folder, unfinished)
    unfinished.replace(archive)
    digest = sha256_of(archive.read_bytes())
    Path(f"{archive}.sha256").write_text(f"{digest}  {archive.name}\n")
    return archive


def main() -> int:
    """Write the archive and say where it is and what its digest is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the archive (default: dist)")
    arguments = parser.parse_args()
    try:
        archive = make_bundle(arguments.out)
    except BundleError as error:
        print(error, file=sys.stderr)
        return 1
    size_mb = archive.stat().st_size / 1e6
    print(f"{archive} ({size_mb:.0f} MB)\nSHA-256 {sha256_of(archive.read_bytes())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
