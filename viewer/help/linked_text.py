"""Texts in which the glossary's words are links."""

from __future__ import annotations

from html import escape

from viewer.help import glossary

TERM = "term:"  # how the address of a link to the glossary begins


def linked(text: str, *, but: str = "") -> str:
    """Return a text as HTML with each term, but the one with the id `but`, linked where it first appears."""
    parts, done, seen = [], 0, {but}
    for hit in glossary.in_text(text):
        if hit.term.id in seen:
            continue
        seen.add(hit.term.id)
        word = escape(text[hit.start : hit.end])
        parts += [escape(text[done : hit.start]), f'<a href="{TERM}{hit.term.id}">{word}</a>']
        done = hit.end
    return "".join([*parts, escape(text[done:])])
