"""Results that are kept in a file, so that a benchmark that was stopped goes on where it was."""

import json
import pathlib


class Kept:
    """Results by what they are of, in a file of JSON lines [key, result] that grows.

    Args:
        path: Of the file.
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self._known = {json.dumps(key): result for key, result in map(json.loads, lines)}

    def of(self, key, make):
        """The result of a key, a plain value; `make` is called for one that is not known."""
        text = json.dumps(key)
        if text not in self._known:
            self._known[text] = make()
            with self._path.open("a") as file:
                file.write(json.dumps([key, self._known[text]]) + "\n")
            print(f"{text} is done", flush=True)
        return self._known[text]
