"""Models at work: the only place that meets ONNX Runtime, files of weights, and pictures."""
