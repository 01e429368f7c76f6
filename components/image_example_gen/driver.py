"""Driver of ImageExampleGen: tells TFX's cache when the images have changed."""

from typing import Any

from tfx.components.example_gen import driver, input_processor

from tf_scl.data.sources.open_source import open_source


class SourceDriver(driver.FileBasedDriver):
    """Fingerprints the source: of a folder the names, sizes and times of all files.

    TFX's own fingerprint leaves the names out, so a file moved from one class
    folder to another would go unseen.
    """

    def get_input_processor(
        self, splits: Any, range_config: Any = None, input_base_uri: str | None = None
    ) -> "SourceProcessor":
        return SourceProcessor(input_base_uri, splits, range_config)


class SourceProcessor(input_processor.FileBasedInputProcessor):
    """The fingerprint of a source, as TFX asks for it."""

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        self._fingerprint = open_source(self._input_base_uri).fingerprint()
        return 0, None
