import datetime
import sys

import keras

from tf_scl.versions import installed_versions, now


def test_versions_and_the_time():
    versions = installed_versions()
    assert versions["keras"] == keras.__version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    made = datetime.datetime.fromisoformat(now())
    age = datetime.datetime.now(datetime.timezone.utc) - made
    assert abs(age.total_seconds()) < 60
