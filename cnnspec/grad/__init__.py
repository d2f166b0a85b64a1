"""Reverse mode over ONNX graphs: it knows operators, not layers."""
