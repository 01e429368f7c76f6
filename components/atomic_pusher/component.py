"""Interface of AtomicPusher."""

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.atomic_pusher import executor


class AtomicPusher(tfx.components.Pusher):
    """TFX's Pusher whose versions appear complete or not at all."""

    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)
