"""tf_scl: spectral contrastive pretraining, from raw images to a served encoder.

The loss is that of HaoChen, Wei, Gaidon and Ma, "Provable Guarantees for
Self-Supervised Deep Learning with Spectral Contrastive Loss" (NeurIPS 2021,
arXiv 2106.04156).

Importing the package is cheap: a name is loaded when it is first used, so a
Beam worker that only ingests images never loads Keras, and a training script
never loads Beam or TFX.
"""

from typing import Any

import lazy_loader

__version__ = "0.1.0"

_load, _, _names = lazy_loader.attach_stub(__name__, __file__)  # __init__.pyi
__all__ = ["__version__", *sorted(_names)]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'tf_scl' has no attribute {name!r}; it has {__all__}")
    return _load(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
