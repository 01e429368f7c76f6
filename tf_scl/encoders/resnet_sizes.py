"""Which ResNets there are. Imports nothing, so that settings can ask, see `tf_scl/registry.py`."""

# depth -> (blocks of each stage, whether blocks are bottlenecks)
DEPTHS = {
    10: ((1, 1, 1, 1), False),
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
}
STEMS = ("cifar", "imagenet")
