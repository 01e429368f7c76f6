"""Driver of ImageExampleGen: tells TFX's cache when the folder has changed."""

from tfx.components.example_gen import driver, input_processor

from tf_scl.data import image_folder


class ImageFolderDriver(driver.FileBasedDriver):
    """Fingerprints names, sizes and times of all files.

    TFX's own fingerprint leaves the names out, so a file moved from one class
    folder to another would go unseen.
    """

    def get_input_processor(self, splits, range_config=None, input_base_uri=None):
        return _ImageFolderProcessor(input_base_uri, splits, range_config)


class _ImageFolderProcessor(input_processor.FileBasedInputProcessor):
    def resolve_span_and_version(self):
        self._fingerprint = image_folder.fingerprint(image_folder.list_images(self._input_base_uri))
        return 0, None
