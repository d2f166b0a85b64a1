"""`cnnspec explain`: the page of a message, a layer or a setting."""

import click
from click.shell_completion import CompletionItem

from cnnspec.cli import pages
from cnnspec.layers import KINDS
from cnnspec.settings.words import SETTINGS
from cnnspec.text.suggest import nearest


class Topic(click.ParamType[str]):
    """A code, a kind or a setting; the shell completes it."""

    name = "topic"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(t) for t in pages.topics() if t.startswith(incomplete)]


@click.command()
@click.argument("topic", type=Topic(), required=False)
def command(topic: str | None) -> None:
    """Show the page of a message, a layer or a setting; without TOPIC, list them all.

    \b
    Example:
      cnnspec explain kernel-too-large
      cnnspec explain conv
    """
    if topic is None:
        click.echo(pages.contents(), nl=False)
        return
    found = list(_pages(topic))
    if not found:
        meant = nearest(topic, pages.topics())
        hint = f" Did you mean `{meant}`?" if meant else " `cnnspec explain` lists all pages."
        raise click.UsageError(f"There is no page `{topic}`.{hint}")
    click.echo("\n".join(found), nl=False)


def _pages(topic: str) -> list[str]:
    found: list[str] = []
    code = pages.page_of_code(topic) if topic in pages.codes() else None
    if code is not None:
        found.append(code)
    if topic in KINDS:
        found.append(pages.page_of_kind(KINDS[topic]))
    if topic in SETTINGS:
        found.append(pages.page_of_setting(topic))
    for name, setting in SETTINGS.items():
        if topic in setting.words:
            found.append(pages.page_of_kind(setting.words[topic], f"{name} "))
    return found
