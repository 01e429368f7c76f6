"""The precision of training, and what is left of it afterwards."""

import keras
import pytest

from tf_scl import precision


@pytest.mark.parametrize(
    "text, expected",
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 la57\n", "mixed_bfloat16"),
        ("flags : fpu amx_bf16\n", "mixed_bfloat16"),
        ("Features : fp asimd i8mm bf16\n", "mixed_bfloat16"),
        ("flags : fpu avx512f\nbugs : avx512_bf16\n", "float32"),
        ("", "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_in_it(
    text, expected, tmp_path, monkeypatch
):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    flags = precision._processor_flags(cpuinfo)
    monkeypatch.setattr(precision, "_processor_flags", lambda: flags)
    assert precision.policy_name("auto") == expected
    assert precision.policy_name("mixed_float16") == "mixed_float16"


def test_a_machine_that_does_not_tell_has_float32(tmp_path):
    assert precision._processor_flags(tmp_path / "none") == set()


def test_layers_are_made_in_it_and_the_policy_is_as_before(monkeypatch):
    monkeypatch.setattr(precision, "_processor_flags", lambda: {"avx512_bf16"})
    before = keras.config.dtype_policy().name
    with precision.layers_in("auto"):
        assert keras.layers.Dense(2).compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == before
