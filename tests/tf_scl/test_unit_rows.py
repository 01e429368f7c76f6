import numpy as np

from tf_scl.unit_rows import unit_rows


def test_unit_rows_keep_their_direction():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]])
