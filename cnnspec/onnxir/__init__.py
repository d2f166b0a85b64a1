"""ONNX as cnnspec uses it; knows nothing of layers or specs."""
