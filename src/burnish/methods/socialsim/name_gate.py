"""The name gate: no text of a scenario may name the real world. Knows no scenario.

Worlds are fictional by design. The gate refuses real countries, cities, parties, platforms,
institutions and public figures, and whatever looks like a handle, an address on the web, an e-mail
or a phone number. It is a tripwire for honest authors and lazy misuse, no proof of fiction: a list
knows what is on it.

The lists are ours, written for this gate.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Self

from burnish.errors import ConfigError, DataError

LISTS = ("countries", "places", "parties", "platforms", "institutions", "people")
MOST_CHARACTERS = 1000
MOST_BYTES = 1_000_000  # of a list of your own
_LONGEST_RUN = 24  # words that are joined in search of a name that was torn apart

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|\bwww\.)\S+", re.IGNORECASE)
_E_MAIL = re.compile(
    r"[\w.+-]+\s*(?:@|[(\[{]\s*at\s*[)\]}])\s*[\w-]+\s*(?:\.|[(\[{]\s*dot\s*[)\]}])\s*\w{2,}",
    re.IGNORECASE,
)
_DOMAIN = re.compile(
    r"\b[a-z0-9-]+(?:\.[a-z0-9-]+)*(?:\s?(?:\.|[(\[{]\s*(?:dot|\.)\s*[)\]}])\s?|\s+dot\s+)"
    r"(?:com|org|net|info|io|co|app|dev|me|tv|news|biz|edu|gov|mil|int|eu|uk|us|de|fr|es|it|nl|pl|"
    r"ru|ua|cn|jp|kr|in|br|mx|ca|au|ch|se|no|fi|dk|be|at|ir|tr|za|xyz|online|site|link|ly|onion)"
    r"(?![\w-])",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"\.\s")  # "the quay. In spring" is no address
_HANDLE = re.compile(r"(?<![\w@])@\s?\w{2,}|\b[ur]/\w{3,}")
_PHONE = re.compile(r"(?<![\w.,:-])\+?\(?\d[\d\s().\-/]{5,}\d(?![\w])")
_NO_PHONE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}|\d+\.\d+")

# Letters of other alphabets that look like Latin ones, and digits that stand for letters.
_LOOKALIKES = str.maketrans("авеікмнорстухуԁɡјӏѕһαβεικνορτυχγ", "abeikmhopctyxydgjlshabeiknoptuxy")
_LEET = tuple(str.maketrans("0134578", f"o{one}eastb") for one in "li")
_SIGNS = str.maketrans("@$!|", "asil")
_SIGN = re.compile(r"(?<=[^\W_])[@$!|]+(?=[^\W_])")


class RealName(ConfigError):
    """A scenario names something of the real world."""


@dataclass(frozen=True)
class Hit:
    """What the gate found.

    Attributes:
        text: as it was written.
        kind: "name", "handle", "address", "e-mail" or "phone number".
    """

    text: str
    kind: str


@dataclass(frozen=True)
class NameGate:
    """A list of names and the patterns that no text of a scenario may match.

    Attributes:
        names: folded and without spaces.
        exact: the same, for which the spelling counts; capitals only are the same spelling.
    """

    names: frozenset[str]
    exact: frozenset[str]

    @classmethod
    def default(cls, *, extra: str | Path | None = None) -> NameGate:
        """The lists that come with burnish.

        Args:
            extra: a UTF-8 file of your own, one name a line, read by `extended`; lines that begin
                with "#" are remarks.

        Raises:
            DataError: the file cannot be read, or is longer than 1 MB.
            ConfigError: a line has no letters.
        """
        return _default() if extra is None else _default().extended(_lines(Path(extra)))

    def extended(self, entries: Iterable[str]) -> Self:
        """The same gate that also refuses `entries`; nothing can be taken out of a gate.

        A leading "=" asks for exactly this spelling; names of up to three capitals always do.
        """
        names, exact = set(self.names), set(self.exact)
        for entry in entries:
            spelled = entry.removeprefix("=").strip()
            joined = "".join(_WORD.findall(_plain(spelled)))
            if not joined:
                raise ConfigError(f"the name gate takes names with letters, got {entry!r}")
            if entry.startswith("=") or (len(joined) <= 3 and joined.isupper()):
                exact |= {joined, joined.upper()}
            else:
                names.add(joined.casefold())
        return type(self)(frozenset(names), frozenset(exact))

    def find(self, text: str) -> Hit | None:
        """The first thing in a text that is not fictional, or None."""
        plain = _plain(text)
        for kind, found in _patterns(plain):
            return Hit(found, kind)
        spelled = _SIGN.sub(lambda sign: sign.group().translate(_SIGNS), plain)
        for found in self._named(spelled):
            return Hit(found, "name")
        return None

    def check(self, texts: Iterable[tuple[str, str]], origin: str) -> None:
        """Refuse the first of (place, text) that is not fictional.

        Raises:
            RealName: names the place, and what was found there.
            ConfigError: a text is longer than 1,000 characters.
        """
        for place, text in texts:
            if len(text) > MOST_CHARACTERS:
                raise ConfigError(
                    f"{origin}: {place}: a text has at most {MOST_CHARACTERS:,} characters, got "
                    f"{len(text):,}; shorten it"
                )
            hit = self.find(text)
            if hit is not None:
                raise RealName(
                    f"{origin}: {place}: {hit.text!r} looks like a real {hit.kind}, and worlds are "
                    "fictional; invent another"
                )

    def _named(self, plain: str) -> Iterator[str]:
        words = [word for part in _WORD.findall(plain) for word in _CAMEL.split(part)]
        whole = _WORD.findall(plain)
        for tokens in (words, whole) if words != whole else (words,):
            yield from self._runs(tokens)

    def _runs(self, tokens: list[str]) -> Iterator[str]:
        """Runs of words that make a name once they are joined: "You Tube", "R u s s i a"."""
        longest = max(map(len, self.names | self.exact), default=0)
        for start in range(len(tokens)):
            joined = ""
            for end in range(start, min(start + _LONGEST_RUN, len(tokens))):
                joined += tokens[end]
                if len(joined) > longest + 2:
                    break
                if self._is_name(joined, torn=end > start):
                    yield " ".join(tokens[start : end + 1])

    def _is_name(self, joined: str, *, torn: bool) -> bool:
        if joined in self.exact and not (torn and len(joined) > 3 and joined.islower()):
            return True
        folded = joined.casefold()
        spellings = {folded, folded.removesuffix("s"), folded.removesuffix("es")}
        if not folded.isalpha():
            spellings |= {one.translate(table) for one in tuple(spellings) for table in _LEET}
        return not self.names.isdisjoint(spellings)


@cache
def _default() -> NameGate:
    folder = resources.files("burnish.methods.socialsim") / "real_names"
    texts = ((folder / f"{name}.txt").read_text(encoding="utf-8") for name in LISTS)
    empty = NameGate(frozenset(), frozenset())
    return empty.extended(entry for text in texts for entry in _entries(text))


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: a list of names has at most {MOST_BYTES:,} bytes; shorten it")
        return _entries(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a file with a name a line") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; give a file with a name a line") from None


def _entries(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _plain(text: str) -> str:
    """Without accents, lookalikes and characters that do not show."""
    parts = unicodedata.normalize("NFKD", text)
    shown = "".join(char for char in parts if unicodedata.category(char) not in {"Mn", "Cf", "Me"})
    return _latin(shown).replace("’", "").replace("'", "")


def _latin(text: str) -> str:
    lower = text.lower()
    if lower.isascii() or len(lower) != len(text):
        return text
    swapped = lower.translate(_LOOKALIKES)
    pairs = zip(text, swapped, strict=True)
    return "".join(new.upper() if old.isupper() else new for old, new in pairs)


def _patterns(plain: str) -> Iterator[tuple[str, str]]:
    for kind, pattern in (("address", _URL), ("e-mail", _E_MAIL), ("handle", _HANDLE)):
        if found := pattern.search(plain):
            yield kind, found.group()
    for found in _DOMAIN.finditer(plain):
        if not _SENTENCE.search(found.group()):
            yield "address", found.group()
    for found in _PHONE.finditer(plain):
        if _is_phone(found.group()):
            yield "phone number", found.group()


def _is_phone(text: str) -> bool:
    digits = sum(char.isdigit() for char in text)
    if not 7 <= digits <= 15 or _NO_PHONE.fullmatch(text.strip()):
        return False
    grouped = len(re.findall(r"\d+", text)) > 1 or text.startswith(("+", "("))
    return grouped or digits >= 9
