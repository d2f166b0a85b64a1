"""Which versions of ONNX are written, and which IR version goes with each?

The default of the installed onnx package is never used: it follows the newest release, which
runtimes accept only months later.
"""

OLDEST = 13
NEWEST = 26
"""What ONNX Runtime 1.31 accepts."""

DEFAULT = 17
"""The widest common target of other engines that has LayerNormalization."""

_IR_VERSIONS = ((26, 13), (24, 12), (23, 11), (22, 10), (20, 9), (18, 8), (14, 7))
"""For opsets up to the first number, the oldest IR version that the standard pairs with it."""


def ir_version(opset: int) -> int:
    """The IR version that an opset's release brought."""
    assert OLDEST <= opset <= NEWEST, f"opset {opset} is not written"
    return min((top, ir) for top, ir in _IR_VERSIONS if opset <= top)[1]
