"""Any image data set of tensorflow-datasets, with its files as they are.

The only module that needs tensorflow-datasets (`pip install tf_scl[tfds]`), and
imports it when a data set is opened.
"""

import contextlib
import functools
import hashlib
import os
import socket
import types
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_scl.data.sources.source import (
    Item,
    Source,
    Unit,
    complete,
    make_item,
    one_line,
    require_items,
)
from tf_scl.data.sources.text_labels import Seen, TextLabels, labels_of_units
from tf_scl.errors import InputError

_EXAMPLES_PER_UNIT = 1000


class TfdsSource(Source):
    """`tfds:NAME[/CONFIG][:VERSION]?split=train&data_dir=DIR&image=image&label=label`.

    A data set that is not in DIR yet (by default that of tensorflow-datasets)
    is downloaded and prepared. `split` is anything in its language, such as
    `train+test[:10%]`. Images stay the JPEG or PNG that they are; a feature
    of uint8 pixels is taken too. If the label is text, the classes are all
    texts, sorted; to list them, the examples are read. Items are named
    SPLIT:INDEX.
    """

    OPTIONS = ("split", "data_dir", "image", "label")

    def __init__(self, name: str, location: str, options: Mapping[str, str]) -> None:
        """See `Source`."""
        super().__init__(name, location, options)
        self._split = options.get("split", "train")
        self._image = options.get("image", "image")
        self._label = options.get("label", "label")

    def units(self) -> list[Unit]:
        """Runs of at most 1000 examples; see `Source.units`."""
        self._decoders()
        ranges, sizes = [], []
        for split, first, last in self._ranges():
            info = self._builder.info.splits[split]
            for start in range(first, last, _EXAMPLES_PER_UNIT):
                stop = min(start + _EXAMPLES_PER_UNIT, last)
                size = info.num_bytes * (stop - start) // info.num_examples
                ranges.append((split, start, stop))
                sizes.append(size)
        units = [
            Unit((*place, labels), place[2] - place[1], size)
            for place, labels, size in zip(ranges, self._text_labels(ranges), sizes, strict=True)
        ]
        return require_items(units, self.name)

    def read(self, unit: Unit, max_bytes: int) -> Iterator[Item]:
        """See `Source.read`; examples after a damaged one cannot be read."""
        split, start, _, _ = unit.locator

        def name_of(index: int) -> bytes:
            return b"%s:%d" % (split.encode(), start + index)

        items = self._items(unit, name_of, max_bytes)
        return complete(unit, items, name_of, (tf.errors.OpError,))

    def fingerprint(self) -> str:
        """Of the version and the split; see `Source.fingerprint`."""
        info = self._builder.info
        parts = [info.full_name]
        for split, first, last in self._ranges():
            parts.append((split, first, last, info.splits[split].shard_lengths))
            parts.append(info.splits[split].num_bytes)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @functools.cached_property
    def _builder(self) -> Any:
        """The builder, its data prepared."""
        tfds = _import_tfds(self.name)
        folder = self._options.get("data_dir")
        try:
            builder = tfds.builder(self._location, data_dir=folder and os.path.expanduser(folder))
        except Exception as error:  # of a name, a configuration, a version: all types
            raise InputError(
                f"{self.name!r}: tensorflow-datasets cannot open {self._location!r}: "
                f"{one_line(error)}; its data sets are listed by "
                "tensorflow_datasets.list_builders()"
            ) from error
        if not builder.is_prepared():
            self._prepare(builder)
        if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
            raise InputError(
                f"{self.name!r} is stored as array_record files, which TensorFlow does not read; "
                f"prepare it again (tfds build {self._location} --file_format=tfrecord)"
            )
        return builder

    def _prepare(self, builder: Any) -> None:
        try:
            _look_up_hosts(builder)
            builder.download_and_prepare()
        except Exception as error:  # each data set has code of its own
            raise InputError(
                f"'tfds:{self._location}' is not in {os.fspath(builder.data_dir_root)!r} and "
                f"cannot be prepared ({type(error).__name__}: {one_line(error)}). This needs the "
                "internet, and for some data sets files fetched by hand. Prepare it on a machine "
                f"with internet (tfds build {self._location}), copy the folder, and give "
                "?data_dir=FOLDER"
            ) from error

    def _ranges(self) -> list[tuple[str, int, int]]:
        """List of (split, first, end), the examples that the user's split means."""
        splits = self._builder.info.splits
        try:
            split = _import_tfds(self.name).core.ReadInstruction.from_spec(self._split)
            absolute = split.to_absolute(splits)
        except (ValueError, NotImplementedError) as error:
            raise InputError(
                f"{self.name!r}: split {self._split!r} cannot be used: {one_line(error)}; the "
                f"data set has {sorted(splits)}, and parts of them, such as "
                f"'{min(splits)}[:10%]'"
            ) from error
        return [
            (part.splitname, part.from_ or 0, splits[part.splitname].num_examples)
            if part.to is None
            else (part.splitname, part.from_ or 0, part.to)
            for part in absolute
        ]

    def _items(self, unit: Unit, name_of: Callable[[int], bytes], max_bytes: int) -> Iterator[Item]:
        *place, labels = unit.locator
        features = dict(self._builder.info.features.items())
        names = getattr(features.get(self._label), "names", None)
        labels = None if labels is None else dict(labels)
        for index, example in enumerate(self._examples(place, self._decoders())):
            label, class_name = _label(example.get(self._label), names, labels)
            yield make_item(name_of(index), example[self._image], label, class_name, max_bytes)

    def _examples(self, place: Sequence[Any], decoders: Any) -> Iterator[dict[str, Any]]:
        """The examples of (split, start, stop), as numpy."""
        tfds, (split, start, stop) = _import_tfds(self.name), place
        return self._builder.as_dataset(
            split=tfds.core.ReadInstruction(split, from_=start, to=stop, unit="abs"),
            decoders=decoders,
            # One file after the other, so that the n-th example is number n.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        ).as_numpy_iterator()

    def _text_labels(self, ranges: list[tuple[str, int, int]]) -> list[TextLabels | None]:
        """`labels_of_units`, each a (split, start, stop)."""
        tfds = _import_tfds(self.name)
        label = dict(self._builder.info.features.items()).get(self._label)
        if not (isinstance(label, tfds.features.Tensor) and label.shape == () and _is_text(label)):
            return [None] * len(ranges)
        seen = []
        for place in ranges:
            texts = set()
            with contextlib.suppress(tf.errors.OpError):  # damage is reported when it is read
                for example in self._examples(place, tfds.decode.PartialDecoding({self._label})):
                    texts.add(example[self._label])
            seen.append(Seen(False, frozenset(filter(None, texts))))
        return labels_of_units(seen)

    def _decoders(self) -> Any:
        """What of an example is read, and that images stay encoded.

        Raises:
            InputError: A feature that is not there or not of the right kind.
        """
        tfds, features = _import_tfds(self.name), dict(self._builder.info.features.items())
        image: Any = features.get(self._image)
        label: Any = features.get(self._label)
        # An Image of float32 is a PNG of its bits, which no one else can read.
        encoded = isinstance(image, tfds.features.Image) and _kind(image) in ("uint8", "uint16")
        pixels = isinstance(image, tfds.features.Tensor) and _kind(image) == "uint8"
        if not (encoded or pixels and _is_image_shape(image.shape)):
            self._refuse("image", self._image, "an Image, or uint8 pixels")
        labeled = isinstance(label, tfds.features.Tensor) and label.shape == ()
        labeled = labeled and ("int" in _kind(label) or _is_text(label))
        if not labeled and "label" in self._options:
            self._refuse("label", self._label, "a ClassLabel, one whole number, or one text")
        return tfds.decode.PartialDecoding(
            {self._image, self._label} if labeled else {self._image},
            {self._image: tfds.decode.SkipDecoding()} if encoded else None,
        )

    def _refuse(self, option: str, value: str, kind: str) -> None:
        features = self._builder.info.features
        held = {name: type(feature).__name__ for name, feature in sorted(features.items())}
        raise InputError(
            f"{self.name!r}: {option}={value} must be {kind}; the data set has {held}; "
            f"say which with ?{option}=NAME"
        )


def _import_tfds(name: str) -> types.ModuleType:
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise InputError(
            f"{name!r} needs tensorflow-datasets, which cannot be imported ({one_line(error)}): "
            "pip install tf_scl[tfds]"
        ) from error
    return tensorflow_datasets


def _label(
    value: Any, names: Sequence[str] | None, labels: Mapping[bytes, int] | None
) -> tuple[int | None, bytes | None]:
    """(Label, class name) of an example's label, which may be a text or not there."""
    if value is None:
        return None, None
    if labels is not None:
        return labels.get(value), value
    label = -1 if isinstance(value, bytes) else int(value)
    return label, names[label].encode() if names and label >= 0 else None


def _is_text(feature: Any) -> bool:
    return np.dtype(feature.np_dtype).kind in "OSU"


def _kind(feature: Any) -> str:
    return np.dtype(feature.np_dtype).name


def _is_image_shape(shape: Sequence[int | None]) -> bool:
    return len(shape) == 2 or len(shape) == 3 and shape[2] in (1, 3)


def _look_up_hosts(builder: Any) -> None:
    """Fails at once without internet, where a download tries again for minutes."""
    if urllib.request.getproxies() or builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        return  # proxies look up names themselves; files put there by hand need none
    for host in {urllib.parse.urlsplit(url).hostname for url in builder.url_infos or ()}:
        socket.getaddrinfo(host, None)
