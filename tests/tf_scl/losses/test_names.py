"""The losses take the words, and no other."""

import pytest

from tf_scl.errors import InputError
from tf_scl.losses import names
from tf_scl.losses.spectral import check_mu, check_negatives


def test_the_losses_take_the_words_and_no_other():
    check_mu(names.MU_AUTO)
    for word in names.NEGATIVES:
        check_negatives(word)
    for check in (check_mu, check_negatives):
        with pytest.raises(InputError, match="Received: .*='automatic'"):
            check("automatic")
