"""The 29 rules: what is asked, of which language, and the hint that goes with it.

Wordings are those of the October 2024 release of StrucText-Eval (MIT, Copyright (c) 2024 Haoning
Ye), which are data. Where the corrected profile asks differently, the rule carries both; every
difference mends a defect listed in `burnish.methods.structext.defects`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from burnish.errors import UsageError
from burnish.methods.structext.sample import Compare, Profile

LANGUAGES = ("tree", "csv", "json", "yaml", "xml", "markdown", "latex", "org")
TASKS = (
    "Tree.Height",
    "Tree.Depth",
    "PathCompose",
    "PathWalk",
    "Syntax",
    "TextRetrieval",
    "Statistics",
    "Join",
)


class Asked(NamedTuple):
    """What a question asks for: its variables, and which profile words it so (None: both)."""

    variables: Mapping[str, str]
    profile: Profile | None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of question.

    Attributes:
        id: e.g. "json.4".
        language: one of `LANGUAGES`.
        task: one of `TASKS`.
        question: template of the release; its variables are in braces.
        hint: the release's rule hint.
        compare: how an answer to the release's question equals the reference.
        corrected_question: template of the corrected profile; None where it is the same.
        corrected_hint: likewise for the hint.
    """

    id: str
    language: str
    task: str
    question: str
    hint: str
    compare: Compare = "exact"
    corrected_question: str | None = None
    corrected_hint: str | None = None

    def template(self, profile: Profile) -> str:
        """The question with its variables in braces."""
        mended = self.corrected_question if profile == "corrected" else None
        return mended or self.question

    def hint_of(self, profile: Profile) -> str:
        """The rule hint."""
        mended = self.corrected_hint if profile == "corrected" else None
        return mended or self.hint

    def compare_of(self, profile: Profile) -> Compare:
        """How an answer equals the reference: in the corrected profile always exactly."""
        return self.compare if profile == "official" else "exact"

    def ask(self, profile: Profile) -> str:
        """The template with `%s` for each variable, in the order they occur."""
        return re.sub(r"\{\w+\}", "%s", self.template(profile))

    def read(self, question: str) -> Asked:
        """The variables of a question worded by this rule, surrounding blanks aside.

        Raises:
            UsageError: the question is not worded as either profile words it.
        """
        found: list[tuple[Profile, re.Match[str]]] = [
            (profile, match)
            for profile, pattern in self._patterns.items()
            if (match := pattern.fullmatch(question.strip()))
        ]
        if not found:
            raise UsageError(
                f"rule {self.id} asks {self.question!r}, but the question is {question!r}; "
                "give the rule that words it so"
            )
        profile, match = found[0]
        return Asked(match.groupdict(), profile if len(found) == 1 else None)

    @cached_property
    def _patterns(self) -> Mapping[Profile, re.Pattern[str]]:
        profiles: tuple[Profile, ...] = ("official", "corrected")
        return {profile: _pattern(self.template(profile)) for profile in profiles}


def _pattern(template: str) -> re.Pattern[str]:
    literal = re.split(r"\{\w+\}", template)
    names = [*re.findall(r"\{(\w+)\}", template), ""]
    parts = (
        re.escape(text) + (f"(?P<{name}>.+?)" if name else "")
        for text, name in zip(literal, names, strict=True)
    )
    return re.compile("".join(parts))


_CATALOGUE = (
    Rule(
        id="tree.1",
        language="tree",
        task="Tree.Height",
        question=(
            "What is the height of the root node, i.e., the number of edges in the longest "
            "path from root node to any leaf nodes? Answer an integer, leaf is of height 0."
        ),
        hint=(
            "To answer the height of tree, you need to take a recursive strategy. For each "
            "node, you will find its height by first finding its children's heights. Then, the "
            "height of node is the maximum subtree heights plus 1. The base case occurs when a "
            "node has no children, i.e., it's a leaf node. Leaf's height is defined to be 0, "
            "without the need of further queries. Then the height the tree is the height of "
            "its root node."
        ),
    ),
    Rule(
        id="tree.2",
        language="tree",
        task="Tree.Depth",
        question="What is the depth of node {node}? Answer an integer, root is of depth 0.",
        hint=(
            "To find the depth of a node, you need to find the number of edges from root to "
            "node. You have to start from the root with depth 0 and assign the depth for each "
            "node recursively. For any given node, it gets depth of current depth. Increment "
            "the depth by 1 before go to its subtree and repeat the process until every node "
            "gets a depth."
        ),
    ),
    Rule(
        id="tree.3",
        language="tree",
        task="PathCompose",
        question=(
            "What is the path from the root node to the node {node}. Answer should look like "
            "A->D->H."
        ),
        hint=(
            "To get the path from root to a node, you need to find recursively. For any node, "
            "you can find the path to the target node by find path from its children to "
            "target. Then check each child's output, if any child returns with valid path "
            "instead of an empty path indicating target-not-found, the path from node to "
            "target is that path from its child to target prepended with itself. The answer "
            "can be found by searching with root as starting point."
        ),
    ),
    Rule(
        id="csv.1",
        language="csv",
        task="TextRetrieval",
        question="What is the {field} of record with primeKey {key}",
        hint=(
            "To find the value of specific field of record with specified primeKey. You have "
            "to first, locate the line with the specific primeKey. Then find the required "
            "value under the desired column in that line."
        ),
    ),
    Rule(
        id="csv.2",
        language="csv",
        task="Statistics",
        question="How many people work with salary more than {salary}?",
        hint=(
            "To get the number of people with salary above a threshold, you need to find the "
            "table with salary information. Then you go over each line and check the salary "
            "field. During the process count only those lines with value of salary strictly "
            "greater than the specified threshold towards your final sum. The sum after "
            "checking each line is the right answer."
        ),
    ),
    Rule(
        id="csv.3",
        language="csv",
        task="Statistics",
        question="How many people are {gender}?",
        hint=(
            "To get the number of female, first find the table with column name ''. Then check "
            "each line for field gender, and count these lines with value 'female' towards "
            "your final sum. The process applies to finding number of male too."
        ),
        corrected_hint=(
            "To get the number of female, first find the table with column name 'gender'. Then "
            "check each line for field gender, and count these lines with value 'female' "
            "towards your final sum. The process applies to finding number of male too."
        ),
    ),
    Rule(
        id="csv.4",
        language="csv",
        task="Join",
        question="How many people who work in {city} are taller than {height}?",
        hint=(
            "To get the number of people living in specified city who are also taller than "
            "threshold, you need to first join the two table on primeKey, and check each row "
            "of joined table for lines that satisfies both condition, i.e., lines with city "
            "specified in query and height strictly greater than threshold. The total number "
            "of such rows is the right answer."
        ),
    ),
    Rule(
        id="json.1",
        language="json",
        task="TextRetrieval",
        question=(
            "What is the object with id {id}? The content should be an excerpt as it appears "
            "in the JSON file."
        ),
        hint=(
            "To find the object with specified id, you need to first parse the json file and "
            "get the outermost object, starting from which search the subs field recursively "
            "and looking for the desired value in id field for each visited object. Retrieve "
            "the content of that object once found."
        ),
        corrected_question=(
            "What is the object with id {id}? The content should be an excerpt of the JSON "
            "file without a comma after its closing brace, with the indentation of its first "
            "line removed from every line."
        ),
    ),
    Rule(
        id="json.2",
        language="json",
        task="PathWalk",
        question="What is the first object's id of subs?",
        hint=(
            "To find the first object's id of subs, first parse the json file and get the "
            "outermost object, in the outermost object's subs list, get the first element. "
            "That element is another object, and its id is the answer."
        ),
    ),
    Rule(
        id="json.3",
        language="json",
        task="Syntax",
        question=(
            "Is there any structural error in this JSON? If so, give the answer 'True' and "
            "spot them out. If it is free from error, just give the answer 'False'."
        ),
        hint=(
            "To find the error in the json file, you need to parse the json file and report "
            "any syntax error if encountered any. Potential errors include missing ending "
            "curly braces."
        ),
        corrected_question=(
            "Is there any structural error in this JSON? Answer with one word, 'True' if there "
            "is, 'False' if it is free from error."
        ),
        corrected_hint=(
            "To find the error in the json file, you need to parse the json file and report "
            "any syntax error if encountered any. Potential errors include missing, extra or "
            "mismatched brackets, doubled commas and unclosed quotes."
        ),
    ),
    Rule(
        id="json.4",
        language="json",
        task="PathCompose",
        question=(
            'How to access value "{value}"? Answer should be like obj[key or index 1][key or '
            "index 2][key or index 3]..."
        ),
        hint=(
            "To get the path to access specified value. You have to do a recursive search "
            "along the subs fields, starting from the outermost parsed object. For each "
            "visited object, check each fields except for subs, and record the path along the "
            "way, i.e., subs inside brackets and index into subs inside brackets, and at which "
            "field you find the value."
        ),
    ),
    Rule(
        id="json.5",
        language="json",
        task="TextRetrieval",
        question=(
            "What are the most deeply nested objects, i.e., no value of type list or dict?The "
            "content should be an excerpt as they appear in the JSON file, separated by \\n\\n."
        ),
        hint=(
            "To get the most deeply nested objects, start from the outermost object, "
            "recursively search along the subs fields. For each object, check its subs field, "
            "any object with an empty subs is one most deeply nested object."
        ),
        corrected_question=(
            "What are the most deeply nested objects, i.e., all objects at the greatest depth? "
            "The content should be excerpts of the JSON file in document order, without a "
            "comma after a closing brace, each with the indentation of its first line removed "
            "from every line, separated by \\n\\n."
        ),
        corrected_hint=(
            "To get the most deeply nested objects, start from the outermost object, "
            "recursively search along the subs fields, and note the depth of each object. The "
            "objects with the greatest depth are the most deeply nested ones."
        ),
    ),
    Rule(
        id="yaml.1",
        language="yaml",
        task="TextRetrieval",
        question=(
            "What is the object with id {id}? The content should be an excerpt as it appears "
            "in the YAML file."
        ),
        hint=(
            "To find the object with specified id, you need to first parse the yaml file and "
            "get the outermost object, starting from which search the subs field recursively "
            "and looking for the desired value in id field for each visited object. Retrieve "
            "the content of that object once found."
        ),
        corrected_question=(
            "What is the object with id {id}? The content should be an excerpt of the YAML "
            "file without the dash before its id, with the indentation of its id removed from "
            "every line."
        ),
    ),
    Rule(
        id="yaml.2",
        language="yaml",
        task="PathWalk",
        question="What is the first object's id of subs?",
        hint=(
            "To find the first object's id of subs, first parse the yaml file and get the "
            "outermost object, in the outermost object's subs list, get the first element. "
            "That element is another object, and its id is the answer."
        ),
    ),
    Rule(
        id="yaml.3",
        language="yaml",
        task="Syntax",
        question=(
            "Is there any structural error in this YAML? If so, give the answer 'True' and "
            "spot them out. If it is free from error, just give the answer 'False'."
        ),
        hint=(
            "To find the error in the yaml file, you need to parse the yaml file and report "
            "any syntax error if encountered any. Potential errors include missing key before "
            "colon."
        ),
        corrected_question=(
            "Is there any structural error in this YAML? Answer with one word, 'True' if there "
            "is, 'False' if it is free from error."
        ),
        corrected_hint=(
            "To find the error in the yaml file, you need to parse the yaml file and report "
            "any syntax error if encountered any. Potential errors include a missing key "
            "before a colon, a missing colon, an indentation that fits no block, an extra "
            "bracket and unclosed quotes."
        ),
    ),
    Rule(
        id="yaml.4",
        language="yaml",
        task="PathCompose",
        question=(
            'How to access value "{value}"? Answer should be like obj[key or index 1][key or '
            "index 2][key or index 3]..."
        ),
        hint=(
            "To get the path to access specified value. You have to do a recursive search "
            "along the subs fields, starting from the outermost parsed object. For each "
            "visited object, check each fields except for subs, and record the path along the "
            "way, i.e., subs inside brackets and index into subs inside brackets, and at which "
            "field you find the value."
        ),
    ),
    Rule(
        id="yaml.5",
        language="yaml",
        task="TextRetrieval",
        question=(
            "What are the most deeply nested objects, i.e., no value of type list or dict?The "
            "content should be an excerpt as they appear in the YAML file, separated by \\n\\n."
        ),
        hint=(
            "To get the most deeply nested objects, start from the outermost object, "
            "recursively search along the subs fields. For each object, check its subs field, "
            "any object with an empty subs is one most deeply nested object."
        ),
        corrected_question=(
            "What are the most deeply nested objects, i.e., all objects at the greatest depth? "
            "The content should be excerpts of the YAML file in document order, without the "
            "dash before an id, each with the indentation of its id removed from every line, "
            "separated by \\n\\n."
        ),
        corrected_hint=(
            "To get the most deeply nested objects, start from the outermost object, "
            "recursively search along the subs fields, and note the depth of each object. The "
            "objects with the greatest depth are the most deeply nested ones."
        ),
    ),
    Rule(
        id="xml.1",
        language="xml",
        task="TextRetrieval",
        question=(
            "What is the content of tag {tag}? The content should be an excerpt as it appears "
            "in the XML file."
        ),
        hint=(
            "To find the content of a specific tag, you need to search for desired tag "
            "throughout the xml file. Once located, find the surrounding left and right angle, "
            "these area is tha starting tag. Then find the ending tag, which is the tag "
            "surrounded by angle with exception that right angle is preceded by a slash. The "
            "content between starting and ending tags is the answer."
        ),
        corrected_question=(
            "What is the content of tag {tag}? The content should be an excerpt of the XML "
            "file, the lines between its start tag and its end tag, with the indentation of "
            "the first of them removed from every line."
        ),
    ),
    Rule(
        id="xml.2",
        language="xml",
        task="TextRetrieval",
        question="What is the tag with attribute of value {value}?",
        hint=(
            "To find the tag name of particular attribute value, just search the file for that "
            "value and find the surrounding left and right angles, i.e., boundary of tag. The "
            "word next to left angle is tag name."
        ),
    ),
    Rule(
        id="xml.3",
        language="xml",
        task="Syntax",
        question=(
            "Is there any structural error in this XML? If so, give the answer 'True' and spot "
            "them out. If it is free from error, just give the answer 'False'."
        ),
        hint=(
            "To find the error in the xml file, you need to parse the xml file and report any "
            "syntax error if encountered any. Potential errors include missing ending tags."
        ),
        corrected_question=(
            "Is there any structural error in this XML? Answer with one word, 'True' if there "
            "is, 'False' if it is free from error."
        ),
        corrected_hint=(
            "To find the error in the xml file, you need to parse the xml file and report any "
            "syntax error if encountered any. Potential errors include missing, extra or "
            "misnamed ending tags and unclosed quotes."
        ),
    ),
    Rule(
        id="markdown.1",
        language="markdown",
        task="TextRetrieval",
        question="Extract all bold texts. Print those raw texts separated by \\n.",
        hint=(
            "To find the bold texts, search for double stars, i.e., **, the content between "
            "two occurrences of double stars is the bold texts. Note that the bold range "
            "should start from the double stars occurring at i-th spot throughout the whole "
            "input file, where i is odd, and end with double stars occurring at jth spot where "
            "j is even. For example, text between double stars appearing first and second time."
        ),
        compare="line_multiset",
        corrected_question=(
            "Extract all bold texts. Print those raw texts in document order, separated by "
            "\\n. If there are none, print: No bold texts presented in file."
        ),
    ),
    Rule(
        id="markdown.2",
        language="markdown",
        task="PathWalk",
        question=(
            "What is the content of {path}? The content should be an excerpt as it appears in "
            "the markdown file, including the heading line and any sub-section."
        ),
        hint=(
            "To find the content of certain section, starting from the headings start with one "
            "hashtag, and go to the ith heading as specified in number of sections. Then start "
            "from that line, look for j-th heading with 2 hashtags as specified in subsection "
            "number. For kth subsubsection, look for kth heading with 3 hashtags starting from "
            "the located subsubsection. Stop searching early if the subsection or "
            "subsubsection is not queried."
        ),
    ),
    Rule(
        id="markdown.3",
        language="markdown",
        task="TextRetrieval",
        question="Extract all included image files. Print those file names separated by \\n.",
        hint=(
            'To find the image files, look for texts matching ![*](TARGET "*"), the TARGET '
            "part is filename. Star means any text is possible."
        ),
        compare="line_multiset",
        corrected_question=(
            "Extract all included image files. Print those file names in document order, "
            "separated by \\n. If there are none, print: No image file is included in the file."
        ),
    ),
    Rule(
        id="latex.1",
        language="latex",
        task="TextRetrieval",
        question="Extract all bold texts. Print those raw texts separated by \\n.",
        hint=(
            "To find the bold texts, search for macro textbf, and everything after \\\\textbf{ "
            "and before the first } encountered is bold text."
        ),
        compare="line_multiset",
        corrected_question=(
            "Extract all bold texts. Print those raw texts in document order, separated by "
            "\\n. If there are none, print: No bold texts presented in file."
        ),
    ),
    Rule(
        id="latex.2",
        language="latex",
        task="PathWalk",
        question=(
            "What is the content of {path}? The content should be an excerpt as it appears in "
            "the LaTeX file, including the heading line and any sub-section."
        ),
        hint=(
            "Note that section title is enclosed by \\\\section{}, and \\\\subsection for "
            "subsection, \\\\subsubsection for subsubsection. To find the content of certain "
            "section, look for ith section as specified, and start from there look for jth "
            "subsection. And from located subsection, look for kth subsubsection as queried. "
            "Search may stop early if subsection or subsubsection is not queried."
        ),
    ),
    Rule(
        id="latex.3",
        language="latex",
        task="TextRetrieval",
        question="Extract all included figure files. Print those file names separated by \\n.",
        hint=(
            "To find the image files imported, search for pattern "
            "\\\\includegraphics[*]{TARGET}, the TARGET part is the filename. Star means any "
            "text is possible."
        ),
        compare="line_multiset",
        corrected_question=(
            "Extract all included figure files. Print those file names in document order, "
            "separated by \\n. If there are none, print: No figure file is included in the "
            "file."
        ),
    ),
    Rule(
        id="org.1",
        language="org",
        task="TextRetrieval",
        question="Extract all bold texts. Print those raw texts separated by \\n.",
        hint=(
            "To find the bold texts, search for single star, i.e., *, the content between two "
            "occurrences of single star is the bold texts. Note that the bold range should "
            "start from the single star occurring at i-th spot throughout the whole input "
            "file, where i is odd, and end with single star occurring at jth spot where j is "
            "even. For example, text between single star appearing first and second time."
        ),
        compare="line_multiset",
        corrected_question=(
            "Extract all bold texts. Print those raw texts in document order, separated by "
            "\\n. If there are none, print: No bold texts presented in file."
        ),
        corrected_hint=(
            "To find the bold texts, skip the headings, i.e., the lines that start with stars "
            "followed by a space. In the remaining lines, search for single star, i.e., *, the "
            "content between two occurrences of single star on one line is the bold texts."
        ),
    ),
    Rule(
        id="org.2",
        language="org",
        task="PathWalk",
        question=(
            "What is the content of {path}? The content should be an excerpt as it appears in "
            "the org file, including the heading line and any sub-section."
        ),
        hint=(
            "Note that section, subsection, subsubsection titles are preceded by *, **, *** "
            "respectively, with one or more whitespaces in between.  To find the content of "
            "certain section, look for ith section as specified, and start from there look for "
            "jth subsection. And from located subsection, look for kth subsubsection as "
            "queried. Search may stop early if subsection or subsubsection is not queried."
        ),
    ),
    Rule(
        id="org.3",
        language="org",
        task="TextRetrieval",
        question="Extract all included image files. Print those file names separated by \\n.",
        hint=(
            "To find the image files, look for texts matching [[TARGET]], the TARGET part is "
            "filename."
        ),
        compare="line_multiset",
        corrected_question=(
            "Extract all included image files. Print those file names in document order, "
            "separated by \\n. If there are none, print: No image file is included in the file."
        ),
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _CATALOGUE})
"""Every rule by its id, in the order of `LANGUAGES`."""


def rules_of(language: str) -> tuple[Rule, ...]:
    """The rules that ask about one language, in order."""
    return tuple(rule for rule in _CATALOGUE if rule.language == language)
