"""Which nets of the zoo are tried in other engines, and how are they made small?"""

import re
from dataclasses import dataclass
from pathlib import Path

from cnnspec import Network, loads

OPSETS = (13, 17, 21)
SPECS = Path(__file__).resolve().parents[2] / "specs"


@dataclass(frozen=True)
class Net:
    """A net of the zoo, the opsets it is tried in, and what is changed in its text.

    Smaller inputs, ten classes, 256 hidden units for 4096, and in the nets with most weights a
    quarter of the maps save time; all else stays.
    """

    spec: str
    opsets: tuple[int, ...] = OPSETS
    input: str | None = None
    file: str | None = None
    """Where the text stands, for a spec that only uses another one."""
    params: tuple[tuple[str, int], ...] = (("classes", 10),)
    narrower: tuple[tuple[str, str], ...] = ()
    """What is written otherwise, to have a quarter of the maps."""

    def load(self) -> Network:
        text = (SPECS / (self.file or f"{self.spec}.cnn")).read_text(encoding="utf-8")
        if self.input is not None:
            line = re.compile(r"^  input .*?(?=$| as )", re.MULTILINE)
            text, changed = line.subn(f"  input {self.input}", text)
            assert changed, f"{self.spec} has no line for its input"
            text = text.replace("fc 4096 ", "fc 256 ")
            # What the net as it stands holds, costs and makes is not so for another input.
            text = re.sub(r"^ *expect .*\n", "", text, flags=re.M)
        for old, new in self.narrower:
            assert old in text, f"{self.spec} has no {old}"
            text = text.replace(old, new)
        return loads(text, **dict(self.params))

    def takes(self) -> str:
        """The shapes of its inputs, as the language writes them."""
        shapes = [node.shape or () for node in self.load().layers if not node.inputs]
        return ", ".join("x".join(map(str, shape)) for shape in shapes)


NETS = {
    net.spec: net
    for net in (
        Net("alexnet", input="3x64x64"),
        Net("cnn1d", params=()),
        Net("conv3d", params=()),
        Net(
            "convnext_tiny",
            input="3x64x64",
            narrower=(
                ("conv 96 ", "conv 24 "),
                ("[(192, 3), (384, 9), (768, 3)]", "[(48, 3), (96, 9), (192, 3)]"),
            ),
        ),
        Net("denoiser", params=()),
        Net(
            "densenet121",
            input="3x64x64",
            file="densenet.cnn",
            params=(("depth", 121), ("classes", 10)),
        ),
        Net(
            "efficientnet_b0",
            input="3x64x64",
            file="efficientnet.cnn",
            params=(("b", 0), ("classes", 10)),
        ),
        Net("googlenet", input="3x64x64"),
        Net("lenet5"),
        Net("lenet5_1998", params=()),
        Net("mlp", params=()),
        Net("mobilenet_v2", input="3x64x64"),
        Net("neocognitron", params=()),
        Net(
            "resnet18",
            input="3x64x64",
            file="resnet.cnn",
            params=(("depth", 18), ("classes", 10)),
            narrower=(("conv 64 ", "conv 16 "), ("64*2**stage", "16*2**stage")),
        ),
        Net("shufflenet_v2", input="3x64x64"),
        Net("siamese", input="1x73x73", params=()),
        Net("squeezenet1_1", input="3x64x64"),
        Net("super_resolution", params=()),
        Net("unet", input="1x32x32", params=()),
        Net(
            "vgg11",
            input="3x64x64",
            file="vgg.cnn",
            params=(("depth", 11), ("classes", 10)),
            narrower=(("conv maps ", "conv maps//4 "),),
        ),
    )
}
