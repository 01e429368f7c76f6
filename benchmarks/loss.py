"""Time and peak memory of the loss with its gradient: sample form, moment form, NT-Xent.

    .venv/bin/python -m benchmarks.loss

Times are medians of interleaved runs in one process, in float32 with mu = 1, as the
recipe has it; ratios are to the moment form of the same row. Peak memory is what a
fresh process held at most beyond its inputs, gradients included. The largest size is
run alone. `--quick` leaves out what takes minutes.
"""

import argparse
import resource
import subprocess
import sys
import threading
import time

import numpy as np

from benchmarks._machine import machine

SEED = 0
SIZES = (256, 1024, 4096, 16384, 65536)
WIDTHS = (128, 1000)
# Around the size where the forms cost the same, which is where "auto" could go wrong.
CROSSING = {128: (96, 128, 160, 192, 224, 320), 1000: (750, 1000, 1250, 1500, 1750, 2000)}
LARGEST = (1_048_576, 1000)
MAX_SQUARE = 16384  # a matrix of N x N above this does not fit
MEMORY_SIZES = ((4096, 128), (16384, 128), (16384, 1000))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", nargs=3, metavar=("FORM", "N", "D"), help="used internally")
    arguments = parser.parse_args()
    if arguments.memory:
        form, n, d = arguments.memory
        _report_memory(form, int(n), int(d))
        return
    print(machine("tensorflow", "keras"), f"seed {SEED}")
    # Memory first: this process then holds none of it.
    _memory_table(MEMORY_SIZES if not arguments.quick else MEMORY_SIZES[:1])
    if not arguments.quick:
        print(_memory("auto", *LARGEST), flush=True)
    _time_table(SIZES if not arguments.quick else SIZES[:3])
    _crossing_table()


def _steps(n, d):
    """form -> a compiled call that returns loss and gradients, on the same inputs."""
    import tensorflow as tf

    from tf_scl.losses import nt_xent, spectral

    rng = np.random.default_rng(SEED)
    views = [tf.constant(_normal(rng, n, d)) for _ in range(2)]

    def spectral_form(form):
        return lambda z1, z2: spectral.spectral_contrastive_loss(z1, z2, mu=1.0, form=form)

    def nt(z1, z2):
        return tf.add_n(list(nt_xent.replica_terms(z1, z2).values()))

    losses = {form: spectral_form(form) for form in ("moment", "auto", "sample")}
    losses["NT-Xent"] = nt

    def step(loss):
        @tf.function
        def run(z1, z2):
            with tf.GradientTape() as tape:
                tape.watch([z1, z2])
                value = loss(z1, z2)
            return value, tape.gradient(value, [z1, z2])

        return lambda: run(*views)

    return {name: step(loss) for name, loss in losses.items()}


def _normal(rng, n, d):
    """float32 [n, d]; norms spread around 1, so that about half of the rows are clipped."""
    z = rng.standard_normal((n, d), np.float32)
    z *= np.float32(d**-0.5)
    return z


def _medians(steps, names, budget=4.0):
    """Median seconds of each, interleaved; as many rounds as fit into the budget, 3 to 31."""
    times = {name: [] for name in names}
    for name in names:
        steps[name]()  # traces
        steps[name]()
    start = time.perf_counter()
    for rounds in range(31):
        for name in names:
            begin = time.perf_counter()
            float(steps[name]()[0])
            times[name].append(time.perf_counter() - begin)
        if rounds >= 2 and time.perf_counter() - start > budget:
            break
    return {name: np.median(values) for name, values in times.items()}


def _time_table(sizes):
    print("\nForward and backward, ms (in brackets: times the moment form)")
    print("| N | d | moment | sample | NT-Xent |\n|---|---|---|---|---|")
    for d in WIDTHS:
        for n in sizes:
            names = ["moment", "sample"] if n <= MAX_SQUARE else ["moment"]
            names += ["NT-Xent"] if n <= MAX_SQUARE // 2 else []
            found = _medians(_steps(n, d), names)
            cells = [f"{1e3 * found['moment']:.2f}"]
            for name in ("sample", "NT-Xent"):
                ratio = found[name] / found["moment"] if name in found else 0
                cells.append(f"{1e3 * found[name]:.2f} ({ratio:.3g})" if ratio else "")
            print(f"| {n} | {d} | {' | '.join(cells)} |", flush=True)


def _crossing_table():
    print("\nThe automatic choice where the forms cost alike: time over that of the better form")
    print("| d | N | sample / moment | auto / better |\n|---|---|---|---|")
    for d, sizes in CROSSING.items():
        for n in sizes:
            found = _medians(_steps(n, d), ["moment", "auto", "sample"], budget=6.0)
            better = min(found["moment"], found["sample"])
            forms, auto = found["sample"] / found["moment"], found["auto"] / better
            print(f"| {d} | {n} | {forms:.2f} | {auto:.2f} |", flush=True)


def _memory_table(sizes):
    print("\nPeak memory beyond the inputs, a fresh process each, and its seconds")
    for n, d in sizes:
        for form in ("moment", "sample", "NT-Xent"):
            if form != "NT-Xent" or n <= 8192:
                print(_memory(form, n, d), flush=True)


def _memory(form, n, d):
    command = [sys.executable, "-m", "benchmarks.loss", "--memory", form, str(n), str(d)]
    found = subprocess.run(command, capture_output=True, text=True)
    lines = found.stdout.splitlines()
    return lines[-1] if not found.returncode else f"{form} {n} x {d}: exit {found.returncode}"


def _report_memory(form, n, d):
    import tensorflow as tf

    small = _steps(64, d)[form]  # loads and traces what any size needs
    small()
    step = _steps(n, d)[form]
    tf.random.normal([1])
    before = _resident()
    peak, stop = [before], threading.Event()

    def watch():
        while not stop.wait(0.0005):
            peak[0] = max(peak[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    value, gradients = step()
    float(value)
    seconds = time.perf_counter() - start
    stop.set()
    watcher.join()
    finite = all(bool(tf.reduce_all(tf.math.is_finite(g[:: max(1, n // 4096)]))) for g in gradients)
    with open("/proc/self/status") as file:
        whole = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 2**20
    print(
        f"{form:8s} N = {n:9,d}, d = {d:4d}: {(peak[0] - before) / 2**20:10.1f} MiB, "
        f"{seconds:.1f} s; loss {float(value):.4f}, gradients finite: {finite}; "
        f"whole process at most {whole:.2f} GiB"
    )


def _resident():
    """Bytes of memory that this process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
