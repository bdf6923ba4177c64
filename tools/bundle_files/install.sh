#!/bin/sh
# sh install.sh FOLDER: installs liandong into FOLDER without a network. No root needed.
set -eu
if [ $# -ne 1 ]; then
    printf '用法 / usage: sh install.sh 安装文件夹/FOLDER\n' >&2
    exit 2
fi
case $1 in /*) target=$1 ;; *) target=$PWD/$1 ;; esac
cd "$(dirname "$0")"
. ./python.sh

if ! sha256sum -c --quiet --strict SHA256SUMS; then
    say '有文件与 SHA256SUMS 不符（见上），没有安装。请重新取得安装包。' \
        'A file differs from SHA256SUMS (see above); nothing was installed. Get the archive again.'
    exit 1
fi
machine=$(uname -s)-$(uname -m)
case $machine in
    Linux-x86_64 | Linux-aarch64) ;;
    *)
        say "这台机器是 ${machine}；安装包只适用于 Linux x86_64 和 aarch64。" \
            "This machine is $machine; the archive is for Linux on x86_64 and aarch64."
        exit 2
        ;;
esac

if [ ! -x "$target/bin/python" ]; then
    find_python 'v == (3, 11)' '3.11'
    need_venv
    make_venv "$target"
fi
# No configuration of pip's may add another place to take files from.
PIP_CONFIG_FILE=/dev/null "$target/bin/python" -m pip --isolated --disable-pip-version-check install --quiet \
    --no-index --find-links wheels --require-hashes -r requirements.lock -r liandong.lock

printf '已安装 / installed: '
"$target/bin/liandong" --version
printf '下一步，启动演示 / next, start the demo:\n\n    %s/bin/liandong demo 演示文件夹/FOLDER\n\n' "$target"
