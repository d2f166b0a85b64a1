"""ONNX as we use it: graphs to build up and to rewrite, without a layer or a spec in sight."""
