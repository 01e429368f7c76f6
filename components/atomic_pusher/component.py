"""Interface of AtomicPusher."""

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.atomic_pusher import driver, executor


class AtomicPusher(tfx.components.Pusher):
    """TFX's Pusher whose versions appear complete or not at all.

    It runs again when the version that it pushed is gone or superseded.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.ServingFolderDriver
