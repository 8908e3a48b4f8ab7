"""Arguments as a database can hold them: octets of the command line that are no UTF-8 are a fault of the command line, not of a query."""

import argparse


def word(given: str) -> str:
    """The argument itself; for `type=` of an argument that goes into a query."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("is not UTF-8 text") from None
    return given
