import logging

from tf_scl.evaluation import progress
from tf_scl.evaluation.progress import Progress


def test_a_line_is_due_every_five_seconds(monkeypatch, caplog):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    one = Progress(logging.getLogger("tf_scl.test"), "probe")
    with caplog.at_level(logging.INFO, "tf_scl"):
        for now[0] in (100.0, 104.0, 105.5, 106.0, 110.0, 110.5, 200.0):
            one.report(f"at {now[0]:g}")
    assert caplog.messages == ["probe: at 105.5", "probe: at 110.5", "probe: at 200"]
