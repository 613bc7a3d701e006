"""The base of all answers: frozen, and open to fields of a newer server."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """An answer of the server."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, defer_build=True)
