import pytest

from tests.interrupt import importing, interrupt, listening
from tf_scl import cli

_MISTAKES = [
    (["embed", "x", "y", "--ou", "z"], "no flag --ou; did you mean --out? tf-scl embed --help"),
    (["views", "x", "--train.epoch", "3"], "no flag --train.epoch; did you mean --train.epochs?"),
    (["lineage"], "the following arguments are required: MODEL; tf-scl lineage --help"),
    (["vieuws"], "invalid choice: 'vieuws'"),
]


@pytest.mark.parametrize("arguments,message", _MISTAKES)
def test_mistakes_of_the_command_line_are_one_line(capsys, arguments, message):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ") and error.count("\n") == 1


_STOPPED = (130, "stopped; run the same command again\n")


@pytest.mark.parametrize("moment", [listening, importing])
@pytest.mark.parametrize("command", ["views", "embed", "lineage", "report"])
def test_ctrl_c_while_it_starts(image_folder, tmp_path, command, moment):
    what = {"views": [image_folder], "embed": [image_folder, tmp_path]}.get(command, [tmp_path])
    status, _, stderr = interrupt(["-m", "tf_scl.cli", command, *what], moment, tmp_path)
    assert (status, stderr.splitlines(True)[-1]) == _STOPPED
    assert "Traceback" not in stderr
