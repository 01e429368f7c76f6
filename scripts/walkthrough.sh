#!/usr/bin/env bash
# Runs every command of docs/tutorials/walkthrough.md, in a fresh clone of this checkout's HEAD.
# Usage: scripts/walkthrough.sh FOLDER
#
# Where tensorflow_model_server is not on PATH, TensorFlow's own loader stands in for it,
# behind the same ports.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
work=$1
mkdir -p "$work/bin"
export TF_CPP_MIN_LOG_LEVEL=3
git clone --quiet "$here" "$work/tf_scl"
cd "$work/tf_scl"
if ! command -v tensorflow_model_server >/dev/null; then
    echo "no tensorflow_model_server on PATH: TensorFlow's loader stands in for it"
    printf '#!/bin/sh\nexec %q -m tests.model_server_ports "$@"\n' "$PWD/.venv/bin/python" \
        >"$work/bin/tensorflow_model_server"
    chmod +x "$work/bin/tensorflow_model_server"
    PATH=$PATH:$work/bin
fi
sed -n '/^```sh$/,/^```$/{/^```/!p}' docs/tutorials/walkthrough.md >"$work/commands.sh"
[ -s "$work/commands.sh" ]
PS4='
$ ' bash -euxo pipefail "$work/commands.sh"
printf '\nthe walk-through ran to its end\n'
