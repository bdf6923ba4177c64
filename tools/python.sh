# Finding a Python that can make virtual environments; sourced by tools/setup.sh, tools/test_needs.sh and by the
# install.sh of the offline bundle, so that the rule and its two sentences have one home. POSIX sh.

# say ZH EN: one sentence in both languages, on standard error.
say() {
    printf '%s\n%s\n' "$1" "$2" >&2
}

# Commands that need root are printed with sudo, except to root, who may have none.
if [ "$(id -u)" = 0 ]; then sudo_word=; else sudo_word='sudo '; fi

# find_python CONDITION WANTED: sets PY to the first Python whose v = sys.version_info[:2] meets CONDITION, or
# prints what was found and what is WANTED and exits 2. PYTHON in the environment is the only candidate if set.
find_python() {
    if [ -n "${PYTHON:-}" ]; then set -- "$1" "$2" "$PYTHON"; else set -- "$1" "$2" python3.11 python3; fi
    condition=$1 wanted=$2
    shift 2
    found=
    for candidate in "$@"; do
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        found="$found $candidate=$version"
        if "$candidate" -c "import sys; v = sys.version_info[:2]; sys.exit(not ($condition))"; then
            PY=$candidate
            return 0
        fi
    done
    say "需要 Python ${wanted}，找到的是：${found:- 没有}。请安装：${sudo_word}apt install python3 python3-venv；或用 PYTHON=路径 指定。" \
        "Python $wanted is needed; found:${found:- none}. Install it: ${sudo_word}apt install python3 python3-venv; or name one with PYTHON=path."
    exit 2
}

# need_venv: exits 2 with the one line that installs what is missing when PY cannot make a virtual environment
# (Debian ships venv and ensurepip apart from Python).
need_venv() {
    if "$PY" -c 'import venv, ensurepip' 2>/dev/null; then return 0; fi
    ours=$("$PY" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    systems=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || systems=
    if [ "$ours" = "$systems" ]; then package=python3-venv; else package=python$ours-venv; fi
    say "这台机器的 Python $ours 不带 venv（虚拟环境）。请运行下面这一行，然后再试一次：" \
        "This machine's Python $ours comes without venv (virtual environments). Run this one line, then try again:"
    printf '\n    %sapt install %s\n\n' "$sudo_word" "$package" >&2
    exit 2
}

# make_venv FOLDER: makes or remakes a virtual environment with PY; refuses a folder that holds something else.
make_venv() {
    if [ -e "$1" ] && [ ! -f "$1/pyvenv.cfg" ] && [ -n "$(ls -A "$1" 2>/dev/null)" ]; then
        say "$1 已存在，但不是虚拟环境。请换一个文件夹，或先把它移走。" \
            "$1 exists and is not a virtual environment. Choose another folder, or move it away first."
        exit 2
    fi
    "$PY" -m venv --clear "$1"
}
