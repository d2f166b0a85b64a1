"""`cnnspec new`: a spec to start from."""

import click

TEMPLATE = """\
# {name}: a small network for handwritten digits. `cnnspec check {file}` says what is wrong,
# `cnnspec report {file}` shows every shape and count, `cnnspec explain` lists all layers.

param classes = 10                # cnnspec report {file} --set classes=3

block unit(width) {{               # a block is written once and used as often as you like
  conv width 3x3 pad=same bias=no -> bn -> relu
}}

network {name} {{
  input 1x28x28                   # channels first, then height and width

  unit 16 -> maxpool 2x2          # -> sends the value on to the next layer
  unit 32 -> maxpool 2x2
  unit 64 -> avgpool global

  flatten
  fc classes -> softmax

  expect params <= 30k            # what you believe, checked every time
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
    stem = name.removesuffix(".cnn")
    identifier = stem.rsplit("/", 1)[-1].replace("-", "_").replace(" ", "_")
    if not (identifier.isascii() and identifier.isidentifier()):
        raise click.UsageError(f"`{name}` is no name for a network: letters, digits and _ are.")
    path = f"{stem}.cnn"
    network = identifier[0].upper() + identifier[1:]
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(TEMPLATE.format(name=network, file=path))
    except FileExistsError:
        raise click.ClickException(f"{path} exists already; nothing was written") from None
    click.echo(f"wrote {path}")
