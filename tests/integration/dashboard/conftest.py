"""Fixtures of the API, for its pages."""

from tests.integration.api.conftest import api, migrated_url, runtime, worker  # noqa: F401
