"""Files of embeddings, as `tf-scl embed` writes them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tf_scl.search.collection import EmbeddedCollection


def write_embeddings(path, rows, noted=None, model="/models/1"):
    """Writes float32 [N, D] by the names 0.png, 1.png, ..."""
    metadata = {
        "model": model,
        "model_fingerprint": "f1",
        "model_metadata": {"dimension": rows.shape[1], **(noted or {})},
    }
    table = pa.table(
        {
            "id": [f"{number}.png" for number in range(len(rows))],
            "embedding": pa.FixedSizeListArray.from_arrays(rows.ravel(), rows.shape[1]),
        }
    )
    pq.write_table(table.replace_schema_metadata({b"tf_scl": json.dumps(metadata)}), path)


def collection(rows, **noted):
    """float32 [N, D] as an `EmbeddedCollection`."""
    vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    names = [f"{number}.png" for number in range(len(rows))]
    return EmbeddedCollection(names, vectors.astype(np.float32), "/models/1", "f1", noted)
