"""What turns a figure into pixels here?

None of the programs is a dependency: the first that is installed is called. Twice as many pixels as
the figure is wide, so that it is sharp on any screen.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

ZOOM = 2
PATIENCE = 120
"""Seconds."""

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")

Program = tuple[str, str]
"""Which of the converters it is, and its path."""


def converter() -> Program:
    """The one to use; `ValueError` with what to install where there is none."""
    if find_spec("cairosvg") is not None:
        return "cairosvg", sys.executable
    for name in ("rsvg-convert", "inkscape", *CHROMIUMS):
        path = which(name)
        if path is not None:
            return ("chromium" if name in CHROMIUMS else name), path
    raise ValueError(
        "a png needs a converter; install one of CairoSVG (the Python package cairosvg), "
        "rsvg-convert, Inkscape or Chromium, or write an .svg"
    )


def png(svg: str, width: float, height: float, program: Program) -> bytes:
    """The picture; `ValueError` where the program fails."""
    name, path = program
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "figure.svg"), Path(folder, "figure.png")
        source.write_text(svg, encoding="utf-8")
        call = CALLS[name](path, source, target, (ceil(width), ceil(height)))
        try:
            done = subprocess.run(
                call, capture_output=True, timeout=PATIENCE, check=False, cwd=folder
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"{name} is not done after {PATIENCE} seconds") from None
        if done.returncode or not target.exists():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise ValueError(f"{name} wrote no png" + (f": {said[-1]}" if said else ""))
        return target.read_bytes()


Call = Callable[[str, Path, Path, tuple[int, int]], list[str]]


def _cairosvg(path: str, source: Path, target: Path, size: tuple[int, int]) -> list[str]:
    return [path, "-m", "cairosvg", str(source), "-o", str(target), "-s", str(ZOOM)]


def _rsvg(path: str, source: Path, target: Path, size: tuple[int, int]) -> list[str]:
    return [path, "-z", str(ZOOM), "-o", str(target), str(source)]


def _inkscape(path: str, source: Path, target: Path, size: tuple[int, int]) -> list[str]:
    wide = str(ZOOM * size[0])
    return [path, "--export-type=png", f"--export-filename={target}", "-w", wide, str(source)]


def _chromium(path: str, source: Path, target: Path, size: tuple[int, int]) -> list[str]:
    # Its sandbox refuses the superuser; the page is our own and has no script.
    is_root = os.name == "posix" and os.geteuid() == 0
    return [
        path,
        "--headless",
        "--disable-gpu",
        "--hide-scrollbars",
        *(["--no-sandbox"] if is_root else []),
        f"--user-data-dir={target.parent / 'profile'}",
        f"--force-device-scale-factor={ZOOM}",
        f"--window-size={size[0]},{size[1]}",
        f"--screenshot={target}",
        source.as_uri(),
    ]


CALLS: Mapping[str, Call] = {
    "cairosvg": _cairosvg,
    "rsvg-convert": _rsvg,
    "inkscape": _inkscape,
    "chromium": _chromium,
}
