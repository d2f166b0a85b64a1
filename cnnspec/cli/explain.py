"""`cnnspec explain`: the page of a message, a layer or a setting."""

import sys
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from cnnspec.cli.options import columns

if TYPE_CHECKING:
    TopicType = click.ParamType[str]
else:
    # In click 8.2 it takes no type.
    TopicType = click.ParamType

WIDEST = 100


class Topic(TopicType):
    """A code, a kind or a setting."""

    name = "topic"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from cnnspec.cli.pages import topics

        return [CompletionItem(t) for t in topics() if t.startswith(incomplete)]


@click.command()
@click.argument("topic", type=Topic(), required=False)
def command(topic: str | None) -> None:
    """Show the page of a message, a layer or a setting.

    Without TOPIC, list all that has a page.

    \b
    Example:
      cnnspec explain kernel-too-large
      cnnspec explain conv
    """
    from cnnspec.cli.pages import contents, pages_of

    if topic is None:
        # Cut to the terminal only: a pipe gets all.
        click.echo(contents(columns(80) if sys.stdout.isatty() else None), nl=False)
        return
    found = list(pages_of(topic, min(columns(80), WIDEST)))
    if not found:
        raise _no_page(topic)
    click.echo("\n".join(found), nl=False)


def _no_page(topic: str) -> click.UsageError:
    from cnnspec.cli.pages import topics
    from cnnspec.text.suggest import nearest

    meant = nearest(topic, topics())
    hint = f"Did you mean `{meant}`?" if meant else "`cnnspec explain` lists all pages."
    return click.UsageError(f"There is no page `{topic}`. {hint}")
