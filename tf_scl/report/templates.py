"""The environment of all pages: Jinja2 with autoescape, and what pages call."""

from typing import Any

from tf_scl.errors import InputError
from tf_scl.report import formats


def environment() -> Any:
    """A `jinja2.Environment` of the templates in this folder.

    Raises:
        InputError: Jinja2 is missing.
    """
    try:
        import jinja2
        import markupsafe
    except ImportError as error:
        raise not_installed(error) from error

    def finalize(value: Any) -> Any:
        return value if isinstance(value, markupsafe.Markup) else formats.clean(value)

    return jinja2.Environment(
        loader=jinja2.PackageLoader("tf_scl.report", "."),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def not_installed(error: ImportError) -> InputError:
    """What is to be installed for a page."""
    return InputError(
        f"a report needs Jinja2 and matplotlib, which cannot be imported ({error}): "
        "pip install 'tf_scl[report]'"
    )
