"""RepresentationEvaluator: evaluates and blesses an encoder."""
