"""What PyTorch's autograd makes of the spectral loss with mu, stored for tests without PyTorch.

With Python 3.10 or newer, from the repository's root:

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch numpy
    /tmp/torch/bin/python tests/tf_scl/losses/make_torch_spectral.py

This writes `torch_spectral.npz` beside this file, all in float64:

| array        | meaning                                                               |
|--------------|-----------------------------------------------------------------------|
| `versions`   | strings, package and version                                          |
| `mu`         | scalar, 25                                                            |
| `z1`, `z2`   | [5, 2], two rows of each of norm 5 exactly, others shorter and longer |
| `loss`       | scalar                                                                |
| `dz1`, `dz2` | [5, 2], its gradient                                                  |

A row whose norm is not below sqrt(mu) goes through `torch.nn.functional.normalize`,
as in the official code.
"""

import pathlib

import numpy as np
import torch

_MU = 25.0
_Z1 = [[3.0, 4.0], [0.3, -0.4], [6.0, 8.0], [0.0, -5.0], [1.0, 2.0]]
_Z2 = [[4.0, -3.0], [5.0, 0.0], [-2.0, 1.0], [7.0, 1.0], [0.5, 0.25]]


def main():
    z1, z2 = (torch.tensor(z, dtype=torch.float64, requires_grad=True) for z in (_Z1, _Z2))
    loss = _loss(z1, z2)
    loss.backward()
    np.savez_compressed(
        pathlib.Path(__file__).parent / "torch_spectral.npz",
        versions=np.array([f"torch {torch.__version__}"]),
        mu=_MU,
        z1=z1.detach(),
        z2=z2.detach(),
        loss=loss.detach(),
        dz1=z1.grad,
        dz2=z2.grad,
    )


def _loss(z1, z2):
    gram = _clipped(z1) @ _clipped(z2).T
    own, n = gram.diagonal(), len(gram)
    repulsion = (gram.square().sum() - own.square().sum()) / (n * (n - 1))
    return (repulsion - 2 * own.mean()) / _MU


def _clipped(z):
    shorter = z.norm(dim=1, keepdim=True) < _MU**0.5
    return torch.where(shorter, z, torch.nn.functional.normalize(z, dim=1) * _MU**0.5)


if __name__ == "__main__":
    main()
