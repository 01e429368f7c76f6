"""Speed of a pretraining step, ours against the official recipe in PyTorch.

    .venv/bin/python -m benchmarks.train_step --rounds 10

One step is the CIFAR-10 recipe's without augmentation: ResNet-18 on two 32 x 32
views of each image, projector 512-2048-1000, spectral contrastive loss with
mu = 1, SGD with momentum 0.9 and L2 penalty 5e-4. Every configuration is a
process of its own with two threads, all on the same images; they take turns,
one at work while the others sleep, and ratios are those of the same round.

PyTorch comes into .tools/torch, by pip, on the first run. Its default is eager
float32; its best is the fastest of its other configurations at one precision:
channels_last, flushed denormals, fused SGD, with and without torch.compile
(which needs g++).
"""

import argparse
import math
import os
import shutil
import statistics
import sys
import time

import numpy as np

from benchmarks import _turns as turns
from benchmarks._machine import machine

SEED = 0
THREADS = 2
LEARNING_RATE, MOMENTUM, L2, MU = 0.03 * 64 / 256, 0.9, 5e-4, 1.0
DEFAULT = "PyTorch default: eager float32"
# name -> (precision, framework, its options)
CONFIGURATIONS = {
    "tf_scl float32": ("float32", "tf_scl", {}),
    "tf_scl mixed_bfloat16": ("bfloat16", "tf_scl", {}),
    DEFAULT: ("float32", "torch", {"default": True}),
    "PyTorch channels_last float32": ("float32", "torch", {}),
    "PyTorch channels_last float32 compiled": ("float32", "torch", {"compiled": True}),
    "PyTorch channels_last bfloat16": ("bfloat16", "torch", {}),
    "PyTorch channels_last bfloat16 compiled": ("bfloat16", "torch", {"compiled": True}),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2, help="steps of each turn")
    parser.add_argument("--batch", type=int, default=64, help="image pairs")
    parser.add_argument("--precision", choices=["float32", "bfloat16", "both"], default="both")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        name, batch = args.worker
        turns.answer(lambda: _make_step(name, int(batch)))
    else:
        _compare(args)


def _compare(args):
    if shutil.which("g++") is None:
        sys.exit("torch.compile needs g++: install it (Debian: apt-get install g++)")
    turns.install_torch()
    names = [
        name
        for name, (precision, _, _) in CONFIGURATIONS.items()
        if args.precision in (precision, "both") or name == DEFAULT
    ]
    print(f"{machine('tensorflow', 'keras')}; torch {turns.TORCH}")
    print(f"seed {SEED}, {THREADS} threads, {args.batch} pairs, load {os.getloadavg()}", flush=True)
    workers, seconds = {}, {}
    for name in names:
        start = time.time()
        torch = CONFIGURATIONS[name][1] == "torch"
        workers[name] = turns.start("benchmarks.train_step", name, str(args.batch), torch=torch)
        seconds[name] = []
        turns.ask(workers[name], 3)  # tracing, compiling, allocating
        print(f"{name}: ready in {time.time() - start:.0f} s", flush=True)
    for _ in range(args.rounds):
        for name in list(seconds):
            answer = turns.ask(workers[name], args.steps)
            if math.isfinite(answer["result"]):
                seconds[name].append(answer["seconds"] / args.steps)
            else:
                print(f"{name} is out: its loss is {answer['result']}")
                del seconds[name]
    turns.stop(workers.values())
    _print_table(seconds, 2 * args.batch)
    print(f"\nload at the end {os.getloadavg()}")


def _print_table(seconds, views):
    print("\n| step | median s | min | max | views/s | speed / default | speed / PyTorch's best |")
    print("|---" * 7 + "|")
    for name, times in seconds.items():
        precision, framework, _ = CONFIGURATIONS[name]
        rivals = [
            rival
            for rival in seconds
            if CONFIGURATIONS[rival][:2] == (precision, "torch") and rival != DEFAULT
        ]
        best = min(rivals, key=lambda rival: statistics.median(seconds[rival]), default=None)
        ratios = [_ratio(seconds, DEFAULT, name), _ratio(seconds, best, name)]
        median = statistics.median(times)
        cells = [f"{median:.3f}", f"{min(times):.3f}", f"{max(times):.3f}", f"{views / median:.0f}"]
        mark = " (best)" if name == best else ""
        print(f"| {name}{mark} | {' | '.join(cells + ratios)} |")


def _ratio(seconds, rival, name):
    if rival not in seconds:
        return "-"
    pairs = zip(seconds[rival], seconds[name], strict=True)
    return f"{statistics.median(theirs / ours for theirs, ours in pairs):.2f}"


def _make_step(name, batch):
    precision, framework, options = CONFIGURATIONS[name]
    views = np.random.default_rng(SEED).integers(0, 256, (2, batch, 32, 32, 3))
    make_step = {"tf_scl": _our_step, "torch": _torch_step}[framework]
    return make_step(views.astype(np.float32), precision, **options)


def _our_step(views, precision):
    import keras
    import tensorflow as tf

    import tf_scl

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    keras.utils.set_random_seed(SEED)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else precision)
    model = tf_scl.SpectralContrastive(
        tf_scl.resnet(18), tf_scl.projection_head(1000, (2048,)), mu=MU
    )
    model.compile(tf_scl.L2SGD(LEARNING_RATE, momentum=MOMENTUM, l2=L2))
    pair = tuple(tf.constant(view) for view in views)
    return lambda: float(model.train_on_batch(pair, return_dict=True)["loss"])


def _torch_step(views, precision, default=False, compiled=False):
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    layout = torch.contiguous_format if default else torch.channels_last
    network = _torch_network().to(memory_format=layout).train()
    pair = [
        torch.from_numpy(view).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        for view in views
    ]
    optimizer = torch.optim.SGD(
        network.parameters(),
        LEARNING_RATE,
        momentum=MOMENTUM,
        weight_decay=L2,
        fused=None if default else True,
    )

    def forward(view1, view2):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            z1, z2 = network(view1), network(view2)
        return _torch_loss(z1.float(), z2.float())

    if compiled:
        forward = torch.compile(forward)

    def step():
        optimizer.zero_grad()
        loss = forward(*pair)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _torch_loss(z1, z2):
    """The loss from the N x N inner products, as the official code forms it."""
    import torch

    z1, z2 = (z * (MU**0.5 / z.norm(dim=1, keepdim=True)).clamp(max=1.0) for z in (z1, z2))
    n = len(z1)
    attraction = -2 * (z1 * z2).sum(1).mean()
    others = 1 - torch.eye(n, device=z1.device)
    repulsion = ((z1 @ z2.T).square() * others).sum() / (n * (n - 1))
    return (attraction + repulsion) / MU


def _torch_network():
    """Images [N, 3, 32, 32], values 0..255, to embeddings [N, 1000]."""
    import torch
    from torch import nn

    def conv_bn(inputs, outputs, kernel, stride=1):
        return [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        ]

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.residual = nn.Sequential(
                *conv_bn(inputs, outputs, 3, stride),
                nn.ReLU(inplace=True),
                *conv_bn(outputs, outputs, 3),
            )
            changed = stride != 1 or inputs != outputs
            self.shortcut = nn.Sequential(*(conv_bn(inputs, outputs, 1, stride) if changed else ()))

        def forward(self, x):
            return nn.functional.relu(self.residual(x) + self.shortcut(x), inplace=True)

    class Standardize(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1))
            self.register_buffer("std", torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1))

        def forward(self, x):
            return (x - self.mean) / self.std

    layers = [Standardize(), *conv_bn(3, 64, 3), nn.ReLU(inplace=True)]
    inputs = 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
        inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Linear(512, 2048), nn.BatchNorm1d(2048), nn.ReLU(inplace=True)]
    layers += [nn.Linear(2048, 1000), nn.BatchNorm1d(1000)]
    return nn.Sequential(*layers)


if __name__ == "__main__":
    main()
