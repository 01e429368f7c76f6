"""Reads a source as workers do, and checks what holds for every one."""

import pickle

from tf_scl.data.sources.open_source import open_source
from tf_scl.data.sources.source import FILE_TOO_LARGE, UNREADABLE


def read_all(source, max_bytes=2**30):
    """All items of a source, by name, each unit read by a pickled copy."""
    units = source.units()
    assert units == open_source(source.name).units()
    items = {}
    for unit in units:
        worker, unit = pickle.loads(pickle.dumps((source, unit)))
        read = list(worker.read(unit, max_bytes))
        assert len(read) == unit.items
        items.update((item.name, item) for item in read)
    assert len(items) == sum(unit.items for unit in units), "names are not unique"
    for item in items.values():
        assert type(item.name) is bytes
        assert (item.data is None) == (item.problem is not None)
        assert item.problem is None or item.problem[0] in (UNREADABLE, FILE_TOO_LARGE)
        assert type(item.label) in (int, type(None))
        assert type(item.class_name) in (bytes, type(None))
    return items
