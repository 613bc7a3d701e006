"""Bounds of requests: taken from docs/openapi.json by tools/describe_api.py, do not edit."""

KEY_LENGTH = 255
BATCH_ITEMS = 1000
WAIT_IDS = 1000
KEEP_SECONDS = 3153600000.0
STREAM_SECONDS = 86400
