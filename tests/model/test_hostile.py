"""Does a file that means harm end in a message at once, and in little memory?"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 3.0
"""Most need a quarter of one, nearly all of it Python's start; the rest is for slow machines."""

MEGABYTES = 300

# Measured in a process of its own: the maximum over children never falls again.
MEASURE = """
import resource, subprocess, sys
said = subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=60)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
# Of the processor: other programs do not count.
took = used.ru_utime + used.ru_stime
peak = used.ru_maxrss / 1024
print(said.returncode, took, peak, "Traceback" in said.stdout + said.stderr)
print(said.stdout + said.stderr)
"""

TRUNK = "network Hostile {\n  input 3x32x32\n"


def network(body: str, before: str = "") -> str:
    return f"{before}{TRUNK}  {body}\n}}\n"


def turns(head: str, body: str = "relu", depth: int = 6) -> str:
    return f"{head} {{ " * depth + body + " }" * depth


def doubling(innermost: str) -> str:
    """Each of sixty blocks uses the one before twice."""
    blocks = [f"block b0() {{ {innermost} }}"]
    blocks += [f"block b{i}() {{ b{i - 1} -> b{i - 1} }}" for i in range(1, 61)]
    return "\n".join(blocks) + "\n"


def growing(last: str) -> str:
    """A list of two lists of two lists, and so on."""
    lets = [f"let a{i} = (a{i - 1}, a{i - 1})" for i in range(1, 60)]
    return "\n".join(["let a0 = (1, 1)", *lets, last, ""])


FILES: dict[str, tuple[str, str]] = {
    "a million braces": ("{" * 1_000_000, "too-large"),
    "a million braces on lines": ("{\n" * 1_000_000, "too-large"),
    "braces on lines": ("{\n" * 100_000, "nesting-too-deep"),
    "a million turns": (network("repeat 1000000000 { relu }"), "network-too-large"),
    "turns by a param": (
        network("repeat n { relu }", "param n = 1000000000\n"),
        "network-too-large",
    ),
    "turns that multiply": (network(turns("repeat 1000")), "network-too-large"),
    "turns of nothing that multiply": (network(turns("repeat 1000", "")), "network-too-large"),
    "lists that multiply": (network(turns("for x in range(1000)")), "network-too-large"),
    "blocks that double": (network("b60", doubling("relu")), "network-too-large"),
    "empty blocks that double": (network("b60", doubling("")), "network-too-large"),
    "blocks with many parameters": (
        network(
            "repeat 30000 { a }",
            f"block a({', '.join(f'x{i}=1' for i in range(2000))}) {{ relu }}\n",
        ),
        "network-too-large",
    ),
    "lists that double": (network("relu", growing("let b = a59 == a59")), "number-too-large"),
    "lists in lists": (
        network(
            "relu", "let a0 = (1, 1)\n" + "".join(f"let a{i + 1} = (a{i},)\n" for i in range(5000))
        ),
        "number-too-large",
    ),
    "a long list in every turn": (
        network("repeat 90000 { let a = range(100000) }"),
        "number-too-large",
    ),
    "a long sum in every turn": (
        network("repeat 90000 { let a = sum(xs) }", "let xs = range(100000)\n"),
        "number-too-large",
    ),
    "a long line": ("%$&!" * 5_000_000, "unreadable-file"),
    "a line that is too long": ("%$&!" * 400_000, "too-large"),
    "lines of garbage": ("%$ ! foo } { ( ->\n" * 100_000, "syntax"),
    "lines of words": ("foo bar baz = = =\n" * 100_000, "syntax"),
    "lines of garbage in a network": (network("conv 64 = , | ->\n" * 100_000), "syntax"),
    "empty lines": ("\n" * 1_990_000, "too-large"),
    "comments": ("#\n" * 150_000, "missing-network"),
    "conditions": (
        network("if no { fcc }" + " else if no { fcc }\n" * 20_000 + "else { fcc }"),
        "unknown-layer",
    ),
    "NUL bytes": ("network {\n\0\0\0 input 1x2x3\0\n}\n", "unreadable-character"),
    "a large layer": (
        network("flatten -> fc 1000000000 -> fc 1000000000"),
        "too-large",
    ),
    "a large input": ("network { input 1000000x1000000x1000000 -> relu }\n", "too-large"),
    "a growing value": (network("repeat 60 { concat { | | | | } }"), "too-large"),
    "blocks in themselves": (
        network("a", "block a() { b }\nblock b() { a }\n"),
        "block-recursion",
    ),
    "powers of powers": (
        network("relu", "param a = 2 ** 2 ** 2 ** 2 ** 2 ** 2\n"),
        "number-too-large",
    ),
    "digits": (network("relu", f"param a = {'9' * 19_000}\n"), "number-too-large"),
    "digits and underscores": (network("relu", f"param a = {'1_' * 9000}1\n"), "number-too-large"),
    "an exponent": (network("relu", f"param a = 1e{'9' * 9000}\n"), "wrong-number"),
    "brackets": (network("relu", f"param a = {'(' * 9000}1{')' * 9000}\n"), "nesting-too-deep"),
    "signs": (network("relu", f"param a = {'-' * 9000}1\n"), "nesting-too-deep"),
    "nots": (network("relu", f"param a = {'not ' * 4000}yes\n"), "nesting-too-deep"),
    "powers of signs": (network("relu", f"param a = {'2 ** -' * 2000}1\n"), "nesting-too-deep"),
    "indices": (
        network("relu", f"let b = (1, 2)\nparam a = b{'[0]' * 5000}\n"),
        "nesting-too-deep",
    ),
    "a long name": (network(f"relu as {'b' * 19_000}"), "too-large"),
    "a long dotted name": (network(f"relu as a{'.a' * 9_000}"), "too-large"),
    "heads in heads": (network(turns("head a", depth=90)), "nesting-too-deep"),
    "itself": ('use "hostile.cnn"\n', "use-cycle"),
}


@pytest.mark.parametrize("what", FILES)
def test_a_hostile_file_ends_at_once(what: str, tmp_path: Path) -> None:
    text, code = FILES[what]
    path = tmp_path / "hostile.cnn"
    path.write_text(text, encoding="utf-8")
    check_ends(path, code)


def test_a_chain_of_files_has_an_end(tmp_path: Path) -> None:
    for i in range(100):
        (tmp_path / f"f{i}.cnn").write_text(f'use "f{i + 1}.cnn"\n')
    check_ends(tmp_path / "f0.cnn", "nesting-too-deep")


def test_files_that_double_have_an_end(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"f{i}.cnn").write_text(f'use "f{i + 1}.cnn"\n' * 2)
    (tmp_path / "f30.cnn").write_text("param a = 1\n")
    check_ends(tmp_path / "f0.cnn", "too-large")


def check_ends(path: Path, code: str) -> None:
    """Run the command line as a user does, and measure."""
    pytest.importorskip("resource", reason="peak memory is measured on POSIX")
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, "-m", "cnnspec", "check", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    first, _, said = found.stdout.partition("\n")
    status, took, peak, has_traceback = first.split()
    assert status == "1", said[:2000]
    assert has_traceback == "False", said[:2000]
    assert f"error[{code}]" in said
    # `a`, then `b`, and not the same sentence a thousand times.
    assert len(re.findall(r"^error", said, re.MULTILINE)) <= 100
    assert float(took) < SECONDS
    assert float(peak) < MEGABYTES
