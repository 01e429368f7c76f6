"""What a served model is made of: its signatures, its warm-up requests, and ONNX."""
