"""What a body's octets mean: data coding ↔ `Encoding`, and text between encodings.

`data_coding` is read by 3GPP TS 23.038 §4, and where SMPP 3.4 §5.2.19 says otherwise (values 1 to 14) by that. What
value 0 and the groups built on it mean is a matter between us and a peer: `default`, mostly GSM7, with some peers
LATIN1 or ASCII. Values that are reserved, compressed or of an alphabet we don't know (JIS, KS C 5601, ISO-8859-5 …) are
OPAQUE: such a body passes unchanged with its data coding.

Nothing is lost here: what can't be said in the wanted encoding raises a `TextError`; BINARY and OPAQUE are never
converted.
"""

from typing import Final, NamedTuple

from emg.message import Encoding
from emg.text import gsm7
from emg.text.errors import Malformed, TextError, Unencodable

_GSM7: Final = Encoding.GSM7
_BINARY: Final = Encoding.BINARY
_LATIN1: Final = Encoding.LATIN1
_UCS2: Final = Encoding.UCS2
_ASCII: Final = Encoding.ASCII
_OPAQUE: Final = Encoding.OPAQUE


class _Traits(NamedTuple):
    """What a data coding says besides the alphabet."""

    message_class: int | None = None
    auto_delete: bool = False
    waiting: int | None = None
    """Message waiting: the low nibble, + 0x10 where the text is to be stored."""


_Row = tuple[Encoding | None, _Traits]
"""None stands for the peer's default alphabet."""

_PLAIN: Final = _Traits()

# SMPP 3.4 §5.2.19. In 3GPP's reading these would be general data coding with reserved bits; senders mean the SMPP one.
_SMPP: Final[dict[int, Encoding | None]] = {
    0: None,
    1: _ASCII,
    2: _BINARY,
    3: _LATIN1,
    4: _BINARY,
    5: _OPAQUE,  # JIS X 0208
    6: _OPAQUE,  # ISO-8859-5
    7: _OPAQUE,  # ISO-8859-8
    8: _UCS2,
    9: _OPAQUE,  # pictograms
    10: _OPAQUE,  # ISO-2022-JP, music codes
    11: _OPAQUE,
    12: _OPAQUE,
    13: _OPAQUE,  # JIS X 0212
    14: _OPAQUE,  # KS C 5601
    15: _OPAQUE,
}

_ALPHABETS: Final[tuple[Encoding | None, ...]] = (None, _BINARY, _UCS2, _OPAQUE)  # bits 3 and 2 of groups 00xx and 01xx


def _row(dcs: int) -> _Row:
    """Encoding and traits of one data coding (3GPP TS 23.038 §4)."""
    if dcs in _SMPP:
        return _SMPP[dcs], _PLAIN
    group = dcs >> 4
    if group < 0x8:
        message_class = dcs & 3 if dcs & 0x10 else None
        traits = _Traits(message_class, auto_delete=bool(dcs & 0x40))
        return (_OPAQUE if dcs & 0x20 else _ALPHABETS[dcs >> 2 & 3]), traits  # bit 5: compressed
    if group in (0xC, 0xD, 0xE) and not dcs & 4:
        alphabet = _UCS2 if group == 0xE else None
        return alphabet, _Traits(waiting=dcs & 0xF | (0 if group == 0xC else 0x10))
    if group == 0xF and not dcs & 8:
        return (_BINARY if dcs & 4 else None), _Traits(message_class=dcs & 3)
    return _OPAQUE, _PLAIN


_ROWS: Final = tuple(_row(dcs) for dcs in range(256))

_ENCODINGS: Final = {
    default: tuple(default if encoding is None else encoding for encoding, _ in _ROWS) for default in Encoding
}
_CLASSES: Final = tuple(traits.message_class for _, traits in _ROWS)


def _first_of_each(default: Encoding) -> dict[tuple[Encoding, _Traits], int]:
    found: dict[tuple[Encoding, _Traits], int] = {}
    for dcs, encoding in enumerate(_ENCODINGS[default]):
        if encoding != _OPAQUE:
            found.setdefault((encoding, _ROWS[dcs][1]), dcs)
    found[_BINARY, _PLAIN] = 4  # 2 means the same in SMPP, but is GSM text to who reads it by 3GPP
    return found


_CODINGS: Final = {default: _first_of_each(default) for default in Encoding}


def encodings(default: Encoding) -> tuple[Encoding, ...]:
    """The whole table of 256 entries for one default alphabet, for who looks up at every message."""
    return _ENCODINGS[default]


def encoding_of(dcs: int, default: Encoding = _GSM7) -> Encoding:
    """What a data coding says the body is; -1 (none given) says `default`. Raises `TextError` beyond an octet."""
    if dcs < 0:
        return default
    if dcs > 255:
        raise TextError(f"data coding {dcs} is not an octet")
    return _ENCODINGS[default][dcs]


def message_class(dcs: int) -> int | None:
    """The class 0 (flash) to 3 that a data coding asks for, None without one."""
    return _CLASSES[dcs] if 0 <= dcs <= 255 else None


def dcs_for(encoding: Encoding, default: Encoding = _GSM7, original: int = -1) -> int:
    """The data coding to send to a peer whose value 0 means `default`.

    `original` is the one the message came with (-1: none). It is kept as it is where it already says `encoding`;
    otherwise its class, auto-deletion or message waiting are kept if there is a value that says both. OPAQUE keeps it
    always. Raises `TextError` for GSM7 to a peer whose default is another alphabet: there is no value for that, convert
    the text first.
    """
    if 0 <= original <= 255:
        if _ENCODINGS[default][original] == encoding or encoding == _OPAQUE:
            return original
        kept = _CODINGS[default].get((encoding, _ROWS[original][1]))
        if kept is not None:
            return kept
    plain = _CODINGS[default].get((encoding, _PLAIN))
    if plain is not None:
        return plain
    if encoding == _OPAQUE:
        return 0
    raise TextError(f"no data coding says {encoding.name} where 0 means {default.name}")


_CODECS: Final = {_LATIN1: "latin-1", _ASCII: "ascii", _UCS2: "utf-16-be"}


def to_text(body: bytes, encoding: Encoding, errors: str = "strict") -> str:
    """A body as text. Raises `TextError` for BINARY and OPAQUE.

    Octets that are not in that encoding raise `Malformed`, or with `errors` "replace" become U+FFFD.
    """
    if encoding == _GSM7:
        return gsm7.decode(body, errors)
    codec = _CODECS.get(encoding)
    if codec is None:
        raise TextError(f"{encoding.name} is not text")
    try:
        return body.decode(codec, errors)
    except UnicodeDecodeError as error:
        if encoding == _UCS2 and len(body) % 2:
            raise Malformed(f"{len(body)} octets can't be UCS2") from None
        raise Malformed(f"octet {error.start + 1} is not {encoding.name}: {error.reason}") from None


def encode(text: str, encoding: Encoding) -> bytes:
    """Text as a body in just that encoding.

    Raises `Unencodable` for the first character that does not fit, `TextError` for BINARY and OPAQUE.
    """
    if encoding == _GSM7:
        return gsm7.encode(text)
    codec = _CODECS.get(encoding)
    if codec is None:
        raise TextError(f"text can't become {encoding.name}")
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise Unencodable(text[error.start], error.start, encoding) from None


def from_text(text: str) -> tuple[Encoding, bytes]:
    """The body for a text: GSM7 if every character fits, else UCS2.

    Raises `Unencodable` for half a surrogate pair on its own.
    """
    try:
        return _GSM7, gsm7.encode(text)
    except Unencodable:
        return _UCS2, encode(text, _UCS2)


def transcode(body: bytes, encoding: Encoding, target: Encoding) -> bytes:
    """A body in another encoding, nothing lost. The same encoding gives the same body, whatever it holds.

    Raises `Malformed`, `Unencodable`, and `TextError` from or to BINARY and OPAQUE.
    """
    if encoding == target:
        return body
    return encode(to_text(body, encoding), target)
