import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import tf_scl
from tests.tf_scl.theory.graphs import random_classes, random_weights
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.population_losses import population_minimizer
from tf_scl.theory.population_probe import probe_error, regression_head


def test_the_head_is_scikit_learns():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        graph, _ = random_classes(rng, 9, 14, 3, 0.3)
        f, labels = rng.normal(size=(14, 4)), rng.permutation(np.arange(14) % 3) + 5
        head, classes = regression_head(graph, f, labels)
        assert classes.tolist() == [5, 6, 7]
        theirs = LinearRegression(fit_intercept=False)
        theirs.fit(f, np.eye(3)[labels - 5], sample_weight=graph.degrees)
        np.testing.assert_allclose(head, theirs.coef_.T, atol=1e-10)


def test_errors_counted_by_hand():
    # Image 0 is seen as node 0 or 1, image 1 as node 1 or 2. Class 7 is image 0's.
    kernel = np.array([[0.6, 0.4, 0.0], [0.0, 0.1, 0.9]])
    graph = AugmentationGraph.from_kernel(kernel, [0.5, 0.5])
    one_hot = np.eye(3)  # any labels of nodes can be regressed exactly
    error = probe_error(graph, one_hot, [7, 3])
    assert error.per_view == pytest.approx(0.5 * 0.1)  # node 1 is taken for image 0
    assert error.majority == 0.0
    error = probe_error(graph, one_hot, [7, 3], [3, 7, 3])
    assert error.per_view == pytest.approx(0.5 * 0.6 + 0.5 * 0.1)
    assert error.majority == pytest.approx(0.5)


def test_the_scale_and_rotation_of_embeddings_do_not_matter():
    rng = np.random.default_rng(0)
    graph, labels = random_classes(rng, 10, 16, 3, 0.2)
    f = population_minimizer(graph, 3)
    turned = 7 * f @ rng.normal(size=(3, 3))
    assert probe_error(graph, f, labels) == probe_error(graph, turned, labels)


def test_embeddings_that_tell_nothing_know_the_commonest_class_only():
    graph, labels = random_classes(np.random.default_rng(1), 10, 16, 3, 0.0)
    error = probe_error(graph, np.ones((16, 1)), labels)
    shares = [graph.joint[labels == value].sum() for value in range(3)]
    assert error.per_view == pytest.approx(1 - max(shares))
    assert error.majority == pytest.approx(1 - max(shares))


def test_what_does_not_fit_is_named():
    graph, labels = random_classes(np.random.default_rng(0), 6, 8, 3, 0.1)
    with pytest.raises(tf_scl.InputError, match=r"\[8, d\].*\(6, 2\)"):
        probe_error(graph, np.ones((6, 2)), labels)
    with pytest.raises(tf_scl.InputError, match="natural image"):
        probe_error(graph, np.ones((8, 2)), labels[:2])
    with pytest.raises(tf_scl.InputError, match="augmented_labels"):
        regression_head(graph, np.ones((8, 2)), labels)
    with pytest.raises(tf_scl.InputError, match="weights alone"):
        probe_error(random_weights(np.random.default_rng(0), 8), np.ones((8, 2)), labels)
