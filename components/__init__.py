"""TFX components of tf_scl: interfaces and thin executors; the work is in the library."""
