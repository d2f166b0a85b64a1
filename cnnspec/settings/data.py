"""The data: what is trained on."""

from cnnspec.settings.base import Word, table
from cnnspec.vocab.param import Many, Number, choice, name, number, of, whole


class Data(Word):
    """Base of the data sets. `split` gives the shares of training, validation and test examples
    where the set has no division of its own."""

    split: tuple[float, ...] = of(
        Many(Number(least=0), least=2), "shares for training, validation and test", default=None
    )
    limit: int = whole("use only so many examples", default=None)


class Digits(Data):
    """10,000 handwritten digits of MNIST, 28 by 28; they come with cnnspec."""

    kind = "digits"


class Mnist10k(Digits):
    """10,000 handwritten digits of MNIST, 28 by 28; they come with cnnspec. Also called
    `digits`."""

    kind = "mnist10k"


class ItalyPowerDemand(Data):
    """Days of electricity demand in Italy, 24 hours each, winter or summer; they come with
    cnnspec."""

    kind = "italy_power_demand"


class Mnist(Data):
    """MNIST: 70,000 handwritten digits, 28 by 28, in its original files."""

    kind = "mnist"


class FashionMnist(Data):
    """Fashion-MNIST: 70,000 articles of clothing, 28 by 28, in its original files."""

    kind = "fashion_mnist"


class Cifar10(Data):
    """CIFAR-10: 60,000 pictures of 10 classes, 3 by 32 by 32, in its binary files."""

    kind = "cifar10"


class Cifar100(Data):
    """CIFAR-100: 60,000 pictures of 100 classes, 3 by 32 by 32, in its binary files."""

    kind = "cifar100"

    labels: str = choice("which labels", "fine", "coarse", default="fine")


class Folder(Data):
    """Pictures in one folder for each class, within train, val and test folders if there are
    such."""

    kind = "folder"
    positional = ("path",)

    path: str = name("the folder", what="a path in quotes")


class Arrays(Data):
    """A file of NumPy arrays (npz) with the examples and their labels."""

    kind = "npz"
    positional = ("path",)

    path: str = name("the file", what="a path in quotes")
    x: str = name("the array of examples", default="x")
    y: str = name("the array of labels", default="y")


class Table(Data):
    """A table of numbers (csv), one example a row: the label and then the series, or a flat
    vector."""

    kind = "csv"
    positional = ("path",)

    path: str = name("the file", what="a path in quotes")
    label: int = whole("the column of the label, from 0", least=0, default=0)
    test: str = name("a file of test examples", what="a path in quotes", default=None)


class Masks(Data):
    """Pictures and, under the same names in another folder, masks of their classes
    (segmentation)."""

    kind = "masks"
    positional = ("images", "masks")

    images: str = name("the folder of pictures", what="a path in quotes")
    masks: str = name("the folder of masks", what="a path in quotes")


class Pairs(Data):
    """Pictures and, under the same names in another folder, what shall be made of them
    (restoration)."""

    kind = "pairs"
    positional = ("inputs", "targets")

    inputs: str = name("the folder of inputs", what="a path in quotes")
    targets: str = name("the folder of targets", what="a path in quotes")
    noise: float = number("noise added to the inputs, as a share of the range", least=0, default=0)


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
