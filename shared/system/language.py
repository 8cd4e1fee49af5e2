"""What is said to a reader, in the reader's language.

English stands in the code; every other language in a catalogue in `shared/locale`, which Babel reads. A sentence is
made by `say` where it is known what there is to say. It is a `str` in English like any other, which remembers how it
was made; only who prints it asks for it in another language, by `translated`.
"""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

LOCALE = Path(__file__).resolve().parent.parent / "locale"
ENGLISH, CHINESE = "en", "zh-CN"  # by BCP 47, as a page names them
LANGUAGES = {ENGLISH: "English", CHINESE: "中文"}  # each by its own name
# The first that is set counts: POSIX's, and before them the one that GNU gettext knows for a list of languages.
BY_LOCALE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


class Said(str):
    """English text, and how it was made: a message, and what was put into its braces."""

    __slots__ = ("many", "message", "values")

    message: str
    many: str  # the message for more than one, where `values["n"]` decides
    values: Mapping[str, Any]

    def __new__(cls, message: str, values: Mapping[str, Any] | None = None, many: str = "") -> Self:
        values = values or {}
        said = super().__new__(cls, _filled(many if many and values["n"] != 1 else message, values))
        said.message, said.many, said.values = message, many, values
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        """By which it is copied and sent to another process."""
        return type(self), (self.message, self.values, self.many)

    def in_language(self, language: str) -> str:
        """Said anew."""
        # English where there is no translation: a reader is told something, and a test tells us.
        message = _catalogue(language).get(self.message)
        values = {name: translated(value, language) for name, value in self.values.items()}
        return str(self) if message is None else _filled(message, values)


class Joined(Said):
    """Texts one after another, each of which may be said in another language."""

    __slots__ = ()

    def __new__(cls, separator: str, texts: Iterable[str]) -> Self:
        """Not to be called: `join` is."""
        texts = tuple(texts)
        said = str.__new__(cls, separator.join(texts))
        said.message, said.many, said.values = separator, "", {"texts": texts}
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.values["texts"])

    def in_language(self, language: str) -> str:
        separator: str = translated(self.message, language)
        return separator.join(translated(text, language) for text in self.values["texts"])


class Begun(Said):
    """A text as the beginning of a sentence, for which English has a capital."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Not to be called: `begun` is."""
        said = str.__new__(cls, text[:1].upper() + text[1:])
        said.message, said.many, said.values = "{text}", "", {"text": text}
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.values["text"],)

    def in_language(self, language: str) -> str:
        return str(self) if language == ENGLISH else str(translated(self.values["text"], language))


def _filled(message: str, values: Mapping[str, Any]) -> str:
    return message.format(**values) if values else message


def say(message: str, /, **values: Any) -> Said:
    """What `message.format(**values)` is, which can be said in another language. Values may themselves be said.

    Without values the message is taken as it stands, braces too.
    """
    return Said(message, values)


def say_number(one: str, many: str, /, *, n: float, **values: Any) -> Said:
    """The same, by one message where `n` is 1 and by another where it is not."""
    return Said(one, values | {"n": n}, many)


def join(separator: str, texts: Iterable[str]) -> Said:
    """What `separator.join(texts)` is; each text, and a separator that is said, can be said in another language."""
    return Joined(separator, texts)


def sentences(*texts: str) -> str:
    """One after another, without those that are empty: English puts a space between them."""
    told = [text for text in texts if text]
    return functools.reduce(lambda so_far, text: say("{so_far} {text}", so_far=so_far, text=text), told[1:], told[0])


def begun(text: str) -> Said:
    """With a capital, as an English sentence begins."""
    return Begun(text)


def translated(value: Any, language: str) -> Any:
    """A text in a language; whatever is not said, as it is."""
    return value.in_language(language) if isinstance(value, Said) else value


def of_environment(environment: Mapping[str, str] = os.environ) -> str:
    """The language that the locale names, else English."""
    named = next(filter(None, map(environment.get, BY_LOCALE)), "")
    wanted = (each.replace("_", "-").partition("-")[0].lower() for each in named.split(":"))
    by_code = {tag.partition("-")[0]: tag for tag in LANGUAGES}
    return next((by_code[code] for code in wanted if code in by_code), ENGLISH)


def shown(text: str) -> str:
    """A text as a terminal shows it: in the language of the environment."""
    told: str = translated(text, of_environment())
    return told


@functools.cache
def _catalogue(language: str) -> Mapping[str, str]:
    """What each English message is in a language; of one with a form for more than one, by its first form."""
    if language == ENGLISH:
        return {}
    try:
        from babel.messages.pofile import read_po  # only who reads another language waits for it
    except ModuleNotFoundError:
        return {}  # a run goes on in English; compare.py, whose page has every language, refuses at its start
    with (LOCALE / language.replace("-", "_") / "LC_MESSAGES" / "messages.po").open("rb") as file:
        read = [message for message in read_po(file) if not message.fuzzy]
    known = {one_form(message.id): one_form(message.string) for message in read}
    return {message: text for message, text in known.items() if message and text}


def one_form(forms: str | Sequence[str] | None) -> str:
    """Of a message that may have one for more than one: the first. Chinese has one for every number."""
    return (forms if isinstance(forms, str) else forms[0]) if forms else ""
