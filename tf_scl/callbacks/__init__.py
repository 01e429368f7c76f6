"""What happens beside the steps of a training: `keras.callbacks.Callback`s."""
