"""An index over embeddings: which are nearest to one, by the cosine.

Up to 100,000 vectors are compared one by one, exactly. More are parted into cells around centers
(FAISS's inverted file), and only the cells nearest to a query are looked at: as many as it takes
to find 99 % of the ten nearest neighbors of a sample of the vectors themselves.
"""

import dataclasses
import json
import os
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_scl import validation
from tf_scl.dataclass_json import dumps, read_json
from tf_scl.embedding.served_model import ServedModel
from tf_scl.errors import InputError, file_reason
from tf_scl.files import atomic_write, require_new
from tf_scl.search.collection import EmbeddedCollection
from tf_scl.typing import PathLike
from tf_scl.unit_rows import unit_rows

EXACT_UP_TO = 100_000
RECALL = 0.99
_NEIGHBORS = 10
_SAMPLE = 500  # vectors that the recall is measured with
_INDEX_FILE, _IDS_FILE, _FACTS_FILE = "index.faiss", "ids.json", "index.json"


@dataclasses.dataclass(frozen=True)
class IndexFacts:
    """What is noted of an index.

    Attributes:
        images: Number of vectors.
        dimension: Of each.
        model: Path of the SavedModel that made them.
        fingerprint: Hex digest of that model (`ServedModel.fingerprint`).
        cells: Number of cells; 0 where all vectors are compared.
        probes: How many cells are looked at for a query.
        recall: Share of the ten nearest neighbors that are found, measured; 1 where exact.
    """

    images: int
    dimension: int
    model: str
    fingerprint: str
    cells: int
    probes: int
    recall: float


class SearchIndex:
    """Vectors that can be searched.

    Attributes:
        ids: N names.
        facts: `IndexFacts`.
    """

    def __init__(self, index: Any, ids: list[str], facts: IndexFacts) -> None:
        self._index, self.ids, self.facts = index, ids, facts

    def nearest(
        self, vectors: npt.ArrayLike, count: int = 10
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """The nearest of the collection to each vector.

        Args:
            vectors: Float array [M, D], of any norm.
            count: Int >= 1.

        Returns:
            (cosines, rows): float32 [M, n] and int64 [M, n], the nearest first, n <= count; rows
            are places in `ids`, -1 (with cosine -1) where no more are found.

        Raises:
            InputError: Vectors of another length.
        """
        count = min(validation.whole_number("count", count), len(self.ids))
        cosines, rows = self._index.search(self._unit(vectors), count)
        return np.where(rows < 0, np.float32(-1), cosines), rows

    def within(
        self, vectors: npt.ArrayLike, cosine: float
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """All of the collection at a cosine or above, for each vector.

        Args:
            vectors: Float array [M, D].
            cosine: Float.

        Returns:
            (queries, rows, cosines): int64 [P], int64 [P] and float32 [P], one for each pair.
        """
        # FAISS takes those above, not at, what it is given.
        limits, cosines, rows = self._index.range_search(
            self._unit(vectors), float(np.nextafter(np.float32(cosine), np.float32(-2)))
        )
        counts = np.diff(limits.astype(np.int64))  # FAISS counts without a sign
        return np.repeat(np.arange(len(counts)), counts), rows, cosines

    def require_model(self, model: ServedModel) -> None:
        """Checks that a model is the one that made the vectors, wherever it is now.

        Raises:
            InputError: It is another one, whose vectors cannot be compared with these.
        """
        if model.fingerprint() != self.facts.fingerprint:
            raise InputError(
                f"the model {model.path!r} is not the one that made the embeddings of this index "
                f"(then at {self.facts.model!r}): its files differ. Give that one by --model, or "
                "embed the images with this one (tf-scl embed) and index them again"
            )

    def save(self, folder: PathLike) -> None:
        """Writes the index to a new folder, complete or not at all.

        Raises:
            InputError: Something is there, or it cannot be written.
        """
        folder = os.fspath(folder)
        require_new(folder, "folder")
        try:
            with atomic_write(folder, overwrite=False) as partial:
                self._write(partial)
        except (OSError, RuntimeError, tf.errors.OpError) as error:  # FAISS raises the second
            reason = file_reason(error).rpartition(" failed: ")[2]  # without its C++
            raise InputError(
                f"cannot write {folder!r}: {reason}; give another folder", setting="out"
            ) from error

    def _write(self, folder: str) -> None:
        os.makedirs(folder)
        _faiss().write_index(self._index, os.path.join(folder, _INDEX_FILE))
        for name, text in ((_IDS_FILE, json.dumps(self.ids)), (_FACTS_FILE, dumps(self.facts))):
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)

    def _unit(self, vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
        rows = np.atleast_2d(np.asarray(vectors, np.float32))
        if rows.ndim != 2 or rows.shape[1] != self.facts.dimension:
            raise InputError(
                f"the index holds vectors of {self.facts.dimension} numbers. Received: "
                f"{rows.shape}; embed images by the model of the index, {self.facts.model!r}"
            )
        return np.ascontiguousarray(unit_rows(rows))


def build_index(collection: EmbeddedCollection, seed: int = 0) -> SearchIndex:
    """Makes an index of a collection.

    Args:
        collection: `EmbeddedCollection`.
        seed: Int, of the centers and of the sample that the recall is measured with.

    Returns:
        `SearchIndex`.

    Raises:
        InputError: FAISS is missing.
    """
    faiss = _faiss()
    vectors = np.ascontiguousarray(collection.vectors)
    count, dimension = vectors.shape
    if count <= EXACT_UP_TO:
        index: Any = faiss.IndexFlatIP(dimension)
        index.add(vectors)
        return SearchIndex(index, collection.ids, _facts(collection, 0, 0, 1.0))
    cells = int(4 * np.sqrt(count))
    index = faiss.index_factory(dimension, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = seed
    index.train(vectors)
    index.add(vectors)
    rng = np.random.default_rng(seed)
    sample = vectors[np.sort(rng.choice(count, min(_SAMPLE, count), replace=False))]
    wanted = faiss.knn(sample, vectors, _NEIGHBORS + 1, metric=faiss.METRIC_INNER_PRODUCT)[1]
    recall, probes = 0.0, 1
    while True:
        index.nprobe = probes
        found = index.search(sample, _NEIGHBORS + 1)[1]
        both = [len(np.intersect1d(*pair)) for pair in zip(wanted, found, strict=True)]
        recall = sum(both) / wanted.size
        if recall >= RECALL or probes >= cells:
            break
        probes = min(2 * probes, cells)
    return SearchIndex(index, collection.ids, _facts(collection, cells, probes, recall))


def _facts(collection: EmbeddedCollection, cells: int, probes: int, recall: float) -> IndexFacts:
    images, dimension = collection.vectors.shape
    return IndexFacts(
        images, dimension, collection.model, collection.fingerprint, cells, probes, recall
    )


def read_index(folder: PathLike) -> SearchIndex:
    """Reads an index.

    Args:
        folder: Path that `SearchIndex.save` wrote.

    Raises:
        InputError: No such folder, one that is not of an index, or FAISS is missing.
    """
    folder = os.fspath(folder)
    path = os.path.join(folder, _FACTS_FILE)
    if not tf.io.gfile.exists(path):
        raise InputError(f"{folder!r} is no index: make one by tf-scl index EMBEDDINGS")
    facts, faiss = read_json(IndexFacts, path), _faiss()
    try:
        index = faiss.read_index(os.path.join(folder, _INDEX_FILE))
        with open(os.path.join(folder, _IDS_FILE)) as file:
            ids = json.load(file)
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(
            f"the index {folder!r} is damaged ({str(error).splitlines()[0]}); make it again by "
            "tf-scl index EMBEDDINGS"
        ) from error
    if not index.ntotal == len(ids) == facts.images or index.d != facts.dimension:
        raise InputError(
            f"the index {folder!r} is damaged: {index.ntotal} vectors and {len(ids)} names, but "
            f"{facts.images} are noted; make it again by tf-scl index EMBEDDINGS"
        )
    return SearchIndex(index, ids, facts)


def describe(facts: IndexFacts) -> str:
    """What is noted of an index, as a sentence for people."""
    text = f"{facts.images:,} images ({facts.dimension} numbers each)"
    if not facts.cells:
        return f"{text}, searched exactly"
    return (
        f"{text} in {facts.cells:,} cells, of which {facts.probes:,} are looked at; "
        f"{100 * facts.recall:.1f} % of the nearest ten are found"
    )


def _faiss() -> ModuleType:
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            f"a search needs FAISS, which cannot be imported ({error}): "
            "pip install 'tf_scl[search]'"
        ) from error
    return faiss
