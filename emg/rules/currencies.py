"""The currencies that there are: ISO 4217's active codes, each with the decimals of its smallest coin. Pure.

Codes of metals, of bond market units, for tests and for no currency (XAU, XBA, XTS …) are not among them: nobody is charged in them. A code that is
gone (HRK, ANG, SLL) is not either: amounts in it can't be paid any more. `code` raises ValueError and names the nearest code that there is.
"""

from typing import Final

_TWO: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD
EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG XDR XSU XUA YER ZAR ZMW ZWG
"""
_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR: Final = "CLF UYW"

DECIMALS: Final = {
    **dict.fromkeys(_TWO.split(), 2), **dict.fromkeys(_NONE.split(), 0), **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
}  # fmt: skip
"""By code."""

_USUAL: Final = (
    "EUR",
    "USD",
    "GBP",
    "SEK",
    "NOK",
    "DKK",
    "CHF",
    "PLN",
    "CZK",
    "JPY",
    "CNY",
    "INR",
    "AUD",
    "CAD",
    "SGD",
    "ZAR",
)
"""Of codes that are equally near, the first of these is meant."""
_SUCCESSORS: Final = {
    "ANG": "XCG", "ATS": "EUR", "BEF": "EUR", "BGN": "EUR", "BYR": "BYN", "CUC": "CUP", "DEM": "EUR", "EEK": "EUR", "ESP": "EUR", "FIM": "EUR",
    "FRF": "EUR", "GHC": "GHS", "HRK": "EUR", "ITL": "EUR", "LTL": "EUR", "LVL": "EUR", "MRO": "MRU", "NLG": "EUR", "PTE": "EUR", "ROL": "RON",
    "RUR": "RUB", "SIT": "EUR", "SKK": "EUR", "SLL": "SLE", "STD": "STN", "TRL": "TRY", "VEF": "VES", "ZMK": "ZMW", "ZWL": "ZWG",
    "RMB": "CNY", "US$": "USD", "€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY",
}  # fmt: skip
"""What stands in the place of codes that are gone, and of what is no code but often written for one."""


def code(text: str) -> str:
    """The code in capitals. Raises ValueError with the nearest one."""
    wanted = text.strip().upper()
    if wanted not in DECIMALS:
        raise ValueError(f"{text[:40]!r} is no currency of ISO 4217; the nearest is {nearest(wanted)}")
    return wanted


def nearest(wanted: str) -> str:
    """The code that is most probably meant, `wanted` being in capitals."""
    return _SUCCESSORS.get(wanted) or min(
        sorted(DECIMALS), key=lambda known: (_distance(wanted[:8], known), _rank(known))
    )


def _rank(known: str) -> int:
    return _USUAL.index(known) if known in _USUAL else len(_USUAL)


def _distance(a: str, b: str) -> int:
    """How many letters have to be changed, added, left out, or swapped with their neighbours."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, right in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
