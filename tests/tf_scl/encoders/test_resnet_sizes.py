"""The table of sizes beside that of the paper (He et al., arXiv 1512.03385, table 1)."""

import pytest

from tf_scl.encoders.resnet_sizes import DEPTHS


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_depth_counts_the_layers(depth):
    blocks, bottleneck = DEPTHS[depth]
    # The stem and the classifier that the paper counts, and those of each block.
    assert 2 + sum(blocks) * (3 if bottleneck else 2) == depth
