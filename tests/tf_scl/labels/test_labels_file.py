import hashlib
import re

import pytest

from tf_scl.errors import InputError
from tf_scl.labels.labels_file import FOLDERS, LabelRow, labels_digest, read_labels_file


def _write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_rows_with_their_lines_and_the_classes_in_order(tmp_path):
    path = _write(
        tmp_path,
        'label,filename\nglass, a/1.png\n\n paper ,./a//2.png\nglass,"b, c.png"\nüber,é.png\n',
    )
    found = read_labels_file(path)
    assert found.path == str(path)
    assert found.rows == (
        LabelRow(2, "a/1.png", "glass"),
        LabelRow(4, "a/2.png", "paper"),
        LabelRow(5, "b, c.png", "glass"),
        LabelRow(6, "é.png", "über"),
    )
    assert found.classes == ["glass", "paper", "über"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_as_spreadsheets_save_it(tmp_path, ends):
    path = _write(tmp_path, ends.join(["Filename,Label", "a,x", "b,y", ""]), "utf-8-sig")
    assert [row.line for row in read_labels_file(path).rows] == [2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty; begin the file with the line 'filename,label'"),
        ("\n\n", "it is empty"),
        ("filename,label\n", "no image is labeled"),
        ("a.png,cat\nb.png,dog\n", "The first line names 'a.png', 'cat'; begin the file"),
        ("filename;label\na;x\n", "parted by commas. The first line is 'filename;label'"),
        ("filename,label,split\na,x,train\n", "'split'; leave out the other columns"),
        ("filename,label,label\na,x,y\n", "leave out the other columns"),
        ("filename\na\n", "begin the file with the line"),
        ("filename,label\na,x\nb\n", "line 3 has 1 values, not 2"),
        ("filename,label\na,x\nb,c,y\n", 'line 3 has 3 values, not 2; put a value .* in "quotes"'),
        ("filename,label\na,x\n,y\n", "line 3 has no filename"),
        ("filename,label\na,x\nb, \n", "line 3 has no label"),
        ("filename,label\na,x\nb,y\n./a,x\n", "lines 2 and 4 both label 'a'; keep one"),
        ("filename,label\na,x\nb,x\n", "all 2 labels are 'x'; a classifier needs"),
        ('filename,label\na,x\n"b,y\n', "line 3: unexpected end of data; quotes must be closed"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, message):
    path = _write(tmp_path, text)
    with pytest.raises(InputError, match=f"labels file '{re.escape(str(path))}': .*{message}") as e:
        read_labels_file(path)
    assert e.value.setting == "labels"


def test_one_class_is_enough_where_it_is_said(tmp_path):
    found = read_labels_file(_write(tmp_path, "filename,label\na,x\nb,x\n"), classes=1)
    assert found.classes == ["x"] and len(found.rows) == 2


def test_another_encoding_is_named_with_its_line(tmp_path):
    path = _write(tmp_path, "filename,label\na,x\né,y\n", "latin-1")
    with pytest.raises(InputError, match="line 3 is not UTF-8"):
        read_labels_file(path)


def test_a_file_that_cannot_be_read(tmp_path):
    for path, reason in ((tmp_path / "no.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=f"cannot be read: {reason}"):
            read_labels_file(path)


def test_the_digest_is_that_of_the_file(tmp_path):
    path = _write(tmp_path, "filename,label\na,x\nb,y\n")
    assert labels_digest(str(path)) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert labels_digest(FOLDERS) == ""
    with pytest.raises(InputError, match="cannot be read"):
        labels_digest(str(tmp_path / "no.csv"))
