"""The public mail corpus of SpamAssassin: whether a mail is spam."""

from __future__ import annotations

import html
import json
import re
from email.message import Message
from email.parser import Parser
from pathlib import Path

from burnish.data.examples import Examples
from burnish.data.sets.parts import Parts, distinct, split, text_key

_NAMES = ("ham", "spam")
_TEST = 0.57  # 3,000 and more: differences between models are small
_SOURCE = 10_000  # characters of a mail that are looked at, headers included
_TEXT = 2_000  # characters that are kept: more than any encoder here reads
_KEY = 200
_SHORT = 40  # letters; a shorter body is told from others by its subject too
_MARKUP = re.compile(r"<(?:style|script|!--).*?(?:</(?:style|script)>|-->)|<[^>]*>?", re.S | re.I)
_REPLY = re.compile(r"\b(?:re|fwd?|aw)\b:?|\[[^\]]*\]")
_LETTERS = re.compile(r"[^a-z]+")


def read(folder: Path) -> Parts:
    """The set from an asset's folder, in parts of our own; ids are the lines of the file."""
    with (folder / "messages.jsonl").open(encoding="utf-8") as lines:
        mails = [json.loads(line) for line in lines]
    subjects, bodies = zip(*(_subject_and_body(mail["text"]) for mail in mails), strict=True)
    labels = [int(mail["group"].startswith("spam")) for mail in mails]
    rows = distinct(map(_key, subjects, bodies), labels)
    examples = Examples(
        task="classification",
        ids=tuple(row for row, _ in rows),
        texts=tuple(f"{subjects[row]} {bodies[row]}".strip() for row, _ in rows),
        labels=tuple(label for _, label in rows),
        label_names=_NAMES,
    )
    note = (
        f"{len(mails):,} mails of 2002 and 2003; kept are the subject and the first {_TEXT:,} "
        "characters of the first text, without mark-up and other headers; "
        f"{len(mails) - len(rows):,} were dropped that are empty or in which the first {_KEY} "
        "letters, without subject and addresses, had come before. The parts are ours; no subject "
        "is in both"
    )
    threads = [_thread(subjects[row]) or str(row) for row, _ in rows]
    return Parts(*split(examples, _TEST, threads), note)


def _subject_and_body(mail: str) -> tuple[str, str]:
    source = mail[:_SOURCE]
    headers, _, payload = source.partition("\n\n")
    message = Parser().parsestr(headers)
    if message.get_content_maintype() == "multipart":
        message = Parser().parsestr(source)
    else:  # most mails; the parser would take the body apart line by line
        message.set_payload(payload)
    subject = " ".join(str(message.get("subject", "")).split())
    return subject, " ".join(_body(message).split())[:_TEXT].strip()


def _key(subject: str, body: str) -> str:
    """What near-duplicates share; the subjects of one advertisement often differ."""
    letters = _LETTERS.sub("", text_key(body[: 5 * _KEY]))[:_KEY]
    return letters if len(letters) >= _SHORT else _LETTERS.sub("", f"{subject}{letters}".lower())


def _thread(subject: str) -> str:
    """What the subjects of a question, its answers and the next issue of a newsletter share."""
    return _LETTERS.sub("", _REPLY.sub("", subject.lower()))


def _body(message: Message) -> str:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            return _plain(part)
    return ""


def _plain(part: Message) -> str:
    text = part.get_payload()
    if part.get("content-transfer-encoding", "").lower() in ("quoted-printable", "base64"):
        decoded = part.get_payload(decode=True)
        text = decoded.decode("utf-8", "replace") if isinstance(decoded, bytes) else text
    text = str(text)
    if part.get_content_subtype() == "html" or "<html" in text.lower():
        text = html.unescape(_MARKUP.sub(" ", text))
    return text
