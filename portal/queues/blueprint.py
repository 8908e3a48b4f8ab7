"""The blueprint of this area's pages."""

from typing import Final

from flask import Blueprint

pages: Final = Blueprint("queues", __name__, template_folder="templates")
