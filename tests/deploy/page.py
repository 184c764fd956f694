"""docs/DEPLOY.md, taken apart: its blocks of shell, and the commands in them."""

import os
import re
from pathlib import Path
from typing import NamedTuple

import tree_sitter_bash
from tree_sitter import Language, Parser

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/DEPLOY.md").read_text()
PROGRAM = os.environ["STRONGROOM_PROGRAM"]
TOOLS = Path(os.environ["STRONGROOM_TEST_TOOLS"])
PARSER = Parser(Language(tree_sitter_bash.language()))


class Block(NamedTuple):
    heading: str
    text: str


class Call(NamedTuple):
    """A command with its words as written, but for their quotes."""

    block: Block
    words: list[str]

    def options(self):
        """The names of options, without what is after an equals sign."""
        return [word.split("=")[0] for word in self.words[1:] if re.match(r"--?[a-z]", word)]

    def after(self, option):
        return self.words[self.words.index(option) + 1]


def blocks():
    heading, found = "", []
    for part in re.finditer(r"^## ([^\n]+)$|^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL):
        heading = part[1] or heading
        if part[2]:
            found.append(Block(heading, part[2]))
    return found


def calls(name=None):
    """Every command of the page, or every one of that name."""
    found = [call for block in blocks() for call in calls_in(block)]
    return [call for call in found if name in (None, call.words[0])]


def calls_in(block):
    found, nodes = [], [PARSER.parse(block.text.encode()).root_node]
    while nodes:
        node = nodes.pop()
        if node.type == "command":
            words = [child for child in node.named_children if child.type not in IGNORED]
            found.append(Call(block, [unquoted(word.text.decode()) for word in words]))
        nodes += reversed(node.children)
    return found


IGNORED = {"variable_assignment", "herestring_redirect", "file_redirect"}


def unquoted(word):
    return word[1:-1] if word[:1] in "'\"" and word[-1] == word[0] else word
