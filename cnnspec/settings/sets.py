"""The data sets: what is trained on?"""

from typing import cast

from cnnspec.settings.base import Targets, table
from cnnspec.settings.data import PATH, Labelled, Numbers, Pictures, Split
from cnnspec.vocab.param import Many, Name, OneOf, Whole, choice, flag, name, of, whole

DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
CLOTHES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
THINGS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SEASONS = ("October to March", "April to September")

# ── sets that have a name ──────────────────────────────────────────────────────────────────────


class Mnist10k(Labelled):
    """10,000 handwritten digits of MNIST, 1x28x28; they come with cnnspec."""

    kind = "mnist10k"
    shape = (1, 28, 28)
    all_classes = 10
    all_names = DIGITS
    examples = (10_000, 0)


class Digits(Mnist10k):
    """Another name of mnist10k: 10,000 handwritten digits, 1x28x28; they come with cnnspec."""

    kind = "digits"


class ItalyPowerDemand(Numbers):
    """Days of electricity demand in Italy, 1x24, of winter or summer; they come with cnnspec.

    67 days are for training, 1,029 for test.
    """

    kind = "italy_power_demand"
    shape = (1, 24)
    all_classes = 2
    all_names = SEASONS
    examples = (67, 1029)

    split: tuple[float, ...] = of(
        Split(), "the parts for training and validation", default=(0.8, 0.2)
    )


class Original(Labelled):
    """Base of the sets that are read from their original files."""

    path: str | None = name(
        "the folder of its files, otherwise where they are usually kept",
        what=PATH,
        default=None,
    )
    split: tuple[float, ...] = of(
        Split(), "the parts for training and validation", default=(0.9, 0.1)
    )


class Mnist(Original):
    """Handwritten digits, 1x28x28: 60,000 for training, 10,000 for test. (LeCun et al., 1998)"""

    kind = "mnist"
    shape = (1, 28, 28)
    all_classes = 10
    all_names = DIGITS
    examples = (60_000, 10_000)


class FashionMnist(Original):
    """Articles of clothing, 1x28x28: 60,000 for training, 10,000 for test. (Xiao et al., 2017)"""

    kind = "fashion_mnist"
    shape = (1, 28, 28)
    all_classes = 10
    all_names = CLOTHES
    examples = (60_000, 10_000)


class Cifar10(Original):
    """Small photographs, 3x32x32, of 10 classes: 50,000 and 10,000. (Krizhevsky, 2009)"""

    kind = "cifar10"
    shape = (3, 32, 32)
    all_classes = 10
    all_names = THINGS
    examples = (50_000, 10_000)


class Cifar100(Original):
    """Small photographs, 3x32x32, of 100 classes: 50,000 and 10,000. (Krizhevsky, 2009)"""

    kind = "cifar100"
    shape = (3, 32, 32)
    all_classes = 100
    examples = (50_000, 10_000)

    labels: str = choice("the 100 classes, or the 20 above them", "fine", "coarse", default="fine")

    def class_count(self) -> int | None:
        return 20 if self.labels == "coarse" and self.classes is None else super().class_count()


# ── sets of the user's ─────────────────────────────────────────────────────────────────────────


class Folder(Labelled):
    """Pictures, a folder for each class; above these there may be folders train, val and test.

    The classes are the folders' names in the order of the alphabet. What the folders divide is not
    divided again: `split` serves for the parts that are missing. Their folders may also be called
    training, valid, validation or testing, with `set` behind it, in small letters or capitals.
    """

    kind = "folder"
    positional = ("path",)

    path: str = name("the folder", what=PATH)


class Arrays(Numbers):
    """A file of NumPy arrays (npz): the examples, batch first, and their targets.

    Arrays `x_val`, `y_val`, `x_test` and `y_test` are validation and test examples.
    """

    kind = "npz"
    positional = ("path",)
    gives = None

    path: str = name("the file", what=PATH)
    x: str = name("the array of examples", default="x")
    y: str = name("the array of targets", default="y")
    targets: str = choice(
        "what the targets are; `auto` takes whole numbers and words for classes. Pixels of class "
        "-1 in masks do not count",
        "auto",
        "classes",
        "masks",
        "pictures",
        "numbers",
        default="auto",
    )

    def targets_given(self) -> Targets | None:
        return None if self.targets == "auto" else cast("Targets", str(self.targets))


class Table(Numbers):
    """A table of numbers (csv), an example in each row: its target, then a series or a vector."""

    kind = "csv"
    positional = ("path",)
    gives = None

    path: str = name("the file", what=PATH)
    test: str | None = name("a second file, of test examples", what=PATH, default=None)
    target: int | str = of(
        OneOf(Whole(0), Name()), "the column of the target, by number from 0 or by name", default=0
    )
    header: bool = flag("has the names of its columns in the first row", default=False)
    targets: str = choice(
        "what the targets are; `auto` takes whole numbers and words for classes",
        "auto",
        "classes",
        "numbers",
        default="auto",
    )

    def targets_given(self) -> Targets | None:
        return None if self.targets == "auto" else cast("Targets", str(self.targets))


class Masks(Pictures):
    """Pictures and, under the same names in a second folder, masks: a class for each pixel."""

    kind = "masks"
    positional = ("images", "masks")
    gives = "masks"

    images: str = name("the folder of pictures", what=PATH)
    masks: str = name("the folder of masks", what=PATH)
    values: tuple[int, ...] | None = of(
        Many(Whole(0, 255), least=2),
        "the grey that stands for each class, otherwise 0, 1, 2 and so on",
        default=None,
    )
    ignore: int | None = whole(
        "the grey of pixels that do not count", least=0, most=255, default=None
    )

    def class_count(self) -> int | None:
        return None if self.values is None else len(self.values)


class Pairs(Pictures):
    """Pictures and, under the same names in a second folder, what shall be made of them."""

    kind = "pairs"
    positional = ("inputs", "targets")
    gives = "pictures"

    inputs: str = name("the folder of inputs", what=PATH)
    targets: str = name("the folder of targets", what=PATH)


DATA = table(
    Digits,
    Mnist10k,
    ItalyPowerDemand,
    Mnist,
    FashionMnist,
    Cifar10,
    Cifar100,
    Folder,
    Arrays,
    Table,
    Masks,
    Pairs,
)

ELSEWHERE = {
    "mnist_10k": "mnist10k",
    "fashionmnist": "fashion_mnist",
    "fashion": "fashion_mnist",
    "cifar": "cifar10",
    "image_folder": "folder",
    "imagefolder": "folder",
    "directory": "folder",
    "italy": "italy_power_demand",
    "numpy": "npz",
    "npy": "npz",
    "table": "csv",
    "segmentation": "masks",
    "restoration": "pairs",
}
