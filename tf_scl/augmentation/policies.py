"""The augmentation policies of the papers, by name."""

import dataclasses
from typing import TypeAlias

from tf_scl.config import AugmentConfig
from tf_scl.errors import InputError

# Up to this side the official code leaves the blur out.
_SMALL = 32

Views: TypeAlias = dict[str, float | tuple[float, ...]]  # arguments of `TwoViews`

_SPECTRAL: Views = {**dataclasses.asdict(AugmentConfig()), "blur": 0.5}
POLICIES: dict[str, Views] = {
    # HaoChen et al. 2021 (the official code) and SimSiam (Chen and He 2021, section 3).
    "spectral": _SPECTRAL,
    # Chen et al. 2020, arXiv 2002.05709, appendix A: color strength 1.
    "simclr": {
        **_SPECTRAL,
        "crop_scale": (0.08, 1.0),
        "brightness": 0.8,
        "contrast": 0.8,
        "saturation": 0.8,
        "hue": 0.2,
    },
}
# SimCLR's appendix B.9, for CIFAR-10: color strength 0.5.
_SIMCLR_SMALL: Views = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def policy(name: str, size: int) -> Views:
    """Arguments of `TwoViews`, other than its size and seed.

    Args:
        name: "spectral" (SimSiam's too) or "simclr".
        size: Int, side of the views in pixels: up to 32 there is no blur, and
            SimCLR's colors are changed half as strongly.

    Returns:
        Dict.

    Raises:
        InputError: Another name.
    """
    if name not in POLICIES:
        raise InputError(f"no augmentation policy {name!r}; there are {sorted(POLICIES)}")
    small: Views = {}
    if size <= _SMALL:
        small = {"blur": 0.0, **(_SIMCLR_SMALL if name == "simclr" else {})}
    return {**POLICIES[name], **small}
