"""The commercial product's routing table, as far as ours can say the same. Pure.

A rule a line, the first that fits decides:

    >46            operator1                 a recipient's beginning
    >/^47[0-9]*$/  operator2:operator3       the same as an expression; `:` lists connectors to try in turn
    >/^4[0-9]*/    …                         any other expression
    *              operator1,operator2       all others; `,` lists connectors that share

Ours takes the longest prefix and not the first line. So a rule behind one with a shorter prefix, which it would never reach there, is left out; for the
others the order makes no difference. Left out with a reason are: expressions that are not the beginning of a number, rules by sender (`<`) or by
plugin (`!`), and whatever else a line may hold.
"""

import re
from typing import Final, NamedTuple

from emg.rules.faults import Fault

LONGEST_PREFIX: Final = 20
MOST_ALTERNATIVES: Final = 100
_EXPRESSION: Final = re.compile(
    r"\^?(?:\\\+\??|\(\\\+\|00\)\?|\(00\|\\\+\)\?|\[\+\]\??)?(?:([0-9]+)|\(([0-9]+(?:\|[0-9]+)*)\))?(?:\.\*|\[0-9\]\*|\\d\*)?\$?"
)
_TAIL: Final = ("*", "*$")
_NAMES: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*(?:[:,][A-Za-z0-9_][A-Za-z0-9_.@-]*)*", re.ASCII)


class Rule(NamedTuple):
    """What a line says: `connectors` are to be tried in turn. A rule that shares is as many rules."""

    line: int
    prefix: str
    connectors: tuple[str, ...]


def parse(text: str) -> tuple[list[Rule], list[Fault]]:
    """(what can be said here, what is left out and why). Never raises."""
    rules: list[Rule] = []
    left: list[Fault] = []
    taken: dict[str, int] = {}
    for line, content in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        words = content.strip()
        if not words or words.startswith("#"):
            continue
        found = _rule(words)
        if isinstance(found, str):
            left.append(Fault(line, "", found))
            continue
        prefixes, ways = found
        for prefix in prefixes:
            starts = (taken.get(prefix[:length], line) for length in range(len(prefix) + 1))
            earlier = min(starts)
            if earlier < line:
                left.append(
                    Fault(line, "", f"never reached: line {earlier} takes {prefix + '…' if prefix else 'everything'}")
                )
            else:
                rules += [Rule(line, prefix, way) for way in ways]
        taken |= {prefix: taken.get(prefix, line) for prefix in prefixes}
    return rules, left


def _rule(words: str) -> tuple[list[str], list[tuple[str, ...]]] | str:
    """(prefixes, ways of each); or why the line is left out."""
    if words.startswith("!"):
        return "routes by a plugin, which is not available"
    if words.startswith("<"):
        return "routes by the sender's address, which the routing table here does not look at"
    target, _, rest = words.removeprefix(">").strip().rpartition("\t" if "\t" in words else " ")
    target, rest = target.strip(), rest.strip()
    if not target or not _NAMES.fullmatch(rest):
        return "is no rule of the form >BEGINNING CONNECTOR or >/EXPRESSION/ CONNECTOR"
    prefixes = _prefixes(target)
    if isinstance(prefixes, str):
        return prefixes
    if "," in rest and ":" in rest:
        return "mixes , and : in its connectors; give each its own line"
    ways: list[tuple[str, ...]] = [(name,) for name in rest.split(",")] if "," in rest else [tuple(rest.split(":"))]
    if len(set(rest.replace(",", ":").split(":"))) < sum(map(len, ways)):
        return "names a connector twice"
    return prefixes, ways


def _prefixes(target: str) -> list[str] | str:
    """What recipients begin with; or why that can't be said."""
    if target == "*":
        return [""]
    if not target.startswith("/"):
        digits = target.removeprefix("+").removesuffix("*")
        if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_PREFIX:
            return [digits]
        return "has neither digits nor /EXPRESSION/ for a recipient"
    expression = target[1:].removesuffix("/")
    found = _EXPRESSION.fullmatch(expression)
    if found is None or not _is_beginning(expression, found):
        return "has an expression that is not the beginning of a number, as /^46/ is"
    prefixes = (found[1] or found[2] or "").split("|")
    if len(prefixes) > MOST_ALTERNATIVES or any(len(prefix) > LONGEST_PREFIX for prefix in prefixes):
        return "has more in its expression than a routing table takes"
    return list(dict.fromkeys(prefixes))


def _is_beginning(expression: str, found: re.Match[str]) -> bool:
    """It is anchored at its start and open at its end; without digits it is so anyway, unless it wants an empty number."""
    open_end = not expression.endswith("$") or expression.endswith(_TAIL)
    digits = found[1] or found[2]
    return open_end and (expression.startswith("^") or not digits)
