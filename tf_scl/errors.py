"""The one exception a user is meant to read, and what others say in short."""

import re
from typing import Any


class InputError(ValueError):
    """Something the user gave (a folder, a file, a setting) cannot be used.

    The message names the value, the place it came from and what to do about
    it, so a command line can print it alone, without a traceback. Settings stand in it by
    their names, such as `train.epochs`; of which flags they are the command line says.

    Attributes:
        setting: Str, such as "train.epochs", or the name of another argument, such as "out",
            where it is what was given there that cannot be used; or None.
    """

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.setting)


def file_reason(error: BaseException) -> str:
    """Why a file could not be used: what an OSError or a tf.errors.OpError says, without its path.

    Args:
        error: Exception.
    """
    return getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)


def first_sentence(error: BaseException, otherwise: str | None = None) -> str:
    """What a library's exception says, in a sentence of at most 300 characters.

    Without colors, and without the line in which Keras says where it was raised.

    Args:
        error: Exception.
        otherwise: Str where it says nothing; its type by default.
    """
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    lines = [line.strip() for line in re.sub(r"\x1b\[\d+m", "", text).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception encountered when")]
    return (said or [otherwise or type(error).__name__])[0].split(". ")[0][:300].rstrip(".")
