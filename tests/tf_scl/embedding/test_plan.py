import random

from tf_scl.data.sources.source import Unit
from tf_scl.embedding.plan import MAX_BYTES, MAX_IMAGES, plan_work


def test_parts_cover_every_unit_once_in_order_and_are_not_too_large():
    rng = random.Random(0)
    for _ in range(200):
        units = [
            Unit((number,), rng.choice([1, 32, 300, 1000]), rng.choice([0, 10**6, 10**8, 10**9]))
            for number in range(rng.randint(1, 40))
        ]
        work = plan_work(units)
        assert [unit for one in work for unit in one.units] == units
        numbers = [number for one in work for number in one.parts()]
        assert numbers == list(range(len(numbers)))
        for one in work:
            parts = list(one.parts().values())
            assert sum(parts) == one.items == sum(unit.items for unit in one.units)
            assert min(parts) >= 1
            assert max(parts) <= MAX_IMAGES
            mean = sum(unit.size for unit in one.units) / one.items
            assert max(parts) == 1 or max(parts) * mean < 2 * MAX_BYTES


def test_small_units_make_one_part_and_a_large_one_several_of_about_one_size():
    files = [Unit((number,), 32, 32 * 2000) for number in range(20)]
    assert [list(one.parts().values()) for one in plan_work(files)] == [[256], [256], [128]]
    tar = [Unit(("a.tar",), 1000, 10**6)]
    assert [list(one.parts().values()) for one in plan_work(tar)] == [[250, 250, 250, 250]]
    photos = [Unit((0,), 32, 100 * 2**20)]
    assert [list(one.parts().values()) for one in plan_work(photos)] == [[16, 16]]
    one_large = [Unit((0,), 1, 10**10)]
    assert [one.parts() for one in plan_work(one_large)] == [{0: 1}]
