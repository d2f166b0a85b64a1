"""Does what a recipe says go together with all else that a run does: validation, resuming, test?"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calls import cnnspec
from cnnspec.api import load, loads
from cnnspec.run.events import EpochDone, Finished
from cnnspec.run.sets import BadData
from tests.run.small import CLASSES, NETS, begun, done, write_data


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path


def with_lines(*lines: str, text: str = CLASSES) -> str:
    return text.rstrip().removesuffix("}") + "".join(f"  {line}\n" for line in lines) + "}\n"


def ended(text: str, out: str = "run", **wishes: Any) -> tuple[list[EpochDone], Finished]:
    events = list(begun(text, out, **wishes))
    last = events[-1]
    assert isinstance(last, Finished)
    return [e for e in events if isinstance(e, EpochDone)], last


@pytest.mark.parametrize(
    "lines",
    [
        ("augment mixup 0.4",),
        ("augment flip -> mixup 0.4 chance=0.5", "class_weights balanced"),
        ("augment mixup", "loss binary_cross_entropy"),
        ("augment mixup", "loss cross_entropy smoothing=0.1", "class_weights [1, 2, 3]"),
        ("augment mixup", "ema 0.9", "early_stopping 3"),
    ],
)
def test_mixed_examples_are_for_training_alone(lines: tuple[str, ...]) -> None:
    epochs, last = ended(with_lines(*lines))
    # Whoever mixes cannot say which are right; validation and test mix nothing.
    assert [set(e.train) for e in epochs] == [{"loss"}] * 3
    assert all({"loss", "accuracy"} == set(e.validation) for e in epochs)
    assert set(last.test) == {"loss", "accuracy"}


def test_a_mixing_recipe_is_validated_as_one_that_does_not_mix() -> None:
    plain, mixing = begun(CLASSES, "plain"), begun(with_lines("augment mixup"), "mixing")
    part = plain.splits.validation
    assert part is not None
    expected, found = plain.judge(part), mixing.judge(part)
    assert expected is not None
    assert found is not None
    assert found.values == expected.values
    assert done(mixing).is_done


def test_masks_whose_pixels_do_not_count_have_a_loss_and_no_measures(here: Path) -> None:
    with np.load(here / "masks.npz") as file:
        x, y = file["x"], np.full_like(file["y"], -1)
        np.savez(here / "masks.npz", x=x, y=file["y"], x_val=x[:9], y_val=y[:9])
    epochs, _ = ended(with_lines("metrics accuracy -> iou -> f1", text=NETS["masks"]))
    assert all(0 < e.train["accuracy"] <= 1 for e in epochs)
    assert all(e.validation == {"loss": 0.0} for e in epochs)


# ── where the data is ───────────────────────────────────────────────────────────────────────────


def elsewhere() -> None:
    """A spec in a folder that has no data, and data here."""
    Path("specs").mkdir()
    Path("specs/net.cnn").write_text(CLASSES.replace("classes.npz", "lost.npz"))


def test_data_named_in_a_command_begins_where_the_command_is_called() -> None:
    elsewhere()
    done = cnnspec("train", "specs/net.cnn", "--data", 'npz "classes.npz"', "--out", "run")
    assert done.status == 0, done.err
    assert cnnspec("train", "--resume", "run", "--epochs", "4").status == 0
    assert cnnspec("eval", "run").status == 0
    # What the spec says begins where the spec is.
    assert "there is no file specs/lost.npz" in cnnspec("train", "specs/net.cnn").err


def test_data_named_in_python_begins_where_python_is() -> None:
    elsewhere()
    for _ in load("specs/net.cnn").train('npz "classes.npz"', out="run", epochs=1):
        pass
    assert Path("run/model.onnx").exists()
    with pytest.raises(BadData, match=r"there is no file specs/lost\.npz"):
        load("specs/net.cnn").train(out="none")


def test_python_is_warned_of_what_a_command_would_say(here: Path) -> None:
    for name in "ab":
        (here / "pictures" / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.full((8, 8), i * 20, np.uint8)
            Image.fromarray(pixels).save(here / "pictures" / name / f"{i}.png")
    (here / "pictures/a/3.png").write_bytes(b"no picture")
    network = loads(CLASSES)
    with pytest.raises(BadData, match=r"a/3\.png"):
        network.train('folder "pictures"', out="none")
    with pytest.warns(UserWarning, match="examples") as said:
        network.train('folder "pictures"', out="run", skip_bad=True)
    first, second = (str(warning.message) for warning in said)
    assert first.startswith("1 of 16 examples are left out: ")
    assert second.startswith("a batch of 16 is more than the 12 examples ")
    assert all(warning.filename == __file__ for warning in said)


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ({"epochs": 0}, ValueError, "`epochs` is at least 1; here it is 0"),
        ({"epochs": "3"}, TypeError, "'str' object cannot be interpreted as an integer"),
        ({"seed": -1}, ValueError, "`seed` is at least 0; here it is -1"),
        ({"threads": 0}, ValueError, "`threads` is at least 1; here it is 0"),
        ({"device": "gpu"}, ValueError, "`device` is auto, cpu or cuda; here it is gpu"),
    ],
)
def test_what_python_passes_is_what_a_command_takes(
    given: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        loads(CLASSES).train(out="none", **given)
    assert not Path("none").exists()


def test_one_pattern_freezes_as_a_list_of_one_does() -> None:
    assert loads(CLASSES).train(out="one", freeze="conv*").recipe.freeze[0].layers == ("conv*",)
