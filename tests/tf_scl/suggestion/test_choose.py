import numpy as np
import pytest

from tf_scl.errors import InputError
from tf_scl.evaluation.linear_probe import fit_linear_head
from tf_scl.suggestion.choose import choose_images

_SIZES = (50, 40, 30, 20, 10)


@pytest.fixture(scope="module")
def clusters():
    """(rows, number of the cluster of each), five of different sizes and far apart, shuffled."""
    rng = np.random.default_rng(0)
    centers = 10 * np.eye(5, 8)
    number = np.repeat(np.arange(5), _SIZES)
    rows = centers[number] + rng.normal(0, 0.5, (sum(_SIZES), 8))
    order = rng.permutation(len(rows))
    return rows[order], number[order]


def test_without_labels_one_of_each_cluster_the_largest_first(clusters):
    rows, number = clusters
    chosen = choose_images(rows, 5)
    assert [number[one.place] for one in chosen] == [0, 1, 2, 3, 4]
    assert [round(150 * one.share) for one in chosen] == list(_SIZES)
    assert all(one.doubt is None for one in chosen)


def test_the_chosen_ones_are_in_the_middle(clusters):
    rows, number = clusters
    for one in choose_images(rows, 5):
        members = rows[number == number[one.place]]
        distances = np.linalg.norm(members - members.mean(axis=0), axis=1)
        own = np.linalg.norm(rows[one.place] - members.mean(axis=0))
        assert own <= np.quantile(distances, 0.5)


def test_clusters_with_a_label_come_last(clusters):
    rows, number = clusters
    labels = {int(np.flatnonzero(number == one)[0]): "a" for one in (0, 2)}
    chosen = choose_images(rows, 3, labels)
    assert sorted(number[one.place] for one in chosen) == [1, 3, 4]
    assert not {one.place for one in chosen} & set(labels)


def test_doubt_is_that_of_the_labels_so_far(clusters):
    rows, number = clusters
    places = [int(place) for one in (0, 1) for place in np.flatnonzero(number == one)[:5]]
    labels = {place: "xy"[number[place]] for place in places}
    chosen = choose_images(rows, 6, labels)
    targets = np.array([int(number[place]) for place in sorted(places)])
    head = fit_linear_head(rows[sorted(places)], targets, 2)
    logits = rows @ head.kernel + head.bias
    first = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    for one in chosen:
        assert one.doubt == pytest.approx(1 - abs(2 * first[one.place] - 1), abs=1e-6)


def test_doubt_leads_between_two_classes():
    """A bridge of images between two classes: those in its middle are asked for."""
    rng = np.random.default_rng(1)
    along = np.linspace(-1, 1, 201)
    rows = np.stack([along, np.ones(201)], axis=1) + rng.normal(0, 0.01, (201, 2))
    labels = {place: "left" if place < 100 else "right" for place in (0, 20, 40, 160, 180, 200)}
    chosen = choose_images(rows, 1, labels)
    assert 60 < chosen[0].place < 140 and chosen[0].doubt > 0.3


def test_all_that_are_left_and_not_more(clusters):
    rows, _ = clusters
    labels = dict.fromkeys(range(140), "a")
    chosen = choose_images(rows, 50, labels)
    assert sorted(one.place for one in chosen) == list(range(140, 150))
    with pytest.raises(InputError, match="all 150 images have a label already"):
        choose_images(rows, 1, dict.fromkeys(range(150), "a"))


def test_images_that_are_all_alike_are_still_chosen_once_each():
    chosen = choose_images(np.ones((30, 4)), 7)
    assert len({one.place for one in chosen}) == 7


def test_the_seed_and_bad_features(clusters):
    rows, _ = clusters
    assert choose_images(rows, 8, seed=1) == choose_images(rows, 8, seed=1)
    with pytest.raises(InputError, match="image features are NaN or infinite"):
        choose_images(np.full((5, 2), np.nan), 1)
    with pytest.raises(InputError, match="count"):
        choose_images(rows, 0)
