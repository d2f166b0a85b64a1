"""What does a file take from other files, and what can be set from outside?"""

from collections.abc import Mapping

import pytest

from cnnspec.model.check import check
from cnnspec.model.graph import Graph
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source

BASE = """\
param n = 4
param k = 3
block unit(w) { fc w -> relu }
network Base { input 8
unit n
fc k }
train { optimizer adam lr=1e-3
epochs 5 }
"""


def checked(
    files: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> tuple[Graph | None, list[str]]:
    """The network of `main.cnn`, and what is said."""

    def read(path: str) -> Source:
        if path not in files:
            raise FileNotFoundError(path)
        return Source(path, files[path])

    sink = Sink()
    graph = check(read("main.cnn"), overrides or {}, sink, read)
    return graph, [f"{d.span.place()} {d.message}" for d in sink.ordered()]


def paths(files: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> list[str]:
    graph, said = checked(files, overrides)
    assert graph is not None, said
    assert said == []
    return [node.path for node in graph.nodes]


def test_a_variant_takes_the_network_and_sets_params() -> None:
    files = {
        "base.cnn": BASE,
        "main.cnn": 'use "base.cnn" n=7\nexpect params == 8*7 + 7 + 7*3 + 3\n',
    }
    assert paths(files) == ["input", "unit7.fc7", "unit7.fc7_relu", "fc3"]


def test_what_a_variant_leaves_open_can_be_set() -> None:
    files = {"base.cnn": BASE, "main.cnn": 'use "base.cnn" n=7\n'}
    assert paths(files, {"k": 2})[-1] == "fc2"


def test_what_a_variant_has_set_cannot() -> None:
    files = {"base.cnn": BASE, "main.cnn": 'use "base.cnn" n=7\n'}
    graph, said = checked(files, {"n": 2})
    assert graph is None
    assert said == ["--set:1:1 main.cnn has no param `n`"]


def test_a_param_is_handed_on() -> None:
    main = 'param width = 5\nuse "base.cnn" n=width\n'
    files = {"base.cnn": BASE, "main.cnn": main}
    assert paths(files)[1] == "unit5.fc5"
    assert paths(files, {"width": 6})[1] == "unit6.fc6"


def test_an_own_network_uses_the_blocks() -> None:
    main = 'use "base.cnn"\nnetwork Own { input 8\nunit 3 }\n'
    assert paths({"base.cnn": BASE, "main.cnn": main}) == ["input", "unit3.fc3", "unit3.fc3_relu"]


def test_a_block_sees_the_params_of_its_own_file() -> None:
    base = "param w = 4\nblock unit() { fc w }\n"
    main = 'use "base.cnn" w=6\nlet v = 1\nnetwork { input 8\nunit\nfc v }\n'
    assert paths({"base.cnn": base, "main.cnn": main}) == ["input", "unit.fc6", "fc1"]


def test_files_are_named_from_who_uses_them() -> None:
    files = {
        "main.cnn": 'use "a/b.cnn"\n',
        "a/b.cnn": 'use "c/d.cnn"\nuse "../e.cnn"\nnetwork { input 8\none\ntwo }\n',
        "a/c/d.cnn": "block one() { fc 1 }\n",
        "e.cnn": "block two() { fc 2 }\n",
    }
    assert paths(files) == ["input", "one.fc1", "two.fc2"]


def test_an_own_train_takes_the_place_of_the_other() -> None:
    files = {
        "base.cnn": BASE,
        "main.cnn": 'use "base.cnn"\ntrain { optimizer sgd lr=0.1\nepochs 9 }\n',
    }
    graph, said = checked(files)
    assert graph is not None, said
    assert graph.recipe is not None
    assert "epochs 9" in graph.recipe.text()


@pytest.mark.parametrize(
    ("main", "message"),
    [
        ('use "bas.cnn"\n', "main.cnn:1:5 bas.cnn: there is no such file"),
        (
            'use "main.cnn"\n',
            'main.cnn:1:5 "main.cnn" is being read already: a file cannot use itself',
        ),
        ('use "base.cnn" m=1\n', 'main.cnn:1:16 "base.cnn" has no param `m`'),
        ('use "base.cnn" n=1 n=2\n', "main.cnn:1:20 `n` is given twice"),
        (
            'use "base.cnn"\nblock unit() { relu }\n',
            'main.cnn:1:5 block `unit` of "base.cnn" is also defined here',
        ),
        ("param a = 1\n", "main.cnn:1:1 the file has no network"),
        ("", "main.cnn:1:1 the file is empty"),
        (
            "network { input 8\nrelu }\nnetwork { input 8\nrelu }\n",
            "main.cnn:3:1 a file has one network; this is a second one",
        ),
        (
            "block conv() { relu }\nnetwork { input 8\nrelu }\n",
            "main.cnn:1:7 `conv` is a kind of layer; a block needs another name",
        ),
        (
            "param a = 1\nlet a = 2\nnetwork { input a }\n",
            "main.cnn:2:5 `a` is defined already, as a param",
        ),
        (
            "param here = 1\nnetwork { input 8\nrelu }\n",
            "main.cnn:1:7 `here` has a meaning of its own; the param needs another name",
        ),
    ],
)
def test_what_is_wrong_is_said_once(main: str, message: str) -> None:
    graph, said = checked({"base.cnn": BASE, "main.cnn": main})
    assert graph is None
    assert said == [message]


def test_a_mistake_in_a_used_file_is_shown_there() -> None:
    files = {"base.cnn": BASE.replace("fc k", "fcc k"), "main.cnn": 'use "base.cnn"\n'}
    assert checked(files)[1] == ["base.cnn:6:1 there is no layer, block or value called `fcc`"]


def test_an_unknown_param_from_outside() -> None:
    files = {"main.cnn": BASE}
    assert checked(files, {"m": 1})[1] == ["--set:1:1 main.cnn has no param `m`"]
    assert paths(files, {"n": 9})[1] == "unit9.fc9"
