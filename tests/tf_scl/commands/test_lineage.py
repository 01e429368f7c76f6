import json

from tests.tf_scl.serving.test_lineage import saved_model_with_note
from tf_scl import cli
from tf_scl.dataclass_json import to_plain
from tf_scl.serving import lineage


def test_text_and_json_are_what_was_read(tmp_path, capsys):
    path = saved_model_with_note(tmp_path / "1")
    facts = lineage.read_lineage(path)
    assert cli.main(["lineage", str(path)]) == 0
    assert capsys.readouterr().out == lineage.render(facts) + "\n"
    assert cli.main(["lineage", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == to_plain(facts)


def test_a_folder_that_is_no_model_is_refused_in_one_line(tmp_path, capsys):
    assert cli.main(["lineage", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "is no SavedModel" in error and error.count("\n") == 1
