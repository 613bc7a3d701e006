"""Fixtures of the API, for its pages."""

from tests.integration.api.conftest import (  # noqa: F401
    api,
    migrated_url,
    runtime,
    submit,
    worker,
)
from tests.integration.dashboard.shop import form, shop  # noqa: F401
