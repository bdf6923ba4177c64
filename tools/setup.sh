#!/bin/sh
# tools/setup.sh LOCK: makes the virtual environment and installs LOCK (every file checked by its hash) and this
# project into it. Does nothing, and needs no network, when that has been done for these very files.
set -eu
cd "$(dirname "$0")/.."
. tools/python.sh

VENV=${VENV:-.venv}
lock=$1

# The stamp holds a checksum of the place and of what was installed: a moved folder or a changed lock installs anew.
stamp_of() {
    { pwd -P; cat "$1" pyproject.toml; } | cksum
}
stamp_file() {
    printf '%s/.installed-%s' "$VENV" "$1"
}

if [ -f "$(stamp_file "$lock")" ] && [ "$(cat "$(stamp_file "$lock")")" = "$(stamp_of "$lock")" ] &&
    "$VENV/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

if ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
    find_python 'v >= (3, 11)' '>= 3.11'
    need_venv
    printf '正在创建虚拟环境 / making the virtual environment: %s\n' "$VENV"
    make_venv "$VENV"
fi

printf '正在安装已锁定的依赖（逐个核对哈希）/ installing locked dependencies, each checked by its hash: %s\n' "$lock"
if ! "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"; then
    say "依赖没有装上（原因见上）。需要能访问 Python 软件包源；没有网络的机器请用 make bundle 做的离线安装包。" \
        "The dependencies were not installed (see above). A Python package index must be reachable; on a machine without network use the archive that make bundle writes."
    exit 2
fi
# The build backend is in the lock, so nothing is fetched here.
"$VENV/bin/python" -m pip install -qq --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .

stamp_of "$lock" >"$(stamp_file "$lock")"
# The test lock holds every line of the runtime lock (tests/test_packaging.py), so it serves for both.
if [ "$lock" = requirements-test.lock ]; then stamp_of requirements.lock >"$(stamp_file requirements.lock)"; fi
