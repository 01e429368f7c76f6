"""What Vertex AI runs before it looks into its cache: TFX's hook, with our fingerprint.

TFX's compiler names TFX's own hook, which fingerprints the files that lie
directly in a folder; `pipeline.kubeflow_spec` names this module instead.
"""

from typing import Any

from absl import app
from tfx.components.example_gen import input_processor
from tfx.orchestration.kubeflow.v2.file_based_example_gen import driver as hook

from components.image_example_gen.driver import SourceProcessor


def main(args: Any) -> None:
    """TFX's `main`, with the processor that it looks up exchanged for ours."""
    input_processor.FileBasedInputProcessor = SourceProcessor
    hook.main(args)


if __name__ == "__main__":
    app.run(main, flags_parser=hook._parse_flags)
