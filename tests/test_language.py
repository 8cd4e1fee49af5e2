"""Whatever is said in English has its Chinese, and a text that is made of others is said in either language."""

import ast
import copy
import io
import pickle
import re
import string
import sys
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from shared.system import language
from shared.system.language import CHINESE, ENGLISH, join, say, say_number, sentences, translated
from tests.conftest import ROOT

# What `make catalogue` looks through, and for what.
PLACES = re.search(r"^SAID_IN := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
KEYWORDS = {"say": None, "say_number": (1, 2)}
SOURCES = [
    path for place in PLACES for path in (ROOT / place, *sorted((ROOT / place).glob("**/*.py"))) if path.is_file()
]
CATALOGUES = sorted(language.LOCALE.glob("*/LC_MESSAGES/*.po"))


def messages_in(code):
    """The messages of a module, each as a tuple: of one form, or of one for 1 and one for more."""
    return {forms_of(message) for _, message, _, _ in extract("python", io.BytesIO(code), KEYWORDS)}


def forms_of(message):
    return (message,) if isinstance(message, str) else tuple(message)


@pytest.fixture(scope="module")
def said():
    # A function of the same name in a module that has none of `language` is another.
    sources = [path for path in SOURCES if path == Path(language.__file__) or any(calls_of_say(path))]
    return set.union(*(messages_in(path.read_bytes()) for path in sources))


@pytest.fixture(params=CATALOGUES, ids=lambda path: path.stem)
def catalogue(request):
    return read(request.param)


def read(path):
    with path.open("rb") as file:
        return read_po(file, abort_invalid=True)


def entries(catalogue):
    """Of each message its forms, and those of its translation."""
    return [(forms_of(message.id), forms_of(message.string)) for message in catalogue if message.id]


def braces(message):
    """What stands in a message's braces: a name, and the form in which it is written."""
    return {(name, form, how) for _, name, form, how in string.Formatter().parse(message) if name is not None}


def calls_of_say(path):
    """Each call of the functions by which something is said, in a module that has them from `language`."""
    tree = ast.parse(path.read_bytes())
    ours = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == language.__name__
        for alias in node.names
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in ours & KEYWORDS.keys():
                yield node
            case ast.Call(func=ast.Attribute(value=ast.Name(id="language"), attr=name)) if name in KEYWORDS:
                yield node


def test_everything_that_is_said_has_a_translation(said):
    known = language._catalogue(CHINESE)
    assert sorted(forms[0] for forms in said if forms[0] not in known) == []


def test_everything_that_is_translated_is_said(catalogue, said):
    assert [forms for forms, _ in entries(catalogue) if forms not in said] == []
    assert not catalogue.obsolete


def test_a_translation_puts_in_what_its_message_has_and_in_the_same_form(catalogue):
    for forms, texts in entries(catalogue):
        for text in texts:
            assert braces(text) <= set.union(*map(braces, forms)), text


def test_a_catalogue_is_finished_and_says_which_language_it_is(catalogue):
    assert str(catalogue.locale) == "zh_Hans_CN"
    assert (catalogue.num_plurals, catalogue.charset) == (1, "utf-8")
    assert not any(message.fuzzy for message in catalogue if message.id)
    assert all(text.strip() for _, texts in entries(catalogue) for text in texts)


def test_a_message_is_a_literal_that_babel_can_find_and_its_values_are_given():
    for path in SOURCES:
        for call in calls_of_say(path):
            where = f"{path}:{call.lineno}"
            assert call.args, where
            assert all(isinstance(text, ast.Constant) and isinstance(text.value, str) for text in call.args), where
            given = {keyword.arg for keyword in call.keywords}
            wanted = {name for text in call.args for name, _, _ in braces(text.value)}
            assert not given or given | {"n"} == wanted | {"n"}, where


@pytest.fixture
def chinese(tmp_path, monkeypatch):
    """A function that writes a catalogue, which is the only one then."""
    monkeypatch.setattr(language, "LOCALE", tmp_path)
    folder = tmp_path / "zh_CN" / "LC_MESSAGES"
    folder.mkdir(parents=True)

    def write(*pairs, name="messages", more=""):
        header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\nLanguage: zh_CN\\n"\n\n'
        text = "".join(f'msgid "{message}"\nmsgstr "{text}"\n\n' for message, text in pairs)
        (folder / f"{name}.po").write_text(header + text + more, encoding="utf-8")
        language._catalogue.cache_clear()

    yield write
    language._catalogue.cache_clear()


def test_what_is_said_is_english_text_that_can_be_said_in_another_language(chinese):
    chinese(("{name} took {n:,} s", "{n:,} 秒由 {name} 用去"))
    text = say("{name} took {n:,} s", name="PyTorch", n=1200)
    assert text == "PyTorch took 1,200 s"
    assert {text: 1}["PyTorch took 1,200 s"] == 1
    assert translated(text, CHINESE) == "1,200 秒由 PyTorch 用去"
    assert translated(text, ENGLISH) == text
    assert translated("PyTorch took 1,200 s", CHINESE) == "PyTorch took 1,200 s"  # which nobody has said


def test_what_has_no_translation_is_said_in_english_with_its_values_in_the_language(chinese):
    chinese(("the reference", "参考实现"))
    assert translated(say("{who} stops", who=say("the reference")), CHINESE) == "the reference stops"
    chinese(("{who} stops", "{who}停止"), ("the reference", "参考实现"))
    assert translated(say("{who} stops", who=say("the reference")), CHINESE) == "参考实现停止"


def test_without_values_braces_stay_as_they_are(chinese):
    chinese(("a {x} b", "甲 {x} 乙"))
    assert say("a {x} b") == "a {x} b"
    assert translated(say("a {x} b"), CHINESE) == "甲 {x} 乙"


def test_one_and_more_have_their_own_english_and_the_same_chinese(chinese):
    chinese(more='msgid "{n} step of {what}"\nmsgid_plural "{n:,} steps of {what}"\nmsgstr[0] "{what}的 {n:,} 步"\n')
    one, many, none = (say_number("{n} step of {what}", "{n:,} steps of {what}", n=n, what="x") for n in (1, 1200, 0))
    assert [one, many, none] == ["1 step of x", "1,200 steps of x", "0 steps of x"]
    assert [translated(text, CHINESE) for text in (one, many, none)] == ["x的 1 步", "x的 1,200 步", "x的 0 步"]


def test_joined_texts_and_sentences_are_each_said_in_the_language(chinese):
    chinese(("one", "一"), ("two", "二"), (", ", "、"), ("{so_far} {text}", "{so_far}{text}"))
    assert join(", ", ["x", say("two")]) == "x, two"
    assert translated(join(", ", ["x", say("two")]), CHINESE) == "x, 二"
    assert translated(join(say(", "), [say("one"), say("two")]), CHINESE) == "一、二"
    assert join(", ", []) == ""
    several = sentences(say("one"), "", say("two"), "x")
    assert several == "one two x"
    assert translated(several, CHINESE) == "一二x"
    assert sentences("x", "") == "x"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text))])  # noqa: S301
def test_a_copy_and_what_another_process_gets_can_be_said_in_the_language_too(chinese, copied):
    chinese(("{a} one", "{a} 一"), ("two", "二"), more='msgid "{n} x"\nmsgid_plural "{n} xs"\nmsgstr[0] "{n} 叉"\n')
    text = say("{a} one", a=join("; ", [say("two"), say_number("{n} x", "{n} xs", n=2)]))
    assert copied(text) == text == "two; 2 xs one"
    assert translated(copied(text), CHINESE) == "二; 2 叉 一"


def test_a_translation_that_is_doubtful_or_empty_is_not_used(chinese):
    chinese(("two", ""), more='#, fuzzy\nmsgid "one"\nmsgstr "三"\n')
    assert [translated(say(text), CHINESE) for text in ("one", "two")] == ["one", "two"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ENGLISH),
        ({"LANG": "C"}, ENGLISH),
        ({"LANG": "C.UTF-8"}, ENGLISH),
        ({"LANG": "zh_CN.UTF-8"}, CHINESE),
        ({"LANG": "zh"}, CHINESE),
        ({"LANG": "de_DE.UTF-8"}, ENGLISH),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_CN.GB18030"}, CHINESE),
        ({"LC_MESSAGES": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, ENGLISH),
        ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, CHINESE),
        ({"LC_ALL": "zh_CN.UTF-8", "LANGUAGE": "en"}, ENGLISH),
        ({"LANGUAGE": "de:zh_CN:en", "LANG": "en_US.UTF-8"}, CHINESE),
        ({"LANGUAGE": "zh-CN"}, CHINESE),
    ],
    ids=str,
)
def test_the_language_is_that_of_the_locale_else_english(environment, expected):
    assert language.of_environment(environment) == expected


def test_without_babel_a_reader_is_told_in_english(chinese, monkeypatch):
    chinese(("the reference", "参考实现"))
    assert translated(say("the reference"), CHINESE) == "参考实现"
    language._catalogue.cache_clear()
    monkeypatch.setitem(sys.modules, "babel.messages.pofile", None)
    assert translated(say("the reference"), CHINESE) == "the reference"
