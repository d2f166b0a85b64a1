"""Does the checker's time grow linearly? Generated networks of 1,000, 10,000 and 50,000 layers.

Prints, for each form and size, the best time of several runs in one process and the time of one
layer, and fails where a layer costs 1.5 times more in one size than in another, or 10,000 layers
take more than 2 s.
"""

import argparse
import sys
import time
from collections.abc import Callable

from cnnspec.model.check import check
from cnnspec.model.measure import measure
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source

SIZES = (1_000, 10_000, 50_000)
SLOWEST_RATIO = 1.5
TEN_THOUSAND_WITHIN = 2.0


def sequential(layers: int) -> str:
    """Every layer is written out."""
    return _network("  conv 8 3x3 pad=1 -> relu\n" * (layers // 2))


def branching(layers: int) -> str:
    """Residual branches, each written out: six layers a line."""
    line = "  add { | conv 8 3x3 pad=1 bias=no -> bn -> relu -> conv 8 3x3 pad=1 | in } -> relu\n"
    return _network(line * (layers // 6))


def repeated(layers: int) -> str:
    """Loops in loops around a block in a block: a short text, a deep network."""
    blocks = (
        "block unit(c) { add { | conv c 3x3 pad=1 -> relu -> conv c 3x3 pad=1 | in } -> relu }\n"
        "block stage(c) { repeat 10 { unit c } }\n"
    )
    loop = f"  repeat {layers // 500} {{ repeat 10 {{ stage 8 }} }}\n"
    return blocks + _network(loop)


FORMS: dict[str, Callable[[int], str]] = {
    "sequential": sequential,
    "branching": branching,
    "repeated": repeated,
}


def _network(body: str) -> str:
    return f"network Bench {{\n  input 8x16x16\n{body}}}\n"


def _no_files(path: str) -> Source:
    raise FileNotFoundError(path)


def seconds(text: str) -> tuple[float, int]:
    """How long checking and measuring take, and how many layers there were."""
    sink = Sink()
    start = time.perf_counter()
    graph = check(Source("bench.cnn", text), {}, sink, _no_files)
    assert graph is not None, [d.message for d in sink.diagnostics]
    layers = measure(graph).layers
    return time.perf_counter() - start, layers


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=3)
    runs = arguments.parse_args().runs
    seconds(sequential(100))
    failed = False
    for name, form in FORMS.items():
        cost: dict[int, float] = {}
        for size in SIZES:
            text = form(size)
            best, layers = min(seconds(text) for _ in range(runs))
            cost[size] = best / layers
            print(f"{name:12}{layers:>8,} layers{best:>8.3f} s{1e6 * best / layers:>8.1f} µs each")
            if size == 10_000 and best > TEN_THOUSAND_WITHIN:
                print(f"  more than {TEN_THOUSAND_WITHIN} s")
                failed = True
        ratio = max(cost.values()) / min(cost.values())
        print(f"{name:12}most to least {ratio:.2f}")
        failed |= ratio > SLOWEST_RATIO
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
