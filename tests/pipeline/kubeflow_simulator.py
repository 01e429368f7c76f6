"""Runs a compiled pipeline as Kubeflow would, but for the containers.

Each task's command is run on this machine, with the JSON that the launcher
would put into the place of `{{$}}`.
"""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent.parent


class Simulator:
    """One run of a PipelineSpec."""

    def __init__(self, spec, folder, parameters=None, resolved=None):
        """Makes a run.

        Args:
            spec: PipelineSpec as a dict.
            folder: Path below which everything is written.
            parameters: Dict from runtime parameter to value; the others have
                their defaults.
            resolved: Dict from resolver task to what it finds, output key to
                artifact; the others find nothing.
        """
        self._spec, self._folder = spec, pathlib.Path(folder)
        self._given, self.resolved = parameters or {}, resolved or {}
        self._runs = 0
        self.outputs = {}  # task to {key: artifact}

    def order(self):
        """Names of the tasks, each after those that it needs."""
        waiting, ordered = dict(self._spec["root"]["dag"]["tasks"]), []
        while waiting:
            ready = [name for name, task in waiting.items() if not self._needs(task) - {*ordered}]
            assert ready, f"a cycle: {sorted(waiting)}"
            ordered += sorted(ready)
            for name in ready:
                del waiting[name]
        return ordered

    def run(self, *tasks):
        """Runs the tasks, or all of them."""
        for name in tasks or self.order():
            container = self.executor(name).get("container")
            if container is None:
                self.outputs[name] = self.resolved.get(name, {})
                continue
            executor_input = self.executor_input(name)
            hook = container.get("lifecycle", {}).get("preCacheCheck")
            if hook:
                _run(hook["command"], hook["args"], executor_input)
            _run(container["command"], container["args"], executor_input)
            self.outputs[name] = _read_outputs(executor_input)

    def executor(self, name):
        """The executor of a task, a dict."""
        label = self._component(name)["executorLabel"]
        return self._spec["deploymentSpec"]["executors"][label]

    def executor_input(self, name):
        """ExecutorInput of a task that is about to run, a dict as in JSON."""
        self._runs += 1
        task = self._spec["root"]["dag"]["tasks"][name]
        folder = self._folder / name / str(self._runs)
        defined = self._component(name).get("outputDefinitions", {}).get("artifacts", {})
        found = {
            key: self.outputs[one["taskOutputArtifact"]["producerTask"]].get(
                one["taskOutputArtifact"]["outputArtifactKey"]
            )
            for key, one in task.get("inputs", {}).get("artifacts", {}).items()
        }
        return {
            "inputs": {
                "parameterValues": {
                    key: self._value(one)
                    for key, one in task.get("inputs", {}).get("parameters", {}).items()
                },
                "artifacts": {key: {"artifacts": [one]} for key, one in found.items() if one},
            },
            "outputs": {
                "artifacts": {
                    key: {
                        "artifacts": [
                            {
                                "name": f"projects/1/artifacts/{name}-{key}-{self._runs}",
                                "type": one["artifactType"],
                                "uri": str(folder / key),
                            }
                        ]
                    }
                    for key, one in defined.items()
                },
                "outputFile": str(folder / "executor_output.json"),
            },
        }

    def _component(self, name):
        task = self._spec["root"]["dag"]["tasks"][name]
        return self._spec["components"][task["componentRef"]["name"]]

    def _value(self, parameter):
        if "runtimeValue" in parameter:
            return parameter["runtimeValue"]["constant"]
        name = parameter["componentInputParameter"]
        defined = self._spec["root"]["inputDefinitions"]["parameters"][name]
        return self._given.get(name, defined["defaultValue"])

    @staticmethod
    def _needs(task):
        artifacts = task.get("inputs", {}).get("artifacts", {}).values()
        producers = {one["taskOutputArtifact"]["producerTask"] for one in artifacts}
        return producers | {*task.get("dependentTasks", [])}


def run_command(command, cwd):
    """Runs a container's command; `python` and /app are this environment and checkout."""
    words = [sys.executable if word == "python" else word for word in command]
    words = [word.replace("=/app/", f"={ROOT}/") for word in words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{words[:5]}\n{done.stderr[-5000:]}"
    return done


def filled_in(arguments, executor_input):
    """The arguments of a container, as the launcher gives them; it makes the folders too."""
    for one in executor_input["outputs"]["artifacts"].values():
        os.makedirs(one["artifacts"][0]["uri"], exist_ok=True)
    return [json.dumps(executor_input) if word == "{{$}}" else word for word in arguments]


def _run(command, arguments, executor_input):
    words = [*command, *filled_in(arguments, executor_input)]
    run_command(words, os.path.dirname(executor_input["outputs"]["outputFile"]))


def _read_outputs(executor_input):
    """What a task wrote about its outputs, on top of what it was given."""
    with open(executor_input["outputs"]["outputFile"]) as file:
        written = json.load(file).get("artifacts", {})
    outputs = {}
    for key, one in executor_input["outputs"]["artifacts"].items():
        outputs[key] = dict(one["artifacts"][0])
        for artifact in written.get(key, {}).get("artifacts", []):
            outputs[key].update({name: artifact[name] for name in artifact if name != "type"})
    return outputs
