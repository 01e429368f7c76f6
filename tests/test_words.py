"""One spelling, and the field's words: what was swept once does not come back."""

import pathlib
import re
import subprocess

import pytest

_ROOT = pathlib.Path(__file__).parent.parent
_SUFFIXES = {".py", ".pyi", ".md", ".html", ".css", ".ipynb", ".toml", ".cff", ".sh", ".yml"}
# British spelling, by stems; (old word, the one to use) for the rest.
_BRITISH = (
    "normalis optimis initialis serialis regularis minimis maximis recognis organis summaris "
    "generalis synchronis quantis visualis vectoris standardis solaris randomis colour neighbour "
    "behaviour favour centre labelled labelling learnt judgement spoilt grey cancelled modelling"
).split()
_WORDS = {
    r"set_quiet": "silence_tensorflow",
    r"start_xla": "warm_up_xla",
    r"written_aside": "atomic_write",
    r"embed_with_saved_models": "extract_features",
    r"served_network": "inference_model",
    r"StoredWeights": "ExportedWeights",
    r"decode_or_name": "decode_or_raise",
    r"several_(replicas|workers|hosts)": "multi_replica_context, is_multi_worker, is_multi_host",
    r"pass_over": "skip_batches",
    r"check_record": "check_metadata_db",
    r"only_run_in": "exclusive_lock",
    r"logical processors": "logical CPU devices",
}


def _files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("no checkout of git")
    paths = [_ROOT / name for name in listed.stdout.splitlines()]
    return [
        p for p in paths if p.suffix in _SUFFIXES and p.is_file() and p != pathlib.Path(__file__)
    ]


def test_no_old_word_is_left():
    pattern = re.compile("|".join([*_BRITISH, *_WORDS]), re.IGNORECASE)
    found = [
        f"{path.relative_to(_ROOT)}:{number}: {match[0]}"
        for path in _files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for match in pattern.finditer(line)
    ]
    assert not found, "write these in American English, or as `_WORDS` says:\n" + "\n".join(found)
