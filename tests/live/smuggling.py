"""The vectors of src/protocol/http1/smuggling_vectors.h, read from there: one list for the unit test and for these."""
import ast
import os
import re
from collections import namedtuple

Request = namedtuple("Request", "name section bytes fate code data")
Answer = namedtuple("Answer", "name section bytes fate")

SOURCE = os.environ.get("INTERTIE_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\d+|[(),]')


def definitions():
    with open(os.path.join(SOURCE, "src/protocol/http1/smuggling_vectors.h"), encoding="ascii") as file:
        text = file.read().replace("\\\n", " ")
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    found = {}
    for name, body in re.findall(r"^#define (\w+)(?:\(\w+\))?[ \t]+(.*)$", text, flags=re.M):
        found[name] = TOKEN.findall(body)
    return found


def string(tokens, names):
    """Literals and macros side by side; `LINE(x)` puts x before its own."""
    out, at = b"", 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token.startswith('"'):
            out += ast.literal_eval("b" + token)
        elif at < len(tokens) and tokens[at] == "(":
            end = tokens.index(")", at)
            out += string(tokens[at + 1:end], names) + string([one for one in names[token] if one != "line"], names)
            at = end + 1
        elif token in names:
            out += string(names[token], names)
    return out


def rows(names, table):
    """The arguments of each X(..)."""
    tokens, out = names[table], []
    at = 0
    while at < len(tokens):
        if tokens[at] != "X" or tokens[at + 1] != "(":
            at += 1
            continue
        arguments, depth = [[]], 0
        at += 2
        while not (tokens[at] == ")" and depth == 0):
            depth += (tokens[at] == "(") - (tokens[at] == ")")
            if tokens[at] == "," and depth == 0:
                arguments.append([])
            else:
                arguments[-1].append(tokens[at])
            at += 1
        out.append(arguments)
    return out


def load():
    names = definitions()
    requests = [Request(string(a, names).decode(), string(b, names).decode(), string(c, names), d[0], int(e[0]),
                        string(f, names).decode()) for a, b, c, d, e, f in rows(names, "SMUGGLING_REQUESTS")]
    answers = [Answer(string(a, names).decode(), string(b, names).decode(), string(c, names), d[0])
               for a, b, c, d in rows(names, "SMUGGLING_ANSWERS")]
    return requests, answers, string(names["SMUGGLING_TAIL"], names)


REQUESTS, ANSWERS, TAIL = load()
