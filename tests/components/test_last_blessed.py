import pytest
from tfx.types import channel_utils, standard_artifacts

from components.last_blessed import LastBlessedStrategy, last_blessed, latest_blessed


def _model(number):
    model = standard_artifacts.Model()
    model.id = number
    return model


def _blessing(number, model, blessed=True):
    blessing = standard_artifacts.ModelBlessing()
    blessing.id = number
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_int_custom_property("current_model_id", model)
    return blessing


@pytest.mark.parametrize(
    "blessings,candidate,expected",
    [
        ([], 1, None),
        ([(10, 1, True)], 2, (1, 10)),
        ([(10, 1, True)], 1, None),  # not itself: the same pipeline again is cached
        ([(10, 1, True), (20, 2, False)], 3, (1, 10)),
        ([(10, 1, True), (20, 2, False)], 2, (1, 10)),  # judged again
        ([(10, 1, True), (20, 2, True)], 3, (2, 20)),
        ([(10, 1, True), (20, 2, True)], 1, (2, 20)),  # back to older settings
        ([(10, 1, True), (20, 2, True), (30, 1, True)], 3, (1, 30)),  # by blessing, not by model
        ([(20, 2, True), (10, 1, True)], 3, (2, 20)),  # whatever the order they come in
        ([(10, 7, True)], 1, None),  # of a model that is not there
    ],
)
def test_the_model_that_was_blessed_last_but_not_the_candidate(blessings, candidate, expected):
    resolved = LastBlessedStrategy().resolve_artifacts(
        None,
        {
            "candidate": [_model(candidate)],
            "model": [_model(number) for number in (1, 2, 3)],
            "model_blessing": [_blessing(*one) for one in blessings],
        },
    )
    found = [one.id for one in resolved["model"]], [one.id for one in resolved["model_blessing"]]
    assert found == (([], []) if expected is None else ([expected[0]], [expected[1]]))
    assert [one.id for one in resolved["candidate"]] == [candidate]


@pytest.mark.parametrize("make", [last_blessed, latest_blessed])
def test_the_resolver_offers_a_model(make):
    node = make(channel_utils.as_channel([standard_artifacts.Model()]))
    assert node.outputs["model"].type is standard_artifacts.Model
    assert node.id == "LastBlessed"
