"""SavedModels: what is in them, what they sign for, and how they are written; ONNX."""
