"""What PyTorch's SGD makes of a small projector, stored for tests without PyTorch.

With Python 3.10 or newer, from the repository's root:

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
    /tmp/torch/bin/python tests/tf_scl/optimizers/make_torch_trajectories.py

This writes `torch_trajectories.npz` beside this file, all in float64:

| array                  | meaning                                                       |
|------------------------|---------------------------------------------------------------|
| `versions`             | strings, package and version                                  |
| `rates`                | [10], of each step: a warm-up of 4, then a cosine; they are   |
|                        | numbers that float32 holds too                                |
| `views`                | [10, 2, 12, 5], both views' features of each step             |
| `start/0`, ...         | weights before the first step, in the order of Keras          |
| `NAME/0`, ...          | [10, ...], the same after each step                           |
| `NAME/loss`            | [10], the loss before each step                               |
| `NAME/options`         | [4]: momentum, weight decay, Nesterov's or not, mu            |
| `linear/0`, `linear/1` | [16, 256] and [256], a fresh `nn.Linear` in Keras's order     |

NAME is that of a run, of `_RUNS`. The net is the official code's projector,
Linear-BN-ReLU-Linear-BN from 5 to 8 to 3, and its loss the spectral one.
"""

import math
import pathlib

import numpy as np
import torch
from torch import nn

_STEPS, _WARM_UP, _PEAK = 10, 4, 0.5
# name -> (momentum, weight decay, Nesterov's momentum or not, mu)
_RUNS = {
    "recipe": (0.9, 0.05, False, 1.0),
    "nesterov": (0.9, 0.05, True, 1.0),
    "no decay": (0.8, 0.0, False, 2.0),
    "no momentum": (0.0, 0.05, False, 1.0),
}


def main():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    start = _net().state_dict()
    views = torch.randn(_STEPS, 2, 12, 5)
    arrays = {
        "versions": np.array([f"torch {torch.__version__}"]),
        "rates": np.array([_rate(step) for step in range(_STEPS)]),
        "views": views.numpy(),
        **{f"start/{index}": weight for index, weight in enumerate(_weights(start))},
        **{f"linear/{index}": weight for index, weight in enumerate(_linear(16, 256))},
    }
    for name, options in _RUNS.items():
        trained = _train(start, views, *options)
        arrays.update({f"{name}/{key}": value for key, value in trained.items()})
        arrays[f"{name}/options"] = np.array(options, float)
    np.savez_compressed(pathlib.Path(__file__).parent / "torch_trajectories.npz", **arrays)


def _net():
    return nn.Sequential(
        nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3), nn.BatchNorm1d(3)
    )


def _rate(step):
    if step < _WARM_UP:
        rate = _PEAK * step / _WARM_UP
    else:
        share = (step - _WARM_UP) / (_STEPS - _WARM_UP)
        rate = _PEAK * 0.5 * (1 + math.cos(math.pi * share))
    return float(np.float32(rate))


def _weights(state):
    """Trainable weights in Keras's order and layout: kernel, bias, gamma, beta, ..."""
    names = [name for name in state if name.endswith(("weight", "bias"))]
    return [state[name].numpy().T.copy() for name in names]


def _linear(fan_in, units):
    return _weights(nn.Linear(fan_in, units).state_dict())


def _train(start, views, momentum, decay, nesterov, mu):
    net = _net()
    net.load_state_dict(start)
    sgd = torch.optim.SGD(
        net.parameters(), 0.0, momentum=momentum, weight_decay=decay, nesterov=nesterov
    )
    after, losses = [], []
    for step in range(_STEPS):
        sgd.param_groups[0]["lr"] = _rate(step)
        sgd.zero_grad()
        loss = _loss(*(net(view) for view in views[step]), mu)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
        after.append(_weights(net.state_dict()))
    return {
        "loss": np.array(losses),
        **{str(index): np.stack(steps) for index, steps in enumerate(zip(*after, strict=True))},
    }


def _loss(z1, z2, mu):
    gram = _clipped(z1, mu) @ _clipped(z2, mu).T
    own, n = gram.diagonal(), len(gram)
    repulsion = (gram.square().sum() - own.square().sum()) / (n * (n - 1))
    return (repulsion - 2 * own.mean()) / mu


def _clipped(z, mu):
    shorter = z.norm(dim=1, keepdim=True) < mu**0.5
    return torch.where(shorter, z, nn.functional.normalize(z, dim=1) * mu**0.5)


if __name__ == "__main__":
    main()
