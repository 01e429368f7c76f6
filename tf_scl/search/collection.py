"""The embeddings of a collection, as `tf-scl embed` wrote them."""

import dataclasses
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from tf_scl.embedding.parts import read_file_metadata
from tf_scl.errors import InputError, file_reason
from tf_scl.typing import PathLike
from tf_scl.unit_rows import unit_rows

_ROWS = 65_536  # read at a time


@dataclasses.dataclass(frozen=True)
class EmbeddedCollection:
    """Embeddings with the names of their images.

    Attributes:
        ids: N names.
        vectors: float32 [N, D], of norm 1 (or 0).
        model: Path of the SavedModel that made them.
        fingerprint: Hex digest of that model (`ServedModel.fingerprint`).
        metadata: Dict, what the export noted of that model.
    """

    ids: list[str]
    vectors: npt.NDArray[np.float32]
    model: str
    fingerprint: str
    metadata: dict[str, Any]


def read_collection(path: PathLike) -> EmbeddedCollection:
    """Reads a file of embeddings; beside the vectors themselves little memory is needed.

    Args:
        path: A Parquet file that `tf-scl embed` wrote.

    Raises:
        InputError: No such file, one that is not of `tf-scl embed`, or without any image.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = os.fspath(path)
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        reason = file_reason(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot read embeddings from {path!r}: {reason}") from error
    with file:
        noted = read_file_metadata(path)
        if not noted:
            raise InputError(
                f"{path!r} is not a file of embeddings: make one by tf-scl embed SOURCE MODEL"
            )
        count, dimension = file.metadata.num_rows, noted["model_metadata"]["dimension"]
        if not count:
            raise InputError(f"{path!r} holds no embedding")
        ids: list[str] = []
        vectors = np.empty((count, dimension), np.float32)
        for batch in file.iter_batches(_ROWS, columns=["id", "embedding"]):
            rows = batch.column(1).flatten().to_numpy().reshape(batch.num_rows, -1)
            vectors[len(ids) : len(ids) + len(rows)] = unit_rows(rows)
            ids += batch.column(0).to_pylist()
    return EmbeddedCollection(
        ids, vectors, noted["model"], noted["model_fingerprint"], noted["model_metadata"]
    )
