"""
csource - just enough understanding of C for the checks of the house.

It knows comments, strings, preprocessor lines and braces, and that our files
are laid out by clang-format; it is no compiler. Used by rooms, fnsize, lint.
"""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A comment, a string or a character: what may hold anything.
OPAQUE = re.compile(
    r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
    re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def blank(text: str) -> str:
    """The same number of characters and lines, with nothing in them."""
    return re.sub(r"[^\n]", " ", text)


def strip_comments(text: str) -> str:
    """Blanks comments; strings stay."""
    return OPAQUE.sub(
        lambda m: blank(m[0]) if m[0][0] == "/" else m[0], text)


def strip_all(text: str) -> str:
    """Blanks comments and what strings and characters hold."""
    def one(m):
        if m[0][0] == "/":
            return blank(m[0])
        return m[0][0] + blank(m[0][1:-1]) + m[0][-1]

    return OPAQUE.sub(one, text)


def directives(text: str):
    """(line number, text) of each preprocessor line, continuations joined."""
    text = strip_comments(text)
    for m in DIRECTIVE.finditer(text):
        line = text.count("\n", 0, m.start()) + 1
        yield line, m[0].replace("\\\n", " ").strip()


@dataclasses.dataclass
class Item:
    """
    Something at file scope. head is its text without the insides of braces
    (which are shown as "{}"), on one line; body what the first braces hold.
    """

    first: int          # line of its first character
    last: int           # line of its last
    head: str
    body: str

    @property
    def is_function(self) -> bool:
        """A definition, not a prototype."""
        return re.fullmatch(r"[^={}]*\w\s*\([^={}]*\)[^={}()]*\{\}",
                            self.head) is not None

    @property
    def is_prototype(self) -> bool:
        return (re.match(r"(typedef|_Static_assert|static_assert)\b",
                         self.head) is None
                and re.fullmatch(r"\w[^={}()]*[ *]\w+ ?\(.*\)[^={}]*;",
                                 self.head)
                is not None and not self.is_variable)

    @property
    def is_variable(self) -> bool:
        """An object, not a type, prototype or function."""
        head = ATTRIBUTE.sub("", self.head)
        if re.match(r"(typedef|extern|_Static_assert|static_assert)\b", head):
            return False
        if self.is_function or not head.endswith(";"):
            return False
        before, equals, _ = head.partition("=")
        if equals:
            return True
        if re.match(r"(static |const )*(struct|union|enum)( \w+)? ?(\{\})? ?;",
                    head):
            return False
        return "(" not in before or re.match(       # or int (*f)(void);
            r"[^(]*\( ?\*[\w ]*(\[[^]]*\])?\) ?\(", before) is not None

    @property
    def name(self) -> str:
        """Of a function or prototype: the word before its parameters."""
        m = re.search(r"(\w+)\s*\(", ATTRIBUTE.sub("", self.head))
        return m[1] if m else ""

    @property
    def parameters(self) -> list[str]:
        head = ATTRIBUTE.sub("", self.head)
        at = re.search(r"\w+\s*\(", head)
        if at is None:
            return []
        depth, out, begin = 0, [], at.end()
        for i in range(at.end(), len(head)):
            if head[i] == "(":
                depth += 1
            elif head[i] == ")" and depth > 0:
                depth -= 1
            elif head[i] in ",)" and depth == 0:
                out.append(head[begin:i].strip())
                begin = i + 1
                if head[i] == ")":
                    break
        return [p for p in out if p not in ("", "void")]


ATTRIBUTE = re.compile(r"__attribute__ ?\(\((?:[^()]|\([^()]*\))*\)\) ?|"
                       r"\bMUST_USE |\b_Noreturn ")


def items(text: str) -> list[Item]:
    """What stands at file scope, in order."""
    text = DIRECTIVE.sub(lambda m: blank(m[0]), strip_all(text))
    found, depth, begin, head, body = [], 0, None, [], []

    def done(end: int) -> None:
        nonlocal begin
        found.append(Item(text.count("\n", 0, begin) + 1,
                          text.count("\n", 0, end) + 1,
                          re.sub(r"\s+", " ", "".join(head)).strip(),
                          "".join(body)))
        begin = None
        head.clear()
        body.clear()

    for at, c in enumerate(text):
        if begin is None:
            if c.isspace():
                continue
            begin = at
        if c == "{":
            depth += 1
            (head if depth == 1 else body).append(c)
        elif c == "}":
            depth -= 1
            (head if depth == 0 else body).append(c)
            if depth == 0 and ends_here(text, at, "".join(head)):
                done(at)
        else:
            (head if depth == 0 else body).append(c)
            if c == ";" and depth == 0:
                done(at)
    return found


def ends_here(text: str, at: int, head: str) -> bool:
    """Does the brace at `at` end a function, and not a type or an object?"""
    return "=" not in head and re.search(r"\)[^(){}]*\{\}$", head) is not None


def sources(top: pathlib.Path, suffixes=(".c", ".h")):
    """All our C files below top, sorted."""
    for folder in ("src", "tools", "demo", "bench"):
        for path in sorted((top / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path
