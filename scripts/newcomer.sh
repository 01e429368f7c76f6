#!/usr/bin/env bash
# Clones this checkout's HEAD into an empty folder and does what a newcomer would: the
# main job, the same again, one setting and one line of code changed, mistakes, and the
# pushed model in an environment that holds tensorflow and numpy only.
# Usage: scripts/newcomer.sh FOLDER
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
work=$1
mkdir -p "$work"
unset PYTHONPATH VIRTUAL_ENV
export TF_CPP_MIN_LOG_LEVEL=3

step() { printf '\n##### %s\n' "$*"; }

expect() { # expect TEXT FILE: the text stands in the file
    grep -qF -- "$1" "$2" || {
        echo "FAILED: expected '$1' in:"
        tail -n 40 "$2"
        exit 1
    }
}

refused() { # refused TEXT COMMAND...: the command fails with one line that holds the text
    local text=$1
    shift
    if "$@" >"$work/out" 2>"$work/err"; then
        echo "FAILED: should have been refused: $*"
        exit 1
    fi
    expect "$text" "$work/err"
    if grep -q Traceback "$work/out" "$work/err"; then
        echo "FAILED: a traceback from: $*"
        exit 1
    fi
    grep '^error:' "$work/err"
}

step "a fresh clone, and its environment"
git clone --quiet "$here" "$work/tf_scl"
cd "$work/tf_scl"
make env

step "make run (limit: 8 minutes)"
timeout 480 make run 2>&1 | tee "$work/first" | grep -v '^Epoch\|step'
expect 'ran         ImageExampleGen, StatisticsGen, SchemaGen, ExampleValidator, Trainer' "$work/first"
expect 'blessed and pushed: ' "$work/first"

step "its report, drawn again from its numbers; views; the same graph for Kubeflow"
.venv/bin/tf-scl report runs/digits --out "$work/report.html"
cmp "$work/report.html" runs/digits/pipeline/RepresentationEvaluator/evaluation/*/report.html
.venv/bin/tf-scl views runs/digits/images --preset digits --out "$work/views.png"
.venv/bin/python -m pipeline.kubeflow_runner --data /data --root /root --image an/image \
    --output "$work/pipeline.yaml"

step "make run again: nothing to do"
make run >"$work/second" 2>&1
expect 'cached      ImageExampleGen, StatisticsGen, SchemaGen, ExampleValidator, Trainer, RepresentationEvaluator, Pusher' "$work/second"

step "one training setting changed"
make run ARGS='--train.epochs 1' >"$work/setting" 2>&1
expect 'cached      ImageExampleGen, StatisticsGen, SchemaGen, ExampleValidator' "$work/setting"
expect 'ran         Trainer, RepresentationEvaluator, Pusher' "$work/setting"

step "one line of tf_scl changed"
echo '_A_LINE = "of code"' >>tf_scl/losses/spectral.py
make run ARGS='--train.epochs 1' >"$work/code" 2>&1
git checkout --quiet tf_scl/losses/spectral.py
expect 'cached      ImageExampleGen, StatisticsGen, SchemaGen, ExampleValidator' "$work/code"
expect 'ran         Trainer, RepresentationEvaluator, Pusher' "$work/code"

step "mistakes"
mkdir "$work/empty" "$work/two"
cp runs/digits/images/0/0000.png runs/digits/images/1/0001.png "$work/two"
refused "does not exist" make run DATA="$work/no such folder"
refused "holds 0 files" make run DATA="$work/empty"
refused "holds 2 images" make run DATA="$work/two"
refused "must be at least 1" make run ARGS='--train.epochs 0'
refused "cannot write to the output folder" make run OUT=/proc/tf_scl
refused "no preset" make run PRESET=mnist
refused "unknown scheme" make run DATA=csv:images
refused "holds no report.json" .venv/bin/tf-scl report "$work/empty"

step "the pushed model, with tensorflow and numpy only"
version=$(ls runs/digits/serving | sort -n | head -n 1)
uv=$(command -v uv || echo .tools/uv/bin/uv)
tensorflow=$(.venv/bin/python -c 'import importlib.metadata as m; print(m.version("tensorflow"))')
"$uv" venv --quiet --python .venv/bin/python "$work/bare"
"$uv" pip install --quiet --python "$work/bare/bin/python" "tensorflow==$tensorflow" 'numpy<2.5'
run=$(ls runs/digits/pipeline/Trainer/model_run | sort -n | head -n 1)
PYTHONPATH=. .venv/bin/python scripts/check_pushed.py write \
    "runs/digits/pipeline/Trainer/model_run/$run/encoder.keras" "$work/images.json"
(cd "$work" && bare/bin/python "$work/tf_scl/scripts/check_pushed.py" read \
    "$work/tf_scl/runs/digits/serving/$version" "$work/images.json")

step "all newcomer checks passed"
