"""Markdown, LaTeX and Org: headings, each followed by one paragraph of words without sense."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

from burnish.errors import StructureError, UsageError
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages.item import Asking, Item
from burnish.methods.structext.languages.trees import ids_of, shape_of
from burnish.methods.structext.names import LETTERS, PHRASES, WORDS, paragraph
from burnish.methods.structext.rules import rules_of
from burnish.methods.structext.sample import Difficulty, Profile
from burnish.methods.structext.shapes import SECTIONS, Shape, branching, complete

_EXTENSIONS = ("jpeg", "png", "jpg", "gif")
_FIRST_PARAGRAPH = 1_700
_FEWEST_WORDS = 3
_NO_BOLD = "No bold texts presented in file."
_COMMANDS = ("section", "subsection", "subsubsection", "paragraph", "subparagraph")


@dataclass(frozen=True, kw_only=True, eq=False)
class Markup:
    """What tells one markup language from another.

    Attributes:
        language: its name.
        bold: template of a bold string.
        image: template of an image, of its file name.
        heading: pattern of a heading line; group "level" holds what tells its level.
        bold_pattern: of a bold string in a paragraph.
        bold_mark: what bold strings are made with, `bold_marks` times each.
        image_pattern: of an image in a paragraph.
        image_mark: what each image starts with.
        no_image: the answer where there is none.
    """

    language: str
    bold: str
    image: str
    heading: re.Pattern[str]
    bold_pattern: re.Pattern[str]
    bold_mark: str
    bold_marks: int
    image_pattern: re.Pattern[str]
    image_mark: str
    no_image: str

    @cached_property
    def asks(self) -> dict[Profile, list[str]]:
        """The three question templates of either profile."""
        rules = rules_of(self.language)
        profiles: tuple[Profile, ...] = ("official", "corrected")
        return {profile: [rule.ask(profile) for rule in rules] for profile in profiles}

    def level(self, heading: re.Match[str]) -> int:
        """The level a heading line says it has."""
        said = heading["level"]
        return _COMMANDS.index(said) + 1 if self.language == "latex" else len(said)


MARKDOWN = Markup(
    language="markdown",
    bold="**%s**",
    image='![alt](%s "hover text")',
    heading=re.compile(r"(?P<level>#+) +\S+"),
    bold_pattern=re.compile(r"\*\*([^*]+)\*\*"),
    bold_mark="**",
    bold_marks=2,
    image_pattern=re.compile(r'!\[[^\]]*\]\(([^\s()"]+) "[^"]*"\)'),
    image_mark="![",
    no_image="No image file is included in the file.",
)
LATEX = Markup(
    language="latex",
    bold=r"\textbf{%s}",
    image=r"\includegraphics[width=0.5\textwidth]{%s}",
    heading=re.compile(rf"\\(?P<level>{'|'.join(_COMMANDS)})\{{[^{{}}]+\}}"),
    bold_pattern=re.compile(r"\\textbf\{([^{}]+)\}"),
    bold_mark=r"\textbf",
    bold_marks=1,
    image_pattern=re.compile(r"\\includegraphics\[[^\]]*\]\{([^{}]+)\}"),
    image_mark=r"\includegraphics",
    no_image="No figure file is included in the file.",
)
ORG = Markup(
    language="org",
    bold="*%s*",
    image="[[%s]]",
    heading=re.compile(r"(?P<level>\*+) +\S+"),
    bold_pattern=re.compile(r"\*([^*]+)\*"),
    bold_mark="*",
    bold_marks=2,
    image_pattern=re.compile(r"\[\[([^\[\]]+)\]\]"),
    image_mark="[[",
    no_image=MARKDOWN.no_image,
)


@cache
def _heading_templates(markup: Markup, height: int, profile: Profile) -> list[str]:
    """Heading lines for levels 0 (the root's plain id) to `height`."""
    if markup.language != "latex":
        mark = "#" if markup.language == "markdown" else "*"
        return ["%s", *(mark * level + " %s" for level in range(1, height + 1))]
    if profile == "official":  # levels 1 and 2 share a command (D2)
        commands = ["sub" * (level - 2) + "section" for level in range(1, height + 1)]
    else:
        commands = list(_COMMANDS[:height])
    if len(commands) < height:
        raise UsageError(
            f"LaTeX has {len(_COMMANDS)} levels of headings, a document of depth {height} "
            "needs more; lower the depth"
        )
    return ["%s", *(f"\\{command}{{%s}}" for command in commands)]


class _Paragraphs(NamedTuple):
    """The paragraphs of a document, and what stands out in them, in document order."""

    texts: list[str]
    bold: list[str]
    images: list[str]


def draw(markup: Markup, draws: Draws, size: Difficulty, profile: Profile) -> list[Item]:
    """One document and its three questions."""
    shape = shape_of(draws, size, profile)
    nodes = len(shape)
    ids = ids_of(draws, nodes, profile)
    templates = _heading_templates(markup, size.depth, profile)
    write = _write_official if profile == "official" else _write_corrected
    paragraphs = write(markup, draws, nodes, int(size.depth * size.columns))
    sections = [
        f"{templates[level] % node_id}\n{text}"
        for level, node_id, text in zip(shape.levels, ids, paragraphs.texts, strict=True)
    ]
    text = "\n".join(sections)
    target = _target(draws, shape, profile)
    bold, walk, images = markup.asks[profile]
    return [
        (text, bold, "\n".join(paragraphs.bold) or _NO_BOLD),
        (
            text,
            walk % shape.heading_paths[target],
            "\n".join(sections[target : shape.stops[target]]),
        ),
        (text, images, "\n".join(paragraphs.images) or markup.no_image),
    ]


def _target(draws: Draws, shape: Shape, profile: Profile) -> int:
    """A node other than the root; in the corrected profile one whose level has a name (D3)."""
    if profile == "official":
        return 1 + draws.below(len(shape) - 1)
    return draws.pick([node for node, level in enumerate(shape.levels) if 0 < level < 4])


def _write_official(markup: Markup, draws: Draws, nodes: int, words: int) -> _Paragraphs:
    """Consecutive numbers in words, so that only the first word differs (D6).

    Departures: the extension is drawn, where the release takes it from a string hash that changes
    with every process (D8); where 26**words is below the least number, three words are written.
    """
    below = draws.below
    most = 26 ** max(words, _FEWEST_WORDS)
    number = _FIRST_PARAGRAPH + draws.huge(most - _FIRST_PARAGRAPH + 1)
    phrases = iter(PHRASES.take(below(26), nodes))
    stems = iter(LETTERS.take(100 + below(151), nodes))
    rest, digit = divmod(number, 26)
    tail = paragraph(rest)
    written = _Paragraphs([], [], [])
    for extras in draws.many(4, nodes):
        text = f"{WORDS[digit]} {tail}"
        digit += 1
        if digit == 26:
            rest, digit = rest + 1, 0
            tail = paragraph(rest)
        placed, resume_at = "", 0
        if extras & 1:
            phrase = next(phrases)
            written.bold.append(phrase)
            resume_at = below(len(text))
            placed = text[:resume_at] + markup.bold % phrase
        if extras & 2:
            file = f"{next(stems)}.{_EXTENSIONS[below(4)]}"
            written.images.append(file)
            image_at = below(len(text))
            placed += text[resume_at:image_at] + markup.image % file
            resume_at = image_at
        written.texts.append(placed + text[resume_at:])
    return written


def _write_corrected(markup: Markup, draws: Draws, nodes: int, words: int) -> _Paragraphs:
    """Independent words; what stands out stands between them, bold before the image."""
    words = max(words, _FEWEST_WORDS)
    phrases = iter(PHRASES.take(draws.below(26), nodes))
    stems = iter(LETTERS.take(draws.between(100, 250), nodes))
    written = _Paragraphs([], [], [])
    for extras in draws.many(4, nodes):
        text = [WORDS[word] for word in draws.many(26, words)]
        bold_at, image_at = sorted(draws.many(words + 1, 2))
        if extras & 2:
            stem = next(stems)
            written.images.append(f"{stem}.{_EXTENSIONS[crc32(stem.encode()) % 4]}")
            text.insert(image_at, markup.image % written.images[-1])
        if extras & 1:
            written.bold.append(next(phrases))
            text.insert(bold_at, markup.bold % written.bold[-1])
        written.texts.append(" ".join(text))
    return written


@dataclass(frozen=True)
class _Document:
    """A document that was read: its lines in pairs of heading and paragraph."""

    lines: list[str]
    headings: list[re.Match[str]]

    def paragraphs(self) -> list[str]:
        return self.lines[1::2]


def _read(markup: Markup, text: str) -> _Document:
    lines = text.rstrip("\n").split("\n")
    headings = []
    for number, line in enumerate(lines, 1):
        heading = markup.heading.fullmatch(line)
        wants_heading = number % 2 == 1 and number > 1
        if wants_heading != (heading is not None) or not line.strip():
            kind = "a heading" if wants_heading else "a paragraph" if number > 1 else "the root id"
            raise StructureError(f"wanted {kind}, got {line!r}", line=number)
        if heading:
            headings.append(heading)
    if len(lines) % 2:
        raise StructureError("wanted a paragraph, got the end", line=len(lines) + 1)
    return _Document(lines, headings)


def _extract(document: _Document, pattern: re.Pattern[str], mark: str, marks: int) -> list[str]:
    found = []
    for index, line in enumerate(document.paragraphs()):
        matches = pattern.findall(line)
        if line.count(mark) != marks * len(matches):
            raise StructureError(f"{mark} is opened and not closed", line=2 * index + 2)
        found += matches
    return found


def _real_levels(markup: Markup, document: _Document) -> tuple[int, ...]:
    levels = [0, *(markup.level(heading) for heading in document.headings)]
    for index, (above, level) in enumerate(pairwise(levels), 1):
        if level > above + 1:
            raise StructureError(
                f"a heading of level {level} cannot follow one of level {above}",
                line=2 * index + 1,
            )
    return tuple(levels)


def _official_levels(document: _Document, size: Difficulty) -> tuple[int, ...] | None:
    """Levels by preorder in the complete tree of that size, if the headings fit it."""
    levels = complete(size.depth, branching(size.depth, size.width)).levels
    templates = _heading_templates(LATEX, size.depth, "official")
    said = [heading["level"] for heading in document.headings]
    due = [templates[level].removeprefix("\\").removesuffix("{%s}") for level in levels[1:]]
    return levels if said == due else None


def _latex_levels(document: _Document, asked: Asking) -> tuple[int, ...]:
    """The real levels in the corrected profile; as released, those the dials and preorder imply."""
    if asked.profile == "corrected":
        return _real_levels(LATEX, document)
    if asked.difficulty is None:
        raise UsageError(
            "latex.2 cannot be answered from an official text alone, because levels 1 and 2 are "
            'both \\section (defect D2); give the difficulty, or profile="corrected" if the text '
            "has real levels"
        )
    levels = _official_levels(document, asked.difficulty)
    if levels:
        return levels
    dials = f"depth {asked.difficulty.depth} and width {asked.difficulty.width}"
    misfit = StructureError(
        f"the headings are not those of an official text of {dials}", line=len(document.lines)
    )
    if asked.profile == "official":
        raise misfit
    real = _real_levels(LATEX, document)
    shape = Shape(real)
    most_children = branching(asked.difficulty.depth, asked.difficulty.width)
    if shape.height > asked.difficulty.depth or max(shape.positions) >= most_children:
        raise misfit
    return real


def bold_texts(markup: Markup, text: str, asked: Asking) -> str:
    """Rule 1: all bold strings, the root's paragraph included, in document order."""
    del asked
    document = _read(markup, text)
    found = _extract(document, markup.bold_pattern, markup.bold_mark, markup.bold_marks)
    return "\n".join(found) or _NO_BOLD


def section(markup: Markup, text: str, asked: Asking) -> str:
    """Rule 2: a heading, its paragraph and all below it."""
    document = _read(markup, text)
    if markup.language == "latex":
        levels = _latex_levels(document, asked)
    else:
        levels = _real_levels(markup, document)
    shape = Shape(levels)
    node = _walk(shape, _steps(asked.variables["path"]), asked.variables["path"])
    return "\n".join(document.lines[2 * node : 2 * shape.stops[node]])


def image_files(markup: Markup, text: str, asked: Asking) -> str:
    """Rule 3: all image files in document order."""
    del asked
    document = _read(markup, text)
    found = _extract(document, markup.image_pattern, markup.image_mark, 1)
    return "\n".join(found) or markup.no_image


def _steps(path: str) -> list[int]:
    """Sibling positions from 0, outermost first."""
    parts = path.split(" under ")[::-1]
    steps = []
    for part, section_name in zip(parts, SECTIONS, strict=False):
        match = re.fullmatch(rf"([1-9]\d*)th {section_name}", part)
        if match:
            steps.append(int(match[1]) - 1)
    if len(steps) != len(parts):
        raise UsageError(
            f'the path must read like "2th subsection under 1th section", got {path!r}'
        )
    return steps


def _walk(shape: Shape, steps: Sequence[int], path: str) -> int:
    node = 0
    for step in steps:
        children = (
            child
            for child in range(node + 1, shape.stops[node])
            if shape.parents[child] == node and shape.positions[child] == step
        )
        found = next(children, None)
        if found is None:
            raise UsageError(f"the text has no {path}; ask for a section that it has")
        node = found
    return node


def solvers(markup: Markup) -> dict[str, Callable[[str, Asking], str]]:
    """The three solvers of one markup language, by rule."""
    return {
        f"{markup.language}.{number}": partial(solver, markup)
        for number, solver in enumerate((bold_texts, section, image_files), 1)
    }
