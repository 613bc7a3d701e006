"""Tests of the dashboard in a real browser; no async test can run beside them."""
