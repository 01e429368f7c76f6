#!/bin/sh
# Runs make targets on lane b (tfx 1.21, TF 2.21, Python 3.13), whatever this machine
# is: in a Debian 13 of its own, below .tools/trixie, which is made on the first call
# (a minute, and the environment inside another four).
#
#   scripts/test_current.sh [TARGET ...]     default: run test-brief test-slow-brief
#
# Needs root, for debootstrap and chroot, and Debian's packages within reach.
set -eu
cd "$(dirname "$0")/.."

suite=trixie
root=$PWD/.tools/$suite
here=/src/tf_scl # the checkout inside; /src/shared lies beside it, as outside

fail() {
    echo "error: $*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "lane b is tested in a chroot, which needs root: sudo $0 $*"

if [ "${INSIDE_NAMESPACE:-}" != yes ]; then
    # What is mounted below is seen by this process and its children only, and goes
    # with them: nobody's `rm -rf` can reach through a mount that was left behind.
    INSIDE_NAMESPACE=yes exec unshare --mount --propagation private "$0" "$@"
fi

if [ ! -x "$root/usr/bin/make" ]; then
    if ! command -v debootstrap >/dev/null; then
        echo "installing debootstrap"
        { apt-get update -qq && apt-get install -y -qq debootstrap; } >/dev/null ||
            fail "debootstrap is not here, and apt-get could not install it"
    fi
    echo "making a Debian $suite in .tools/$suite"
    rm -rf "$root" "$root.partial"
    mkdir -p .tools
    debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,make,git,ca-certificates \
        "$suite" "$root.partial" >.tools/debootstrap.log 2>&1 ||
        fail "debootstrap failed: $(tail -n 1 .tools/debootstrap.log) (.tools/debootstrap.log)"
    mv "$root.partial" "$root"
fi

# The files of the checkout as they are now; the environment inside stays.
mkdir -p "$root$here"
find "$root$here" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .tools ! -name runs -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard |
    tar --create --null --files-from - --ignore-failed-read | tar --extract --directory "$root$here"

cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$root/etc/ssl/certs/ca-certificates.crt"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/run"
if [ -d ../shared ]; then
    mkdir -p "$root/src/shared"
    mount --bind ../shared "$root/src/shared"
fi

[ $# -gt 0 ] || set -- run test-brief test-slow-brief
exec chroot "$root" /usr/bin/env HOME=/root PATH=/usr/local/bin:/usr/bin:/bin \
    TMPDIR=/tmp make --directory "$here" "$@"
