"""Methods by name, for settings. A new one is an entry here and a file of its own.

Imports no class before it is asked for, see `tf_scl/registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tf_scl import registry
from tf_scl.errors import InputError

if TYPE_CHECKING:
    import keras

    from tf_scl.config import Config
    from tf_scl.models.two_view_model import TwoViewModel


def _spectral() -> type[TwoViewModel]:
    from tf_scl.models.spectral_contrastive import SpectralContrastive

    return SpectralContrastive


def _simclr() -> type[TwoViewModel]:
    from tf_scl.models.simclr import SimCLR

    return SimCLR


def _simsiam() -> type[TwoViewModel]:
    from tf_scl.models.simsiam import SimSiam

    return SimSiam


# name -> what gives its class
METHODS: dict[str, Callable[[], type[TwoViewModel]]] = {
    "spectral": _spectral,
    "simclr": _simclr,
    "simsiam": _simsiam,
}


def method_class(name: str) -> type[TwoViewModel]:
    """The class of a method.

    Args:
        name: One of `METHODS`, or "module:Class" for a subclass of `tf_scl.TwoViewModel`
            from elsewhere.

    Raises:
        InputError: There is no such class, or it is no two-view model.
    """
    from tf_scl.models.two_view_model import TwoViewModel

    if name in METHODS:
        return METHODS[name]()
    found = registry.load(name, "model.method")
    if not (isinstance(found, type) and issubclass(found, TwoViewModel)):
        raise InputError(
            f"model.method is {name!r}, which is {found!r}; it must be a subclass of "
            "tf_scl.TwoViewModel"
        )
    return found


def build_method(
    config: Config,
    encoder: keras.layers.Layer,
    projector: keras.layers.Layer,
    augmentation: keras.layers.Layer | None,
) -> TwoViewModel:
    """The two-view model of `config.model.method`, around the given parts.

    Args:
        config: `tf_scl.Config`.
        encoder, projector, augmentation: As in `TwoViewModel`.

    Returns:
        `TwoViewModel`, not compiled.

    Raises:
        InputError: As `method_class`.
    """
    method = method_class(config.model.method)
    return method(
        encoder,
        projector,
        augmentation,
        config.train.accumulate,
        backbone_rate=config.model.backbone_rate,
        **method.own_arguments(config),
    )
