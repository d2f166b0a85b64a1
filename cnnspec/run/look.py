"""What does a network look at in one input, and how little would make it say something else?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.model.graph import Graph
from cnnspec.run.answers import Class, kinds_of, labels_of
from cnnspec.run.look_answer import (
    Reading,
    best,
    direction,
    probabilities,
    ranked,
    reading,
    scores,
    where,
)
from cnnspec.run.look_attack import Attack, Kind, Range, attack, need_eps
from cnnspec.run.look_kernels import Kernels, kernels
from cnnspec.run.look_layers import Layer, chosen, has_places, layers, usual, where_last
from cnnspec.run.look_model import CannotSlope, Opened, Sloped
from cnnspec.run.look_occlusion import Occlusion, occlusion
from cnnspec.run.look_occlusion import usual as usual_patch
from cnnspec.run.look_view import View
from cnnspec.run.looking import cam, strongest
from cnnspec.text.record import record

if TYPE_CHECKING:
    import onnx

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]

MOST_MAPS = 32
MOST_LAYERS = 48
MOST_CAMS = 4

NOT_SHOWN = "what it hangs on is not shown"

NO_CLASS = {"masks": "a class for each place", "numbers": "numbers", "picture": "a picture"}


@record
class Wishes:
    """What is asked for."""

    layers: Sequence[str] = ()
    """Names, beginnings of names or patterns; without them some along the way."""
    label: str | None = None
    """The class that is asked about, by name or number; otherwise what the network says."""
    top: int = 5
    occlude: Sequence[int] | None = None
    """The size of the patch, one number or one for each axis."""
    attack: Kind | None = None
    eps: float | None = None
    steps: int = 20


@record
class Given:
    """A model with one input for it."""

    proto: "onnx.ModelProto"
    graph: Graph | None
    """What it was compiled from, where that is known."""
    feeds: Arrays
    """The input as the model takes it, with its batch."""
    views: Sequence[View]
    name: str
    """What the input is called."""
    labels: Sequence[str] | None = None
    truth: int | None = None
    """The class that it is, where that is known."""


@record
class Maps:
    """What a layer makes of the input."""

    layer: Layer
    shape: tuple[int, ...]
    values: Array
    """Of many maps the first."""
    low: float
    high: float
    """The least and the largest number of the layer, among those that are finite."""
    dead: int
    """Maps that are the same in every place, or of a vector the numbers that are 0."""


@record
class Cam:
    """Where in the maps of a layer is what speaks for the class."""

    layer: str
    values: Array


@record
class Look:
    """All that was found. Inputs are by their names, channels first."""

    name: str
    how: Reading
    top: Sequence[Class]
    label: str
    """The class that all is about."""
    index: int
    inputs: Mapping[str, Array]
    views: Mapping[str, View]
    saliency: Mapping[str, Array]
    """How much the score hangs on each place: the largest of the channels."""
    times_input: Mapping[str, Array]
    """Slope times input, summed over the channels: what each place adds to the score, or takes."""
    cams: Sequence[Cam]
    occlusion: Occlusion | None
    attack: Attack | None
    sure: tuple[float, float] | None
    """How sure the network is of its answer before the attack, and of the new one after it."""
    kernels: Sequence[Kernels]
    maps: Sequence[Maps]
    layer_count: int
    truth: str | None
    """The class that it is, where that is known."""
    notes: Sequence[str]
    """What could not be had, and why."""


def look(given: Given, wishes: Wishes) -> Look:
    """Raises `NoLayer`, `NoClass`, and what the runtime raises."""
    if not all(np.isfinite(x).all() for x in given.feeds.values()):
        raise ValueError(f"{given.name}: it has numbers that are not finite")
    return _Looking(given, wishes).done()


class _Looking:
    def __init__(self, given: Given, wishes: Wishes) -> None:
        self.given, self.wishes = given, wishes
        self.notes: list[str] = []
        self.opened = o = Opened(given.proto, given.feeds)
        self.known = layers(o, given.graph)
        self.shown = self._shown()
        found = o.values(given.feeds, [o.output, o.last])
        n = len(next(iter(given.feeds.values())))
        for name, x in found.items():
            if x.ndim == 0 or len(x) != n:
                raise ValueError(f"the output `{name}` does not have one entry for each input")
        self.y, self.z = found[o.output][0], found[o.last][0]
        metadata = {p.key: p.value for p in given.proto.metadata_props}
        kind = kinds_of(metadata).get(o.output, "")
        labels = given.labels or labels_of(metadata)
        self.how = reading(self.y, o.last_op, kind, labels, given.graph)
        if not np.isfinite(self.z).all():
            self.notes.append("the answer has numbers that are not finite: it is no class")
            self.how = replace(self.how, gives="picture")
        self.p = probabilities(self.y, self.how)
        self.said = best(self.z, self.how) if self.how.gives != "picture" else 0
        self.k = self.said
        if self.how.gives != "picture":
            self.k = self.how.numbered(wishes.label, self.said)
        self.cam_of = self._cam_of()
        self.sloped = self._sloped()

    def done(self) -> Look:
        saliency, times, cams = self._why()
        found = self._attacked()
        views = {v.name: v for v in self.given.views}
        return Look(
            self.given.name,
            self.how,
            ranked(self.p, self.how, self.wishes.top) if self._is_of_numbers else [],
            self.how.label(self.k),
            self.k,
            {name: self._input(v) for name, v in views.items()},
            views,
            saliency,
            times,
            cams,
            self._occluded(),
            found,
            self._sure(found),
            kernels(self.opened, [m.name for m in self.shown], self.given.views),
            self._maps(),
            len(self.known),
            None if self.given.truth is None else self.how.label(self.given.truth),
            self.notes,
        )

    # ── layers ─────────────────────────────────────────────────────────────────────────────────

    def _shown(self) -> list[Layer]:
        if not self.wishes.layers:
            return usual(self.known, self.opened, self.given.graph)
        found = chosen(self.known, self.opened, self.wishes.layers)
        if len(found) > MOST_LAYERS:
            self.notes.append(f"of {len(found)} layers that are meant the first {MOST_LAYERS}")
        return found[:MOST_LAYERS]

    def _maps(self) -> list[Maps]:
        names = [layer.name for layer in self.shown]
        found = self.opened.values(self.given.feeds, names) if names else {}
        return [_maps(layer, found[layer.name][0]) for layer in self.shown]

    # ── slopes ─────────────────────────────────────────────────────────────────────────────────

    def _cam_of(self) -> list[str]:
        if self.wishes.layers:
            named = [x.name for x in self.shown if has_places(self.opened.shape(x.name))]
            if len(named) > MOST_CAMS:
                self.notes.append(f"Grad-CAM of the last {MOST_CAMS} of {len(named)} layers")
            return named[-MOST_CAMS:]
        last = where_last(self.opened, self.given.graph)
        return [last] if last is not None else []

    def _sloped(self) -> Sloped | None:
        if self.how.gives == "picture":
            size = "x".join(map(str, self.y.shape))
            said = f"the output of {size} is taken for a picture, which has no classes"
            self.notes.append(f"{NOT_SHOWN}: {said}")
            return None
        by = [v.name for v in self.given.views]
        distance = self.how.is_distance
        try:
            try:
                return self.opened.sloped([*by, *self.cam_of], is_distance=distance)
            except CannotSlope as fault:
                if not self.cam_of:
                    raise
                found = self.opened.sloped(by, is_distance=distance)
                self.notes.append(f"Grad-CAM is not shown: {fault}")
                self.cam_of = []
                return found
        except CannotSlope as fault:
            self.notes.append(f"{NOT_SHOWN}: {fault}")
            self.cam_of = []
            return None

    def _why(self) -> tuple[dict[str, Array], dict[str, Array], list[Cam]]:
        if self.sloped is None:
            return {}, {}, []
        d = direction(self.sloped.shape, self.z, self.k, self.how)
        by = [*(v.name for v in self.given.views), *self.cam_of]
        found = self.sloped.slopes(self.given.feeds, d, by)
        saliency: dict[str, Array] = {}
        times: dict[str, Array] = {}
        for v in self.given.views:
            slope = v.seen(found[v.name][0])
            saliency[v.name] = strongest(slope[None])[0].reshape(v.places)
            times[v.name] = (slope * self._input(v)).sum(0)
        values = self.opened.values(self.given.feeds, self.cam_of) if self.cam_of else {}
        cams = [Cam(name, cam(values[name][:1], found[name][:1])[0]) for name in self.cam_of]
        return saliency, times, cams

    # ── what changes the answer ────────────────────────────────────────────────────────────────

    def _occluded(self) -> Occlusion | None:
        views = self.given.views
        if self.how.gives == "picture":
            return None
        if len(views) > 1:
            names = ", ".join(f"`{v.name}`" for v in views)
            self.notes.append(f"no occlusion map: the network takes several inputs, {names}")
            return None
        (v,) = views
        size = self.wishes.occlude or usual_patch(v.places)
        if len(size) == 1:
            size = tuple(size) * len(v.places)
        if len(size) != len(v.places):
            axes = "x".join(map(str, v.places))
            raise ValueError(f"a patch of {len(size)} sizes does not fit an input of {axes}")
        return occlusion(self._certainty(), self._input(v), size)

    def _certainty(self) -> Callable[[Array], NDArray[np.float64]]:
        """From inputs to the probability of the class, or to the number that is asked about."""
        has = where(self.z, self.how) == self.k if self.how.gives == "masks" else None

        def one(y: NDArray[Any]) -> float:
            if has is None:
                return float(probabilities(y, self.how)[self.k])
            z = y.astype(np.float64)
            e = np.exp(z - z.max(0))
            return float((e / e.sum(0))[self.k][has].mean()) if has.any() else 0.0

        def many(x: Array) -> NDArray[np.float64]:
            names = [self.opened.last if has is not None else self.opened.output]
            return np.array([one(y) for y in self._run(x, names[0])])

        return many

    def _run(self, x: Array, name: str) -> Sequence[NDArray[Any]]:
        """A value of the graph for several inputs: as many at a time as the model takes."""
        (v,) = self.given.views
        given = v.given(x)
        n = self._fixed() or len(given)
        found: list[NDArray[Any]] = []
        for k in range(0, len(given), n):
            group = given[k : k + n]
            filled = np.concatenate([group, np.repeat(group[-1:], n - len(group), 0)])
            ys = self.opened.values({v.name: filled}, [name])[name]
            found += list(ys[: len(group)])
        return found

    def _fixed(self) -> int | None:
        """How many inputs the model takes at a time, if that is fixed."""
        dims = self.given.proto.graph.input[0].type.tensor_type.shape.dim
        return dims[0].dim_value or None

    def _attacked(self) -> Attack | None:
        if self.wishes.attack is None:
            return None
        if self.how.gives not in ("classes", "yes or no"):
            what = NO_CLASS[self.how.gives]
            self.notes.append(f"no attack: the network gives {what}, no one class to flip")
            return None
        if len(self.given.views) > 1 or self.sloped is None:
            why = "there are no slopes" if self.sloped is None else "it takes several inputs"
            self.notes.append(f"no attack: {why}")
            return None
        (v,) = self.given.views
        within = Range(v.low, v.high, v.is_whole)
        x = self._input(v)
        most = need_eps(self.wishes.eps, within, x)
        return attack(self, x, self.wishes.attack, most, self.wishes.steps, within)

    def scores(self, x: Array) -> NDArray[np.float64]:
        (z,) = self._run(x[None], self.opened.last)
        return scores(z, self.how)

    def slope(self, x: Array, direction: NDArray[np.float64]) -> Array:
        (v,) = self.given.views
        assert self.sloped is not None, "an attack needs slopes"
        shape = self.sloped.shape
        d = np.broadcast_to(direction.reshape(1, *shape[1:]), shape)
        feeds = {v.name: np.repeat(v.given(x)[None], shape[0], 0)}
        return v.seen(self.sloped.slopes(feeds, d, [v.name])[v.name][0])

    def _sure(self, found: Attack | None) -> tuple[float, float] | None:
        if found is None or found.x is None or found.after is None:
            return None
        (y,) = self._run(found.x[None], self.opened.output)
        return float(self.p[found.before]), float(probabilities(y, self.how)[found.after])

    # ── parts ──────────────────────────────────────────────────────────────────────────────────

    @property
    def _is_of_numbers(self) -> bool:
        return self.how.gives not in ("masks", "picture")

    def _input(self, v: View) -> Array:
        return v.seen(self.given.feeds[v.name][0])


def _maps(layer: Layer, x: NDArray[Any]) -> Maps:
    values = x.astype(np.float32)
    finite = values[np.isfinite(values)]
    low, high = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
    low, high = (low, high) if finite.size else (0.0, 0.0)
    if values.ndim > 1 and values[0].size > 1:
        flat = values.reshape(len(values), -1)
        dead = int((flat.max(1) == flat.min(1)).sum())
        return Maps(layer, x.shape, values[:MOST_MAPS], low, high, dead)
    return Maps(layer, x.shape, values.reshape(-1), low, high, int((values == 0).sum()))
