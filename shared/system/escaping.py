"""Text from outside, such as names in a user's files, made safe for the place that it goes to."""

import re

# Each of these may begin or end something in Markdown. A backslash before it makes it a plain character.
_MARKDOWN = re.compile(
    r"[\\`*\[\]|~$#]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # an underscore within a word is plain already
    r"|^[=>]|^[-+](?=[ -]|$)"  # only at the beginning these make a heading, a quotation, a line or a list
    r"|:(?=//)|(?<=www)\."  # GitHub makes links of bare addresses
)
_NUMBERED = re.compile(r"^([0-9]{1,9})(?=[.)](?: |$))")
_ENTITY = re.compile(r"&(?=[#\w])")
_SPACE_AT_AN_END = re.compile(r"^ | $")  # four would make code, and two a new line


def one_line(text: str) -> str:
    r"""For a terminal or an error: what is not printable becomes a visible escape, such as \n, \x1b or \u202e.

    So no name can move the cursor, turn the reading direction or add a line, and all can be written as UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def code_lines(text: str) -> str:
    """A program for reading: its lines as they are, and in each what is not printable as a visible escape."""
    return "\n".join(map(one_line, text.expandtabs(4).removesuffix("\n").split("\n")))


def markdown(text: str) -> str:
    """For a paragraph or a table's cell of a Markdown file: everything in it is plain text.

    No escape stops what GitHub makes of the rendered text (of @names, #1 and :smile:): `markdown_code` does.
    """
    text = _MARKDOWN.sub(r"\\\g<0>", _ENTITY.sub("&amp;", one_line(text)).replace("<", "&lt;"))
    return _SPACE_AT_AN_END.sub("&#32;", _NUMBERED.sub(r"\1\\", text))


def markdown_code(text: str, *, in_table: bool = False) -> str:
    """A code span of a Markdown file, which nothing in the text can end."""
    text = one_line(text) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # Markdown removes one space from each end where both ends have one.
    room = " " if text.strip(" ") and {text[0], text[-1]} & {"`", " "} else ""
    span = f"{fence}{room}{text}{room}{fence}"
    return span.replace("|", r"\|") if in_table else span
