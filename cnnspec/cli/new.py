"""`cnnspec new`: a spec to start from."""

import os

import click

TEMPLATE = """\
# {name}: a small network for handwritten digits
# What is wrong with it?         cnnspec check {file}
# Every shape and count of it:   cnnspec report {file}
# All layers and settings:       cnnspec explain
param classes = 10  # or another number: cnnspec report {file} --set classes=3

# A block is written once and used as often as you like.
block unit(width) {{
  conv width 3x3 pad=same bias=no -> bn -> relu
}}

network {name} {{
  input 1x28x28           # channels, height, width
  unit 16 -> maxpool 2x2  # -> hands the value on to the next layer
  unit 32 -> maxpool 2x2
  unit 64 -> avgpool global
  flatten
  fc classes -> softmax

  # What you believe is checked every time.
  expect params <= 30k
}}

train {{
  data digits
  loss cross_entropy
  optimizer adam lr=1e-3
  epochs 5
  batch 64
}}
"""


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Write NAME.cnn, a commented spec to start from.

    \b
    Example:
      cnnspec new digits
    """
    path = f"{name.removesuffix('.cnn')}.cnn"
    network = _network(os.path.basename(path).removesuffix(".cnn"))
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(TEMPLATE.format(name=network, file=path))
    except FileExistsError:
        raise FileExistsError(f"{path} is there already; nothing was written") from None
    click.echo(f"wrote {path}", err=True)


def _network(stem: str) -> str:
    """A network's name after a file's: `my-digits` holds `My_digits`."""
    name = stem.replace("-", "_").replace(".", "_").replace(" ", "_")
    if not (name.isascii() and name.isidentifier()):
        raise click.UsageError(
            f"`{stem}` is no name for a network: letters, digits and _ are, with a letter first."
        )
    return name[0].upper() + name[1:]
