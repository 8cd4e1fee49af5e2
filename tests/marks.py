"""A report's Markdown without the marks of the terms that it explains: its sentences as they were written."""

import re

from shared.reporting.glossary import TERMS

FORMS = "|".join(form for term in TERMS for form in term.forms)


def unmarked(text):
    return re.sub(rf"(?<![\\*\w])\*({FORMS})\*(?![*\w])", r"\1", text, flags=re.IGNORECASE)
