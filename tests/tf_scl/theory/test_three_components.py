from xml.etree import ElementTree

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


def test_the_picture_is_well_formed(tmp_path, capsys):
    example.main(["--out", str(tmp_path / "picture.svg")])
    root = ElementTree.parse(tmp_path / "picture.svg").getroot()
    dots = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 3 * 24 + 3
    assert "100.0% right" in capsys.readouterr().out
