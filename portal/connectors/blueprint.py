"""The pages' blueprint; in a module of its own because several modules hang their views on it."""

from typing import Final

from flask import Blueprint

pages: Final = Blueprint("connectors", __name__, template_folder="templates")
