"""Contenders that take turns: each a process of its own, one at work while the others sleep."""

import json
import os
import subprocess
import sys
import time

TORCH = "2.13.0"
TORCH_PYTHON = ".tools/torch/bin/python"


def install_torch():
    """Makes an environment with PyTorch in .tools/torch, by pip, or finds it ready."""
    check = f"import torch; assert torch.__version__.startswith('{TORCH}')"
    if os.path.exists(TORCH_PYTHON):
        if subprocess.run([TORCH_PYTHON, "-c", check], stderr=subprocess.DEVNULL).returncode == 0:
            return
    print(f"installing PyTorch {TORCH} into .tools/torch", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", ".tools/torch"], check=True)
    # pip takes the build without CUDA, 2.13.0+cpu, from wherever it can reach it.
    subprocess.run(
        [TORCH_PYTHON, "-m", "pip", "install", "--quiet", f"torch=={TORCH}", "numpy"]
        + ["--extra-index-url", "https://download.pytorch.org/whl/cpu", "--retries", "1"],
        check=True,
    )


def start(module, *arguments, torch=False):
    """Starts `python -m module --worker arguments...`, which calls `answer`."""
    return subprocess.Popen(
        [TORCH_PYTHON if torch else sys.executable, "-m", module, "--worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        text=True,
    )


def ask(worker, steps):
    """Has a worker do some steps: {"seconds": of them all, "result": of the last}."""
    print(steps, file=worker.stdin, flush=True)
    line = worker.stdout.readline()
    if not line:
        sys.exit(f"{' '.join(worker.args)} ended without an answer")
    return json.loads(line)


def stop(workers):
    """Ends workers."""
    for worker in workers:
        worker.stdin.close()
        worker.wait()


def answer(make_step):
    """Answers requests for steps until its input is closed.

    Args:
        make_step: Called once, for a function that does one step and returns
            a number.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    step = make_step()
    for request in sys.stdin:
        begin = time.perf_counter()
        for _ in range(int(request)):
            result = step()
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "result": result}), file=answers, flush=True)
