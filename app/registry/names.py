"""Names as they can be compared: in one script, without what spelling, marks and endings add. Pure.

Letters of every script become Latin ones (anyascii); what one sound is written as in several ways becomes one letter;
patronymics, particles and the feminine ending of a family name go. What is left is compared by letters (Jaro-Winkler),
and by consonants, which is all that some scripts write.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from anyascii import anyascii
from rapidfuzz.distance import JaroWinkler

SAME, SIMILAR = 0.97, 0.84
BY_CONSONANTS = 0.98
"""How alike two words are whose consonants are the same, in different scripts."""
BY_CONSONANTS_HERE = 0.86
"""The same, in one script, where the vowels were written."""
PART_OF = 0.95
"""How alike a double name is to one of its halves."""
REMEMBERED = 200_000

_BEFORE = str.maketrans(
    {"ə": "a", "’": "", "'": "", "ʼ": "", "`": "", "ь": "", "ъ": "", "ء": ""} | dict.fromkeys("عاأإآ", "a")
)
_SOUNDS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"shch|sch|sh", "s"),
        (r"tch|ch|ts|cz", "c"),
        (r"dzh|dj|j(?=[aeiou])", "y"),
        (r"zh", "z"),
        (r"kh|x", "h"),
        (r"gh", "g"),
        (r"ph", "f"),
        (r"ck|q", "k"),
        (r"ou|oo|ow(?![aeiouy])", "u"),
        (r"ee", "i"),
        (r"w", "v"),
        (r"[yj]+", "i"),
        (r"i+(?=[aeou])", "i"),
        (r"(.)\1+", r"\1"),
    )
]
_PATRONYMIC = re.compile(r".(?:[oe]v|yev)(?:ich|ych|na)$")
_CHILD_OF_BEFORE = re.compile(r"^(?:og[hl]*[uiy]|[gkq]h?[iy]z[iy])$")
_CHILD_OF = frozenset({"bin", "ibn", "bint", "ould"})
_PARTICLES = frozenset({"al", "el", "ul"})
_FEMININE = re.compile(r"(?<=ov)a$|(?<=ev)a$|(?<=...in)a$|(?<=sk)aia$|(?<=sk)a$|(?<=sk)i$")
_VOWELS = re.compile(r"[aeiou]")
_WORDS = re.compile(r"[a-z0-9]+")


@lru_cache(REMEMBERED)
def words(name: str) -> tuple[str, ...]:
    """Return the words of `name` that count, each in one spelling; where none does, the name itself."""
    folded = unicodedata.normalize("NFKC", name).casefold().replace("ու", "u").translate(_BEFORE)
    found = _WORDS.findall(anyascii(folded).lower())
    return tuple(map(_sounded, _own(found) or found)) or (folded.strip(),)


def _own(found: list[str]) -> list[str]:
    """Return the words of a name without those that name a parent, as far as anything else is left."""
    kept: list[str] = []
    skips = False
    for word in found:
        if _CHILD_OF_BEFORE.match(word):
            kept = kept[:-1] or kept  # whose child it is stands before it
        elif word in _CHILD_OF:
            skips = bool(kept)
        elif skips:
            skips = False
        elif word not in _PARTICLES and not (kept and _PATRONYMIC.search(word)):
            kept.append(word)
    return kept


def _sounded(word: str) -> str:
    for pattern, replacement in _SOUNDS:
        word = pattern.sub(replacement, word)
    return word


@lru_cache(REMEMBERED)
def family_words(name: str) -> tuple[str, ...]:
    """Return the words of a family name, which says nothing of the sex of who bears it."""
    return tuple(_FEMININE.sub("", word) or word for word in words(name))


@lru_cache(REMEMBERED)
def consonants(word: str) -> str:
    """Return the consonants of a word in one spelling; a vowel counts where it begins the word."""
    first = "a" if _VOWELS.match(word) else ""
    rest = _VOWELS.sub("", word).replace("g", "h").replace("z", "s")
    return first + re.sub(r"(.)\1+", r"\1", rest)


@lru_cache(REMEMBERED)
def script(name: str) -> str:
    """Return the script of the first letter of `name`, as Unicode names it; empty where it has none."""
    letter = next((each for each in name if each.isalpha()), None)
    return unicodedata.name(letter, "").partition(" ")[0] if letter is not None else ""


@lru_cache(REMEMBERED)
def _likeness(first: str, second: str, *, in_two_scripts: bool) -> float:
    if first == second:
        return 1.0
    found = float(JaroWinkler.similarity(first, second))
    bones = consonants(first)
    if len(bones) > 1 and bones == consonants(second):
        found = max(found, BY_CONSONANTS if in_two_scripts else BY_CONSONANTS_HERE)
    return found


def _alike(first: tuple[str, ...], second: tuple[str, ...], *, in_two_scripts: bool) -> float:
    """Return how alike two names are, by their words, from 0 to 1."""
    whole = _likeness("".join(first), "".join(second), in_two_scripts=in_two_scripts)
    if len(first) == len(second) == 1:
        return whole
    turned = _likeness("".join(sorted(first)), "".join(sorted(second)), in_two_scripts=in_two_scripts)
    part = max(_likeness(one, other, in_two_scripts=in_two_scripts) for one in first for other in second)
    return max(whole, turned, PART_OF * part)


@dataclass(frozen=True)
class Likeness:
    """How alike the names of two people are, from 0 to 1."""

    given: float
    family: float
    is_swapped: bool
    """Given and family name are alike once they change places."""
    in_two_scripts: bool


def compare(first: tuple[str, str], second: tuple[str, str]) -> Likeness:
    """Compare two people's given and family names, in whichever order each was written."""
    in_two_scripts = script(first[0]) != script(second[0]) or script(first[1]) != script(second[1])

    def alike(one: str, other: str, *, families: bool) -> float:
        read = family_words if families else words
        return _alike(read(one), read(other), in_two_scripts=in_two_scripts)

    given, family = alike(first[0], second[0], families=False), alike(first[1], second[1], families=True)
    across = alike(first[0], second[1], families=True), alike(first[1], second[0], families=True)
    if min(across) > min(given, family) and min(across) >= SIMILAR:
        return Likeness(max(across), min(across), is_swapped=True, in_two_scripts=in_two_scripts)
    return Likeness(given, family, is_swapped=False, in_two_scripts=in_two_scripts)
