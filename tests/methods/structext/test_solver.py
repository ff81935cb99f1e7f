import pytest

from burnish.errors import StructureError, UsageError
from burnish.methods.structext.generate import build
from burnish.methods.structext.sample import Difficulty
from burnish.methods.structext.solver import agrees, solve

TABLES = """primeKey,gender,age,name,height,weight,color
a,female,20,c,141,119,brown
b,male,30,d,181,120,olive

primeKey,status,salary,company,location
a,employed,5000,OPENAI,CA
b,retired,6000,Meta,CA"""
OBJECT = """{
"id":"p",
"Z":"q",
"subs":[
 {
 "id":"q",
 "Y":"y",
 "subs":[]
 }
]
}"""
BLOCK = """id: "p"
Z: q,
subs: 
- id: "q"
  Y: y,
  subs: []"""  # noqa: W291
ELEMENT = """<?xml version="1.0" encoding="UTF-8"?>
<A Z="f">
 <B>
  banana
 </B>
 apple
</A>"""
SECTIONS = """f
X-ray**monkey** idi![alt](we.jpeg "hover text")ot
# g
yogurt zen
## h
wake
# i
vigor"""
WALK = (
    "What is the content of {}? The content should be an excerpt as it appears in the {} file, "
    "including the heading line and any sub-section."
)


@pytest.mark.parametrize(
    ("rule", "text", "question", "answer"),
    [
        ("tree.1", "a->b\nb->c\na->d", "What is the height of the root node, i.e., the number of "
         "edges in the longest path from root node to any leaf nodes? Answer an integer, leaf is "
         "of height 0.", "2"),
        ("tree.2", "a->b\nb->c\na->d", "What is the depth of node a? Answer an integer, root is "
         "of depth 0.", "0"),
        ("tree.3", "b->c\na->b\na->d", "What is the path from the root node to the node c. Answer "
         "should look like A->D->H.", "a->b->c"),
        ("csv.1", TABLES, "What is the salary of record with primeKey b", "6000"),
        ("csv.2", TABLES, "How many people work with salary more than 5000?", "1"),
        ("csv.3", TABLES, "How many people are female?", "1"),
        ("csv.4", TABLES, "How many people who work in CA are taller than 141?", "1"),
        ("json.4", OBJECT, 'How to access value "q"? Answer should be like obj[key or index 1][key '
         "or index 2][key or index 3]...", 'obj["Z"]'),
        ("json.1", OBJECT, "What is the object with id q? The content should be an excerpt as it "
         "appears in the JSON file.", '{\n"id":"q",\n"Y":"y",\n"subs":[]\n}'),
        ("yaml.1", BLOCK, "What is the object with id q? The content should be an excerpt as it "
         "appears in the YAML file.", 'id: "q"\nY: y,\nsubs: []'),
        ("yaml.4", BLOCK, 'How to access value "y"? Answer should be like obj[key or index 1][key '
         "or index 2][key or index 3]...", 'obj["subs"][0]["Y"]'),
        ("xml.1", ELEMENT, "What is the content of tag A? The content should be an excerpt as it "
         "appears in the XML file.", "<B>\n  banana\n </B>\n apple"),
        ("xml.2", ELEMENT, "What is the tag with attribute of value f?", "A"),
        ("markdown.2", SECTIONS, WALK.format("1th subsection under 1th section", "markdown"),
         "## h\nwake"),
        ("markdown.2", SECTIONS, WALK.format("2th section", "markdown"), "# i\nvigor"),
        ("markdown.1", SECTIONS, "Extract all bold texts. Print those raw texts separated by \\n.",
         "monkey"),
        ("markdown.3", SECTIONS, "Extract all included image files. Print those file names "
         "separated by \\n.", "we.jpeg"),
    ],
)  # fmt: skip
def test_small_documents_by_hand(rule, text, question, answer):
    assert solve(text, question, rule) == answer


FIRST_CHILD = "What is the first object's id of subs?"
BOLD = "Extract all bold texts. Print those raw texts separated by \\n."
IMAGES = "Extract all included image files. Print those file names separated by \\n."
HEIGHT = (
    "What is the height of the root node, i.e., the number of edges in the longest path from root "
    "node to any leaf nodes? Answer an integer, leaf is of height 0."
)


@pytest.mark.parametrize(
    ("rule", "text", "question", "line"),
    [
        ("tree.1", "a->b\nb=>c", HEIGHT, 2),
        ("tree.1", "a->b\nc->b", HEIGHT, 2),
        ("tree.1", "a->b\nc->d", HEIGHT, 2),
        ("tree.1", "a->b\nb->a", HEIGHT, 1),
        ("tree.1", "a->b\nc->d\nd->c", HEIGHT, 2),
        ("tree.1", "", HEIGHT, 1),
        ("csv.3", TABLES.replace(",brown", ""), "How many people are male?", 2),
        ("csv.3", TABLES.replace("age", "years"), "How many people are male?", 1),
        ("csv.3", TABLES.replace("b,ret", "c,ret"), "How many people are male?", 3),
        ("csv.3", TABLES.replace("b,male", "a,male"), "How many people are male?", 3),
        ("csv.2", TABLES.replace("6000", "much"),
         "How many people work with salary more than 1?", 7),
        ("json.2", OBJECT.replace("\n]", "\n"), FIRST_CHILD, 10),
        ("json.2", OBJECT.replace(' "id":"q",\n', ""), FIRST_CHILD, 6),
        ("json.2", OBJECT + "\n}", FIRST_CHILD, 12),
        ("json.2", OBJECT.replace(' "Y"', '  "Y"'), FIRST_CHILD, 7),
        ("json.2", OBJECT[:-2], FIRST_CHILD, 11),
        ("yaml.2", BLOCK + "\n  :m", FIRST_CHILD, 7),
        ("yaml.2", BLOCK.replace("  Y", " Y"), FIRST_CHILD, 5),
        ("yaml.2", BLOCK.replace("id: ", "", 1), FIRST_CHILD, 1),
        ("xml.2", ELEMENT.replace(" </B>\n", ""), "What is the tag with attribute of value f?", 6),
        ("markdown.1", SECTIONS.replace("monkey**", "monkey"), BOLD, 2),
        ("markdown.3", SECTIONS.replace('"hover text")', ""), IMAGES, 2),
        ("markdown.2", SECTIONS.replace("# g\nyogurt zen\n", ""),
         WALK.format("1th section", "markdown"), 3),
        ("markdown.2", SECTIONS + "\n# j", WALK.format("1th section", "markdown"), 10),
        ("markdown.2", SECTIONS.replace("yogurt zen\n", ""),
         WALK.format("1th section", "markdown"), 4),
    ],
)  # fmt: skip
def test_malformed_text_is_refused_with_its_line(rule, text, question, line):
    with pytest.raises(StructureError, match=f"^line {line}: ") as caught:
        solve(text, question, rule)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("rule", "text", "question", "message"),
    [
        ("json.9", OBJECT, FIRST_CHILD, "unknown rule 'json.9'; there are: tree.1"),
        ("json.2", OBJECT, "Who?", "rule json.2 asks"),
        ("tree.2", "a->b", "What is the depth of node x? Answer an integer, root is of depth 0.",
         "the text has no node 'x'"),
        ("csv.1", TABLES, "What is the shoe of record with primeKey a", "unknown field 'shoe'"),
        ("csv.1", TABLES, "What is the age of record with primeKey q", "no record with primeKey"),
        ("json.1", OBJECT, "What is the object with id x? The content should be an excerpt as it "
         "appears in the JSON file.", "no object with id 'x'"),
        ("xml.2", ELEMENT, "What is the tag with attribute of value x?", "no attribute of value"),
        ("markdown.2", SECTIONS, WALK.format("3th section", "markdown"), "has no 3th section"),
        ("markdown.2", SECTIONS, WALK.format("1th chapter", "markdown"), "path must read like"),
    ],
)  # fmt: skip
def test_questions_the_text_cannot_answer_are_refused(rule, text, question, message):
    with pytest.raises(UsageError, match=message):
        solve(text, question, rule)


def test_latex_levels_need_the_dials_in_the_official_profile():
    (sample,) = build(rules=["latex.2"], grid=[(2, 1)], profile="official")
    asked = (sample.text, sample.question, "latex.2")
    with pytest.raises(UsageError, match=r"levels 1 and 2 are both \\section \(defect D2\)"):
        solve(*asked)
    assert solve(*asked, sample.difficulty) == sample.answer
    with pytest.raises(StructureError, match="not those of an official text of depth 3"):
        solve(*asked, Difficulty(3, 1), profile="official")
    with pytest.raises(StructureError, match="not those of an official text of depth 1"):
        solve(*asked, Difficulty(1, 1))


def test_corrected_latex_needs_no_dials():
    for sample in build(rules=["latex.2"], grid=[(2, 1), (3, 1), (4, 1)], n=10):
        assert solve(sample.text, sample.question, "latex.2", profile="corrected") == sample.answer
        assert solve(sample.text, sample.question, "latex.2", sample.difficulty) == sample.answer


def test_lists_compare_as_multisets_where_the_release_has_no_order():
    assert agrees("a\nb\nb", "b\na\nb", "line_multiset")
    assert not agrees("a\nb", "b\na\nb", "line_multiset")
    assert not agrees("a\nb", "b\na", "exact")
