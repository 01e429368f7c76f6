"""RepresentationEvaluator: judges and blesses an encoder."""
