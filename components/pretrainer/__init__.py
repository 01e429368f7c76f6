"""TFX's Trainer, running tf_scl's pretraining."""
