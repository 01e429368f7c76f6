"""Which model a new one has to hold its own against: TFX's Resolver, with a rule of ours."""

from ml_metadata import MetadataStore
from tfx import types
from tfx.dsl.components.common import resolver
from tfx.dsl.input_resolution.strategies import latest_blessed_model_strategy
from tfx.types import standard_artifacts

from components.artifacts import ClassifierBlessing, ClassifierModel

NODE, CLASSIFIER_NODE = "LastBlessed", "LastBlessedClassifier"


class LastBlessedStrategy(resolver.ResolverStrategy):
    """The model that was blessed last, other than the one to be evaluated.

    TFX's LatestBlessedModelStrategy would give a model to itself when the
    same pipeline runs again: another input, so that nothing is cached, and a
    comparison that says nothing.
    """

    def resolve_artifacts(
        self, store: MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """The resolved channels.

        Args:
            store: ML Metadata store; not asked.
            input_dict: "candidate", the model to be evaluated; "model" and
                "model_blessing", all there are in this pipeline.

        Returns:
            Dict with the same keys; "model" and "model_blessing" hold the one
            that was found and its blessing, or nothing.
        """
        candidates = {model.id for model in input_dict["candidate"]}
        models = {model.id: model for model in input_dict["model"]}
        found = {"model": [], "model_blessing": [], "candidate": input_dict["candidate"]}
        for blessing in sorted(input_dict["model_blessing"], key=lambda one: one.id, reverse=True):
            number = blessing.get_int_custom_property("current_model_id")
            blessed = blessing.get_int_custom_property("blessed") == 1
            if blessed and number in models and number not in candidates:
                return {**found, "model": [models[number]], "model_blessing": [blessing]}
        return found


def last_blessed(candidate: types.Channel) -> resolver.Resolver:
    """Makes the Resolver.

    Args:
        candidate: Channel of `Model`, the one to be evaluated.

    Returns:
        `tfx.dsl.components.common.resolver.Resolver`; its output "model" is
        empty until another model has been blessed.
    """
    return resolver.Resolver(
        strategy_class=LastBlessedStrategy,
        model=types.Channel(type=standard_artifacts.Model),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        candidate=candidate,
    ).with_id(NODE)


def last_blessed_classifier(candidate: types.Channel) -> resolver.Resolver:
    """Makes the Resolver of the classifier that was blessed last.

    Args:
        candidate: Channel of `ClassifierModel`, the one to be evaluated.

    Returns:
        As `last_blessed`.
    """
    return resolver.Resolver(
        strategy_class=LastBlessedStrategy,
        model=types.Channel(type=ClassifierModel),
        model_blessing=types.Channel(type=ClassifierBlessing),
        candidate=candidate,
    ).with_id(CLASSIFIER_NODE)


def latest_blessed(candidate: types.Channel) -> resolver.Resolver:
    """The same with TFX's LatestBlessedModelStrategy, for Vertex AI, which knows no other.

    It may find the candidate itself, where the Trainer's result is cached.

    Args:
        candidate: Channel of `Model`; not used.

    Returns:
        As `last_blessed`.
    """
    del candidate
    return resolver.Resolver(
        strategy_class=latest_blessed_model_strategy.LatestBlessedModelStrategy,
        model=types.Channel(type=standard_artifacts.Model),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(NODE)
