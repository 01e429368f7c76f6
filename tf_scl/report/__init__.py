"""One page of HTML that shows what came of a training run."""
