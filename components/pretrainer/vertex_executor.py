"""Executor that sends the training to Vertex AI."""

from tfx.extensions.google_cloud_ai_platform.trainer import executor as vertex

from components.pretrainer import executor


class Executor(vertex.GenericExecutor):
    """Starts a custom job that runs `components.pretrainer.executor`, and waits for it."""

    def _GetExecutorClass(self) -> type[executor.Executor]:  # noqa: N802, TFX asks by this name
        return executor.Executor
