#!/bin/sh
# tools/test_needs.sh: makes sure that the tests have what no Python package brings: curl (the demo prints a curl
# line, which is tested as printed), strace (it shows that an entry is synchronised before it is acknowledged), nginx
# (the service is tested behind it), a JDK (clients/java is built and run), a Chromium and what drives it, and Chinese
# fonts for pictures. From the system's packages where it may install them;
# Chromium else by Playwright's own download; otherwise it prints the one line that installs what is missing.
set -eu
cd "$(dirname "$0")/.."
. tools/python.sh

VENV=${VENV:-.venv}

have_curl() { command -v curl >/dev/null 2>&1; }
have_strace() { command -v strace >/dev/null 2>&1; }
have_nginx() { command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ]; }
have_jdk() { command -v javac >/dev/null 2>&1 && command -v java >/dev/null 2>&1; }
have_chromium() { command -v chromium >/dev/null 2>&1; }
have_font() { [ -n "$(fc-list :lang=zh-cn family 2>/dev/null)" ]; }
# The driver that Playwright brings needs a library that a small Debian has not.
have_driver() { "$VENV/bin/playwright" --version >/dev/null 2>&1; }
have_playwrights() {
    "$VENV/bin/python" - <<'PY' 2>/dev/null
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    playwright.chromium.launch().close()
PY
}
missing_packages() {
    have_curl || printf 'curl ca-certificates '
    have_strace || printf 'strace '
    have_nginx || printf 'nginx-light '
    have_jdk || printf 'default-jdk-headless '
    have_chromium || [ "${playwrights:-}" = works ] || printf 'chromium '
    have_driver || printf 'libatomic1 '
    have_font || printf 'fontconfig fonts-noto-cjk '
}
may_apt() {
    command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}
apt_install() {
    printf '正在安装 / installing: %s\n' "$*"
    if [ "$(id -u)" = 0 ]; then as_root=env; else as_root='sudo -n env'; fi
    # No service of what is installed is started: the tests start their own nginx, on ports of their own.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        # shellcheck disable=SC2064  # the path as it is now
        trap "$as_root rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
    fi
    $as_root apt-get update -qq || true
    $as_root DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null || true
}

missing=$(missing_packages)
if [ -z "$missing" ]; then exit 0; fi

# shellcheck disable=SC2086  # a list of package names
if may_apt; then apt_install $missing; fi
if ! have_chromium; then
    if have_playwrights || { "$VENV/bin/playwright" install chromium && have_playwrights; }; then
        playwrights=works
    fi
fi

missing=$(missing_packages)
case $missing in
    '') ;;
    *curl* | *strace* | *nginx* | *jdk* | *chromium* | *libatomic1*)
        say "测试还缺系统软件，自动安装没有成功。请运行下面这一行，然后再试一次：" \
            "Tests need packages of the system that could not be installed for you. Run this one line, then try again:"
        printf '\n    %sapt install %s\n\n' "$sudo_word" "${missing% }" >&2
        exit 2
        ;;
    *)
        say "没有中文字体，截图里的汉字会成方框（测试不受影响）。请运行：${sudo_word}apt install ${missing% }" \
            "There is no Chinese font: characters in pictures will be boxes (tests are not affected). Run: ${sudo_word}apt install ${missing% }"
        ;;
esac
