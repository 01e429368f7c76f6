from tf_scl import cli
from tf_scl.search.index import read_index


def test_an_index_is_written_and_described(embedded, tmp_path, capsys):
    out = tmp_path / "index"
    assert cli.main(["index", str(embedded / "embeddings.parquet"), "--out", str(out)]) == 0
    assert capsys.readouterr().out == (
        f"wrote {out}: 14 images (192 numbers each), searched exactly\n"
    )
    assert len(read_index(out).ids) == 14


def test_mistakes_are_one_line(embedded, refused):
    assert "cannot read embeddings from 'nowhere.parquet'" in refused("index", "nowhere.parquet")
    again = "index", embedded / "embeddings.parquet", "--out", embedded / "index"
    assert "exists already; move it away" in refused(*again)
    nowhere = "index", embedded / "embeddings.parquet", "--out", "/proc/index"
    assert "cannot write '/proc/index': " in refused(*nowhere)
