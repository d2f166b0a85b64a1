"""What programs are there? Drawn from a seed, over every kind of layer: small and right.

A drawn network is well conditioned too: what makes numbers large is followed by what makes them
small again, and what is steep somewhere (a root, a logarithm, a quotient) is kept away from there.
Otherwise two correct runtimes differ visibly, and the comparison says nothing.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod

from cnnspec.layers import FAMILIES, KINDS
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.value import Shape, Word

LARGEST = 1500
"""Numbers in a value; a layer that would make more is drawn again."""

Args = dict[str, object]
Drawn = tuple[list[str], Shape]
"""Steps of a flow, and the shape of what they make."""

INITS = ("he", "xavier", "lecun", "orthogonal", "normal", "ones")

BEFORE = {
    "sqrt": "abs -> affine add=0.1",
    "log": "abs -> affine add=0.1",
    "l2norm": "abs -> affine add=0.1",
    "exp": "clip (-2) 2",
}
"""What keeps a steep function away from where it is steep."""

GROWS = {
    *("square", "exp", "affine", "scale", "reduce", "lppool", "subsampling", "deconv", "local"),
    *("add", "mul", "matmul"),
}
"""Kinds that may make numbers larger."""

SHRINK = ("tanh", "clip (-3) 3", "scaledtanh", "sigmoid", "affine mul=0.1", "ln eps=0.1")


def program(seed: int) -> str:
    """A right network."""
    return Writer(random.Random(seed)).program()


@dataclass
class Writer:
    r: random.Random
    labels: dict[str, Shape] = field(default_factory=dict[str, Shape])
    blocks: list[str] = field(default_factory=list[str])

    # ── the whole ──────────────────────────────────────────────────────────────────────────────

    def program(self) -> str:
        lines, x = self.inputs()
        steps = self.r.randint(3, 7)
        for k in range(steps):
            draw = self.r.random()
            if draw < 0.08:
                found, x = self.block(x)
            elif draw < 0.16:
                found, x = self.shared(x)
            elif draw < 0.22 and k < steps - 1:
                lines.append(self.head(x))
                continue
            else:
                found, x = self.steps(x, 1)
            if self.r.random() < 0.2 and not found[-1].startswith("repeat"):
                name = self.name("v")
                found[-1] += f" as {name}"
                self.labels[name] = x
            lines += [" -> ".join(found)] if self.r.random() < 0.5 else found
        body = "\n".join(f"  {line}" for line in lines)
        return "\n".join([*self.blocks, "network {", body, "}"])

    def inputs(self) -> Drawn:
        if self.r.random() < 0.15:
            first, x = self.input()
            name = self.name("left")
            self.labels[name] = x
            second, y = self.input()
            fit = [name, *self.fit(x, y)]
            joined = f"{self.r.choice(['add', 'max', 'mean'])} {{ | | {' -> '.join(fit)} }}"
            return [f"{first} as {name}", second, joined], y
        line, x = self.input()
        return [line], x

    def input(self) -> tuple[str, Shape]:
        r = self.r
        rank = r.choice((0, 1, 2, 2, 2, 3))
        most = (12, 12, 9, 6)[rank]
        channels = r.randint(6, 24) if not rank else r.choice((1, 2, 3, 4, 6, 8))
        x = (channels, *(r.randint(3, most) for _ in range(rank)))
        given: Args = {"size": x if rank else x[0]}
        if r.random() < 0.3:
            given |= {"type": Word("uint8"), "scale": 1 / 255}
        elif r.random() < 0.2:
            given["scale"] = r.choice((0.5, 2))
        if rank and r.random() < 0.25:
            given["layout"] = Word("hwc")
        for name, low in (("mean", -0.5), ("std", 0.5)):
            if r.random() < 0.25:
                n = r.choice((1, channels))
                given[name] = tuple(round(r.uniform(low, low + 1), 2) for _ in range(n))
        return KINDS["input"](**given).text(), x

    def name(self, stem: str) -> str:
        self.labels[f"#{len(self.labels)}"] = ()
        return f"{stem}{len(self.labels)}"

    def block(self, x: Shape) -> Drawn:
        """A block that keeps the shape, used more than once, with weights of its own or shared."""
        name = self.name("b")
        inside, y = self.steps(x, self.r.randint(1, 2), depth=1)
        inside += [self.keeping(y), *self.fit(y, x), "tanh"]
        self.blocks.append(f"block {name} {{ {' -> '.join(inside)} }}")
        match self.r.randrange(3):
            case 0:
                return [f"repeat 2 {{ {name} }}"], x
            case 1:
                use = self.name("u")
                return [f"{name} as {use}", f"{name} weights={use}"], x
            case _:
                return [name, name], x

    def shared(self, x: Shape) -> Drawn:
        """A layer twice with the same weights."""
        label = self.name("w")
        text = self.keeping(x)
        return [f"{text} as {label}", "relu", f"{text} weights={label}", "tanh"], x

    def keeping(self, x: Shape) -> str:
        """A layer with weights that keeps the shape."""
        if len(x) == 1:
            return f"fc {x[0]}"
        rank = len(x) - 1
        kernel = "x".join(str(self.r.randint(1, 3)) for _ in range(rank))
        return self.r.choice((f"conv {x[0]} {kernel} pad=same", f"deconv {x[0]} {kernel} pad=same"))

    def head(self, x: Shape) -> str:
        inside, _ = self.steps(x, self.r.randint(1, 2), depth=1)
        return f"head {self.name('h')} {{ {' -> '.join(inside)} }}"

    # ── steps ──────────────────────────────────────────────────────────────────────────────────

    def steps(self, x: Shape, n: int, depth: int = 0) -> Drawn:
        found: list[str] = []
        for _ in range(n):
            more, x = self.step(x, depth)
            found += more
        return found, x

    def step(self, x: Shape, depth: int) -> Drawn:
        while True:
            family = self.r.choice([f for f in FAMILIES if f != "input"])
            kind = self.r.choice(FAMILIES[family]).kind
            if KINDS[kind].is_merge:
                if depth > 1:
                    continue
                found, y = self.merge(kind, x, depth)
            elif kind == "rbf":
                flat = ["flatten"] if len(x) > 1 else []
                found, y = [*flat, "fc 84", "tanh", "rbf", "affine mul=0.01"], (10,)
            else:
                drawn = self.call(kind, x)
                if drawn is None:
                    continue
                text, y = drawn
                found = [*([BEFORE[kind]] if kind in BEFORE else []), text]
            if prod(y) > LARGEST:
                continue
            if kind in GROWS:
                found.append(self.r.choice(SHRINK))
            return found, y

    def call(self, kind: str, x: Shape) -> tuple[str, Shape] | None:
        """A use of a kind that takes this shape, or none after a few tries."""
        for _ in range(8):
            given = arguments(self.r, kind, x)
            if given is None:
                return None
            layer = KINDS[kind](**given)
            try:
                return layer.text(), layer.shape(x)
            except Refusal:
                continue
        return None

    # ── branches ───────────────────────────────────────────────────────────────────────────────

    def merge(self, kind: str, x: Shape, depth: int) -> Drawn:
        r = self.r
        n = 2 if kind in ("sub", "div", "matmul") else r.choice((1, 2, 2, 3))
        branches = [self.branch(x, depth) for _ in range(n)]
        words, y = kind, branches[0][1]
        if kind == "concat" and r.random() < 0.4 and len(y) > 1:
            axis = r.choice(_names(y))
            words += f" axis={axis}"
        steps = [branches[0][0]]
        if kind == "matmul":
            return self.matmul(branches, x)
        for found, z in branches[1:]:
            target = y
            if kind == "concat" and words == "concat":
                target = (z[0], *y[1:])
            found = [*found, *self.fit(z, target)]
            if kind != "concat" and len(y) > 1 and r.random() < 0.3:
                # An axis of size 1 fits any other.
                found.append(f"reduce mean {r.choice((*_names(y), 'channels', 'space'))}")
            steps.append(found)
        if kind == "div":
            steps[1] = [*steps[1], "abs", "affine add=0.5"]
        sizes = [y, *(z for _, z in branches[1:])]
        text = f"{words} {{ {' '.join('| ' + ' -> '.join(s) for s in steps)} }}"
        if kind == "concat":
            axis = 0 if words == "concat" else 1 + _names(y).index(words.rpartition("=")[2])
            total = sum(z[0] for z in sizes) if axis == 0 else y[axis] * n
            y = tuple(total if i == axis else m for i, m in enumerate(y))
        return [text], y

    def branch(self, x: Shape, depth: int) -> Drawn:
        draw = self.r.random()
        if draw < 0.25:
            return [], x
        real = [name for name, size in self.labels.items() if size]
        if draw < 0.4 and real and depth == 0:
            name = self.r.choice(real)
            return [name], self.labels[name]
        found, y = self.steps(x, self.r.randint(1, 2), depth + 1)
        return (["in", *found] if self.r.random() < 0.1 else found), y

    def matmul(self, branches: Sequence[Drawn], x: Shape) -> Drawn:
        """Of equal branches, one turned: rows of a with rows of b."""
        (a, y), (b, z) = branches
        if len(y) == 1:
            a, y = [*a, f"reshape 1x{y[0]}"], (1, y[0])
        b = [*b, *self.fit(z, y)]
        made = (*y[:-1], y[-2])
        if self.r.random() < 0.5:
            text = "matmul transpose=yes"
        else:
            last = len(y) - 1
            order = [*range(last - 1), last, last - 1]
            b, text = [*b, f"permute [{', '.join(map(str, order))}]"], "matmul"
        return [f"{text} {{ | {' -> '.join(a)} | {' -> '.join(b)} }}", "affine mul=0.1"], made

    def fit(self, x: Shape, y: Shape) -> list[str]:
        """What makes one shape of another."""
        if x == y:
            return []
        if len(x) != len(y) or len(y) == 1:
            flat = ["flatten"] if len(x) > 1 else []
            sized = [f"fc {prod(y)}"] if prod(x) != prod(y) else []
            return [*flat, *sized, *([f"reshape {_dims(y)}"] if len(y) > 1 else [])]
        found: list[str] = []
        small = tuple(map(min, x[1:], y[1:]))
        if small != x[1:]:
            word = self.r.choice(("avgpool", "maxpool", "lppool", "crop"))
            found.append(f"{word} to={_dims(small)}")
        if small != y[1:]:
            mode = self.r.choice(("", " mode=linear"))
            found.append(f"upsample to={_dims(y[1:])}{mode}")
        if x[0] != y[0]:
            found.append(f"conv {y[0]} {_dims([1] * (len(y) - 1))}")
        return found


def _dims(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _names(x: Shape) -> tuple[str, ...]:
    """The words for the axes behind the channels."""
    return {1: (), 2: ("length",), 3: ("height", "width"), 4: ("depth", "height", "width")}[len(x)]


# ── arguments ──────────────────────────────────────────────────────────────────────────────────


def arguments(r: random.Random, kind: str, x: Shape) -> Args | None:
    """Arguments of a kind that are likely to fit a value of this shape; none if it takes none."""
    if len(x) == 1 and kind in MAPS_ONLY:
        return None
    if len(x) > 1 and kind == "fc":
        return None
    drawn = DRAW[kind](r, x) if kind in DRAW else {}
    return {name: value for name, value in drawn.items() if value is not None}


MAPS_ONLY = {
    *("conv", "deconv", "local", "maxpool", "avgpool", "lppool", "subsampling"),
    *("instancenorm", "lrn", "pixelshuffle", "pixelunshuffle", "channelshuffle"),
    *("upsample", "pad", "crop"),
}


def maybe(r: random.Random, value: object, share: float = 0.4) -> object:
    return value if r.random() < share else None


def sizes(r: random.Random, rank: int, low: int, high: int) -> object:
    """One number for all axes or one for each."""
    each = tuple(r.randint(low, high) for _ in range(rank))
    return each[0] if rank == 1 or r.random() < 0.4 else each


def padding(r: random.Random, rank: int, most: int = 2, *, valid: bool = True) -> object:
    match r.randrange(6):
        case 0 | 1:
            return None
        case 2:
            return Word(r.choice(("same", "valid") if valid else ("same",)))
        case 3:
            return sizes(r, rank, 0, most)
        case _:
            return tuple(r.randint(0, most) for _ in range(2 * rank))


def divisor(r: random.Random, n: int) -> int:
    return r.choice([d for d in range(1, n + 1) if n % d == 0])


def conv(r: random.Random, x: Shape) -> Args:
    rank = len(x) - 1
    groups = divisor(r, x[0]) if r.random() < 0.4 else 1
    filters = groups * r.randint(1, max(1, 8 // groups))
    given: Args = {
        "filters": filters,
        "kernel": sizes(r, rank, 1, 3 if r.random() < 0.8 else 5),
        "stride": maybe(r, sizes(r, rank, 1, 3)),
        "pad": padding(r, rank),
        "dilation": maybe(r, sizes(r, rank, 1, 2), 0.3),
        "groups": groups if groups > 1 else None,
        "bias": maybe(r, False),
        "init": maybe(r, Word(r.choice(INITS)), 0.1),
    }
    if groups == 1 and r.random() < 0.15:
        rows = [r.sample(range(x[0]), r.randint(1, x[0])) for _ in range(filters)]
        given["connect"] = tuple(map(tuple, rows))
    return given


def deconv(r: random.Random, x: Shape) -> Args:
    given = conv(r, x)
    rank = len(x) - 1
    given.pop("connect", None)
    if given["pad"] != "same":
        given["output_pad"] = maybe(r, sizes(r, rank, 0, 1), 0.3)
    return given


def local(r: random.Random, x: Shape) -> Args:
    given = conv(r, x)
    kept = ("kernel", "stride", "pad", "bias", "init")
    return {"filters": r.randint(1, 4), **{k: given[k] for k in kept}}


def pool(r: random.Random, x: Shape) -> Args:
    rank = len(x) - 1
    match r.randrange(6):
        case 0:
            return {"kernel": Word("global")}
        case 1 | 2:
            to = tuple(r.randint(1, n) for n in x[1:])
            return {"to": to[0] if rank == 1 else to}
        case _:
            kernel = sizes(r, rank, 1, 4)
            least = kernel if isinstance(kernel, int) else min(kernel)  # pyright: ignore
            return {
                "kernel": kernel,
                "stride": maybe(r, sizes(r, rank, 1, 3)),
                "pad": padding(r, rank, max(0, least - 1)),
                "ceil": maybe(r, r.random() < 0.8, 0.5),
            }


def avgpool(r: random.Random, x: Shape) -> Args:
    return pool(r, x) | {"count_pad": maybe(r, True)}


def lppool(r: random.Random, x: Shape) -> Args:
    return pool(r, x) | {"p": r.choice((None, 1, 2, 3, 1.5))}


def normal(r: random.Random, x: Shape) -> Args:
    # The default is so near to 0 that rounding is seen where a map is constant.
    eps = r.choice((1e-3, 1e-2, 0.1, 1))
    return {"eps": eps, "affine": maybe(r, r.random() < 0.5, 0.5)}


def upsample(r: random.Random, x: Shape) -> Args:
    rank = len(x) - 1
    mode = maybe(r, Word("linear"), 0.5)
    if r.random() < 0.5:
        return {"factor": sizes(r, rank, 1, 3), "mode": mode}
    to = tuple(n + r.randint(0, 5) for n in x[1:])
    return {"to": to[0] if rank == 1 else to, "mode": mode}


def pad(r: random.Random, x: Shape) -> Args:
    rank = len(x) - 1
    wide = (
        tuple(r.randint(0, 2) for _ in range(2 * rank))
        if r.random() < 0.5
        else sizes(r, rank, 0, 2)
    )
    mode = r.choice((None, "constant", "reflect", "edge"))
    fill = maybe(r, r.choice((1, -0.5))) if mode in (None, "constant") else None
    return {"size": wide, "mode": mode and Word(mode), "fill": fill}


def crop(r: random.Random, x: Shape) -> Args:
    rank = len(x) - 1
    if r.random() < 0.5:
        to = tuple(r.randint(1, n) for n in x[1:])
        return {"to": to[0] if rank == 1 else to}
    return {
        "size": tuple(r.randint(0, 1) for _ in range(2 * rank))
        if r.random() < 0.5
        else sizes(r, rank, 0, 1)
    }


def slices(r: random.Random, x: Shape) -> Args:
    axis = r.randrange(len(x))
    start = r.randrange(x[axis])
    end = r.randint(start + 1, x[axis])
    name = ("channels", *_names(x))[axis]
    return {"from": start, "to": maybe(r, end, 0.6), "axis": Word(name) if axis else None}


def reshape(r: random.Random, x: Shape) -> Args:
    left, found = prod(x), list[int]()
    for _ in range(r.randint(0, 3)):
        found.append(divisor(r, left))
        left //= found[-1]
    return {"size": (*found, left) if found else left}


def reduced(r: random.Random, x: Shape) -> Args:
    axes = (None, "channels", *_names(x), *(["space"] if len(x) > 1 else []))
    axis = r.choice(axes)
    how = Word(r.choice(("mean", "sum", "max", "min", "l2")))
    return {"how": how, "axis": axis and Word(axis)}


def softmax(r: random.Random, x: Shape) -> Args:
    return {"axis": Word("pixels") if len(x) > 1 and r.random() < 0.4 else None}


def subsampling(r: random.Random, x: Shape) -> Args:
    rank = len(x) - 1
    return {
        "kernel": sizes(r, rank, 1, 3),
        "stride": maybe(r, sizes(r, rank, 1, 3)),
        "how": maybe(r, Word("mean")),
    }


def permuted(r: random.Random, x: Shape) -> Args:
    order = r.sample(range(len(x)), len(x))
    return {"order": tuple(order) if len(order) > 1 else 0}


DRAW: dict[str, Callable[[random.Random, Shape], Args]] = {
    "conv": conv,
    "deconv": deconv,
    "local": local,
    "fc": lambda r, x: {"units": r.randint(1, 24), "bias": maybe(r, False)},
    "maxpool": pool,
    "avgpool": avgpool,
    "lppool": lppool,
    "bn": lambda r, x: normal(r, x) | {"eps": maybe(r, 1e-3), "momentum": maybe(r, 0.2)},
    "ln": lambda r, x: normal(r, x) | {"axes": maybe(r, Word("channels"), 0.5)},
    "gn": lambda r, x: normal(r, x) | {"groups": divisor(r, x[0])},
    "instancenorm": normal,
    "lrn": lambda r, x: {
        "size": r.randint(1, 6),
        "alpha": maybe(r, r.choice((0.5, 1e-3, 2))),
        "beta": maybe(r, r.choice((0.5, 1))),
        "k": maybe(r, 2),
    },
    "l2norm": lambda r, x: {"eps": maybe(r, 0.5)},
    "scale": lambda r, x: {
        "init": maybe(r, 0.5),
        "bias": maybe(r, True),
        "shared": maybe(r, True),
    },
    "dropout": lambda r, x: {"rate": maybe(r, 0.2), "channels": maybe(r, True)},
    "droppath": lambda r, x: {"rate": maybe(r, 0.2)},
    "relu": lambda r, x: {"max": maybe(r, 1)},
    "leaky": lambda r, x: {"slope": maybe(r, r.choice((0, 0.3)))},
    "prelu": lambda r, x: {"shared": maybe(r, True)},
    "elu": lambda r, x: {"alpha": maybe(r, 0.5)},
    "gelu": lambda r, x: {"form": maybe(r, Word(r.choice(("tanh", "exact"))), 0.6)},
    "scaledtanh": lambda r, x: {"a": maybe(r, 1.5), "b": maybe(r, 0.5)},
    "softmax": softmax,
    "logsoftmax": softmax,
    "log": lambda r, x: {"eps": maybe(r, 0.5)},
    "affine": lambda r, x: {"mul": maybe(r, r.choice((2, -0.5, 0.25))), "add": maybe(r, -0.5)},
    "clip": lambda r, x: {"low": r.choice((-1, -0.5)), "high": r.choice((0.5, 1, 2))},
    "reduce": reduced,
    "reshape": reshape,
    "permute": permuted,
    "slice": slices,
    "channelshuffle": lambda r, x: {"groups": divisor(r, x[0])},
    "pixelshuffle": lambda r, x: {"factor": r.randint(1, 3)},
    "pixelunshuffle": lambda r, x: {"factor": r.randint(1, 3)},
    "upsample": upsample,
    "pad": pad,
    "crop": crop,
    "subsampling": subsampling,
}
