import numpy as np
import pytest

from tests.tf_scl.search.collections import collection
from tf_scl.errors import InputError
from tf_scl.search import duplicates as module
from tf_scl.search.duplicates import (
    describe,
    describe_chance,
    find_duplicates,
    pairs_by_chance,
)


def _at(*degrees):
    """Vectors in the plane, by their angles."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


_CLOSE = np.cos(np.deg2rad(2.5))  # 2.5 degrees apart, or less


def test_pairs_and_groups():
    photos = collection(_at(0, 90, 2, 180, 4, 91, 270))
    found = find_duplicates(photos, _CLOSE)
    assert found.pairs.tolist() == [[0, 2], [1, 5], [2, 4]]
    np.testing.assert_allclose(found.cosines, np.cos(np.deg2rad([2, 1, 2])), atol=1e-6)
    assert found.groups == [[0, 2], [1, 5]]  # 4 is a duplicate of 2, but not of 0
    assert found.dropped == {2, 5}
    assert describe(photos, found) == (
        "3 pairs among 7 images (cosine 0.9990 and above): 4 images in 2 groups; with one of each "
        "kept, 5 images remain"
    )


def test_a_chain_is_not_one_group():
    """Each image is close to the next one; the last is the opposite of the first."""
    found = find_duplicates(collection(_at(*range(0, 181, 2))), _CLOSE)
    assert found.groups == [[place, place + 1] for place in range(0, 90, 2)]


def test_a_kept_image_takes_those_of_both_sides():
    found = find_duplicates(collection(_at(2, 0, 4, 6, 8)), _CLOSE)
    assert found.groups == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.97])
def test_whatever_is_dropped_is_a_duplicate_of_what_its_group_keeps(threshold):
    rows = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    photos = collection(rows)
    found = find_duplicates(photos, threshold)
    cosines = photos.vectors @ photos.vectors.T
    for kept, *others in found.groups:
        assert others == sorted(others) and kept < others[0]
        assert (cosines[kept, others] >= threshold - 1e-6).all()
    places = [place for group in found.groups for place in group]
    assert len(places) == len(set(places)) and found.groups == sorted(found.groups)
    np.fill_diagonal(cosines, -1)
    kept = [place for place in range(200) if place not in found.dropped]
    assert (cosines[np.ix_(kept, kept)] < threshold + 1e-6).all()  # nothing was overlooked


def test_the_pairs_are_those_of_a_double_loop(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 7)
    rows = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    photos = collection(rows)
    cosines = photos.vectors @ photos.vectors.T
    expected = [[i, j] for i in range(60) for j in range(i + 1, 60) if cosines[i, j] >= 0.95]
    assert expected and find_duplicates(photos, 0.95).pairs.tolist() == expected


def test_the_threshold_is_that_of_the_model():
    photos = collection(_at(0, 2, 90), duplicate_cosine=_CLOSE)
    assert find_duplicates(photos).groups == [[0, 1]]
    assert find_duplicates(photos).threshold == pytest.approx(_CLOSE)
    with pytest.raises(InputError, match="notes no cosine from which on images count"):
        find_duplicates(collection(_at(0, 2)))


def test_no_duplicates():
    photos = collection(_at(0, 90, 180))
    found = find_duplicates(photos, 0.9)
    assert found.groups == [] and found.pairs.shape == (0, 2) and found.dropped == set()
    assert describe(photos, found) == "no duplicates among 3 images (cosine 0.9000 and above)"


def test_a_threshold_that_is_no_use():
    with pytest.raises(InputError, match="between -1 and 1. Received: 1.5"):
        find_duplicates(collection(_at(0, 1)), 1.5)
    photos = collection(np.ones((300, 2), np.float32))
    with pytest.raises(InputError, match="more than 44,850 pairs of 300 images are duplicates"):
        find_duplicates(photos, 0.5)


def test_pairs_by_chance_are_those_of_a_sample_of_the_same_kind():
    """Of a collection without any duplicate, and a reference drawn from it."""
    rows = np.random.default_rng(0).normal(size=(3000, 6)).astype(np.float32)
    photos, kept = collection(rows), collection(rows[:400])
    above = len(find_duplicates(kept, 0.95).pairs)
    expected = pairs_by_chance(3000, 400, above)
    assert above > 30 and len(find_duplicates(photos, 0.95).pairs) == pytest.approx(expected, 0.3)


def test_where_the_reference_has_no_pair_there_is_an_upper_bound():
    """Of 1 - (1 - p) ** pairs = 95 %, the p that would still leave none in one case of twenty."""
    pairs = 1000 * 999 / 2
    share = 1 - 0.05 ** (1 / pairs)
    assert pairs_by_chance(20_000, 1000, 0) == pytest.approx(share * 20_000 * 19_999 / 2, 0.002)


@pytest.mark.parametrize(
    "images,above,said",
    [
        (200, 0, "by chance at most 12 pairs of different images are to be expected among so many "
         "(at 95 %): none of the 4,950 pairs of the model's reference images are this close"),
        (200, 9, "by chance about 36 pairs of different images are to be expected among so many: 9 "
         "of the 4,950 pairs of the model's reference images are this close"),
        (20, 1, "by chance about 0.038 pairs of different images are"),
    ],
)  # fmt: skip
def test_what_is_said_of_chance(images, above, said):
    noted = {"reference_images": 100, "reference_pairs_above": above, "duplicate_cosine": 0.9}
    photos = collection(np.ones((images, 2), np.float32), **noted)
    assert describe_chance(photos, 0.9).startswith(said)
    assert describe_chance(photos, 0.95) == ""  # of another cosine nothing is noted


def test_of_chance_nothing_is_said_where_the_model_keeps_no_reference():
    assert describe_chance(collection(_at(0, 2)), 0.9) == ""
