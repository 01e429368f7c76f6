import numpy as np

from docs.explanation import theory_three_components as example
from tf_scl.theory.bounds import probe_bound
from tf_scl.theory.population_losses import population_minimizer
from tf_scl.theory.population_probe import probe_error
from tf_scl.theory.spectral_clustering import clustering_accuracy, spectral_clusters


def test_the_example_shows_what_it_says():
    graph, labels = example.make_world()
    assert clustering_accuracy(spectral_clusters(graph, 3), labels) == 1.0
    values, _ = graph.eigenpairs
    assert values[2] > 0.9 and values[3] < 0.7
    bound = probe_bound(graph, labels, 3)
    error = probe_error(graph, population_minimizer(graph, 3), labels)
    assert error.per_view <= bound.per_view < 0.5 and error.majority == 0.0
    assert len(np.unique(graph.components)) == 1


def test_the_picture_shows_every_image(tmp_path, capsys, monkeypatch):
    drawn = []
    monkeypatch.setattr(example, "save", lambda figure, path: drawn.append(figure))
    example.main(["--out", str(tmp_path / "picture.svg")])
    _, eigenvalues, embedding, clusters = drawn[0].axes
    for axis in (eigenvalues, embedding, clusters):
        assert len(axis.collections[0].get_offsets()) == 24
    assert "".join(text.get_text() for text in clusters.texts).count("A") in example.RINGS
    assert "100.0% right" in capsys.readouterr().out
