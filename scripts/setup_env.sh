#!/bin/sh
# Makes the environment in .venv, or finds it ready. Needs python3 with pip; all
# else is fetched from PyPI, at the versions (and hashes) in requirements/.
#
#   scripts/setup_env.sh         .venv, for everything but the docs
#   scripts/setup_env.sh docs    .venv-docs, for `make docs`: without TensorFlow and TFX
#
# Two lanes of .venv, by what the machine can run:
#   b  tfx 1.21.0, TF 2.21, Python 3.11-3.13, where glibc >= 2.39
#   a  tfx 1.16.0, TF 2.16, Python 3.10 or 3.11, elsewhere
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "error: $*" >&2
    exit 1
}

choose_lane() {
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
        fail "TFX has wheels for Linux on x86-64 only; this is $(uname -s) on $(uname -m)." \
            "The library alone runs here too: pip install ."

    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //')
    [ -n "$glibc" ] || fail "TFX's wheels need glibc; this system has another C library." \
        "Use Debian, Ubuntu, Fedora or another glibc system."
    if [ "$(printf '2.39\n%s\n' "$glibc" | sort -V | head -n 1)" = 2.39 ]; then
        lane=b pythons='>=3.11,<3.14' names='3.11, 3.12 or 3.13'
    else
        lane=a pythons='>=3.10,<3.12' names='3.10 or 3.11'
    fi
    venv=.venv ready=$venv/ready-$lane lock=requirements/lane-$lane.lock
    needs="with glibc $glibc the pipeline needs"
    title="lane $lane, glibc $glibc, $(grep '^tfx==' $lock | cut -d' ' -f1)"
}

case ${1:-} in
'') choose_lane ;;
docs)
    venv=.venv-docs ready=$venv/ready lock=requirements/docs.lock
    pythons='>=3.10' names='3.10 or newer' needs='the docs need' title='the docs'
    ;;
*) fail "usage: $0 [docs]" ;;
esac

if [ -x $venv/bin/python ] && cmp -s "$lock" "$ready"; then
    exit 0
fi

# uv of the machine if it is recent enough, else our own.
uv=$(command -v uv || true)
oldest=0.7.0
if [ -z "$uv" ] || [ "$({ echo $oldest; "$uv" --version | cut -d' ' -f2; } | sort -V | head -n 1)" != $oldest ]; then
    uv=.tools/uv/bin/uv
    if [ ! -x "$uv" ]; then
        echo "fetching uv into .tools/uv"
        rm -rf .tools/uv .tools/uv.partial
        PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
            python3 -m pip install --quiet --target .tools/uv.partial uv ||
            fail "python3 -m pip could not install uv. Is pip there (python3 -m pip --version)," \
                "and PyPI within reach?"
        mv .tools/uv.partial .tools/uv
    fi
fi

export UV_PYTHON_DOWNLOADS=never
problem=$(mktemp)
trap 'rm -f "$problem"' EXIT
if ! python=$("$uv" python find --no-project "$pythons" 2>"$problem"); then
    cat "$problem" >&2
    fail "no suitable Python: $needs Python $names, and there is none on PATH" \
        "(python3 is $(python3 --version 2>&1 | cut -d' ' -f2))." \
        "Get one with: $uv python install 3.11 (or your system's packages), then run this again."
fi

echo "$title: $("$python" --version)"
rm -f "$ready"
"$uv" --quiet venv --clear --python "$python" $venv
"$uv" pip sync --quiet --python $venv/bin/python --require-hashes "$lock"
# The docs' pages are made from the checkout; there tf_scl's own requirements are not installed.
[ $venv != .venv ] ||
    "$uv" pip install --quiet --python $venv/bin/python --no-deps --no-build-isolation --editable .
cp "$lock" "$ready.partial"
mv "$ready.partial" "$ready"
