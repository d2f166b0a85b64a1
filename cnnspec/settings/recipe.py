"""How is a network to be trained, according to its spec?"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field

from cnnspec.syntax import tree
from cnnspec.text.diagnostic import Label, Sink
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.bind import Argument, Site, bind
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.value import listing

Evaluate = Callable[[tree.Expr], object]


@record
class Entry:
    """One setting as written: its name, its words with their arguments, and where it stands."""

    setting: str
    words: tuple[Kind, ...]
    span: Span
    spans: tuple[Span, ...]
    """The place of each word."""

    def text(self) -> str:
        line = " -> ".join(word.text() for word in self.words)
        alone = len(self.words) == 1 and self.words[0].kind == self.setting
        return line if alone else f"{self.setting} {line}"


@record
class Recipe:
    """The settings that were made, in their order. What is not said is decided when training
    begins."""

    entries: tuple[Entry, ...] = field(default=())

    def text(self) -> list[str]:
        """The settings as canonical lines."""
        return [entry.text() for entry in self.entries]

    def all(self, setting: str) -> Iterator[Entry]:
        return (e for e in self.entries if e.setting == setting)

    def word(self, setting: str) -> Kind | None:
        """The one word of a setting that stands at most once: the optimizer, the schedule, the
        data."""
        return next((e.words[0] for e in self.all(setting)), None)

    def words(self, setting: str) -> list[Kind]:
        """Every word of a setting that may have several: losses, augmentations, metrics."""
        return [word for entry in self.all(setting) for word in entry.words]


def read_recipe(
    train: tree.Train, evaluate: Evaluate, sink: Sink, names: Callable[[], Iterable[str]]
) -> Recipe:
    """The recipe that a `train` part describes; what is wrong in it is said and left out."""
    return _Reading(evaluate, sink, names).read(train)


@record
class _Reading:
    evaluate: Evaluate
    sink: Sink
    names: Callable[[], Iterable[str]]

    def read(self, train: tree.Train) -> Recipe:
        entries: list[Entry] = []
        lines: dict[str, tree.Flow] = {}
        for statement in train.body.statements:
            if isinstance(statement, tree.Broken):
                continue
            if not isinstance(statement, tree.Flow):
                self.sink.error(
                    "unknown-setting",
                    "`train` holds settings, one a line",
                    Span(statement.span.source, statement.span.start, statement.span.start + 1),
                )
                continue
            entry = self._line(statement, lines)
            if entry is not None:
                entries.append(entry)
        recipe = Recipe(tuple(entries))
        self._cross_check(recipe)
        return recipe

    def _line(self, line: tree.Flow, lines: dict[str, tree.Flow]) -> Entry | None:
        from cnnspec.settings.words import SETTINGS

        first = line.calls[0]
        setting = SETTINGS.get(first.name)
        if setting is None:
            self.sink.error(
                "unknown-setting",
                f"there is no setting `{first.name}`",
                first.name_span,
                hint=did_you_mean(first.name, SETTINGS) or f"the settings: {', '.join(SETTINGS)}",
            )
            return None
        before = lines.setdefault(setting.name, line)
        if before is not line and not setting.is_repeatable:
            self.sink.error(
                "duplicate-setting",
                f"`{setting.name}` is set twice",
                first.name_span,
                labels=[Label(before.span, "first set here")],
            )
            return None
        if len(line.calls) > 1 and not setting.is_chain:
            self.sink.error(
                "wrong-setting",
                f"`{setting.name}` takes one word; `->` joins several",
                line.calls[1].name_span,
            )
            return None
        return self._entry(line, setting.name, setting.plain)

    def _entry(self, line: tree.Flow, setting: str, plain: type[Kind] | None) -> Entry | None:
        read: list[Kind] = []
        spans: list[Span] = []
        for k, call in enumerate(line.calls):
            if call.branches is not None or call.label is not None:
                self.sink.error(
                    "wrong-setting", "a setting has neither branches nor a label", call.span
                )
                return None
            kind, args, span = plain, call.args, call.name_span
            if plain is None:
                found = self._word(call, setting, first=k == 0)
                if found is None:
                    return None
                kind, args, span = found
            assert kind is not None, "a setting is plain or has words"
            word = self._bind(kind, args, span)
            if word is None:
                return None
            read.append(word)
            spans.append(span)
        return Entry(setting, tuple(read), line.span, tuple(spans))

    def _word(
        self, call: tree.Call, setting: str, *, first: bool
    ) -> tuple[type[Kind], Sequence[tree.Arg], Span] | None:
        """The word of a setting, with its arguments: `adam` and `lr=1e-3`."""
        from cnnspec.settings.words import SETTINGS

        words = SETTINGS[setting].words
        name, span, args = call.name, call.name_span, call.args
        if first:
            value = args[0].value if args and args[0].name is None else None
            if not isinstance(value, tree.Ref):
                self.sink.error(
                    "wrong-setting",
                    f"`{setting}` needs a word: {listing(list(words))}",
                    args[0].span if args else call.name_span,
                )
                return None
            name, span, args = value.name, value.span, args[1:]
        if name not in words:
            self.sink.error(
                "unknown-setting",
                f"there is no `{setting} {name}`",
                span,
                hint=did_you_mean(name, words) or f"there are {listing(list(words), 'and')}",
            )
            return None
        return words[name], args, span

    def _bind(self, kind: type[Kind], args: Sequence[tree.Arg], span: Span) -> Kind | None:
        given = [Argument(a.name, self.evaluate(a.value), a.value.span, a.name_span) for a in args]
        bound = bind(kind, given, Site(self.sink, span, None, self.names))
        return kind(**bound.values) if bound.is_whole else None

    def _cross_check(self, recipe: Recipe) -> None:
        """What fits no training whatever the network is."""
        epochs, schedule = recipe.word("epochs"), next(recipe.all("schedule"), None)
        if epochs is not None and schedule is not None:
            count, warmup = epochs.value("count"), schedule.words[0].value("warmup")
            assert isinstance(count, int)
            assert isinstance(warmup, int | float)
            if warmup >= count:
                self.sink.error(
                    "wrong-setting",
                    f"a warm-up of {warmup:g} epochs leaves nothing of {count}",
                    schedule.span,
                    hint=f"warm up for less than {count}",
                )
        heads: dict[object, Entry] = {}
        for entry in recipe.all("loss"):
            head = entry.words[0].value("on")
            if head in heads and entry.words[0].kind == heads[head].words[0].kind:
                self.sink.error(
                    "duplicate-setting",
                    f"`loss {entry.words[0].kind}` is set twice for the same output",
                    entry.span,
                    labels=[Label(heads[head].span, "first set here")],
                )
            heads.setdefault(head, entry)
