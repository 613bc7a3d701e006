"""Requests about the limits of sizes."""

import json
from typing import Any

from tests.integration.client.requests import Asked


def large_bodies() -> list[Asked]:
    """Return requests about the limits of sizes, one side of each and the other.

    How many values are too many for any body is known to the server but roughly.
    """
    new = {"handler": "t.rows"}
    ones: list[Any] = [
        {**new, "payload": {"a": "x" * (262_144 - len('{"a":""}'))}},
        {**new, "payload": {"a": "x" * (262_145 - len('{"a":""}'))}},
        {**new, "payload": {"a": [0] * 49_998}},
        {**new, "payload": {"a": [0] * 49_999}},
        {**new, "payload": {"a": [0] * 60_000}},
        {**new, "payload": {"a": {str(n): [n] for n in range(30_000)}}},
        {**new, "payload": {"a": "x" * 1_000_000}},
        {**new, "payload": {"a": "x" * 1_048_600}},
        {**new, "tags": ["a"] * 1_900, "payload": {"a": [0] * 5_000}},
        {**new, "tags": ["a"] * 2_100, "payload": {"a": [0] * 5_000}},
        {**new, "tags": ["a"] * 5_000},
        {**new, "x": list(range(90_000))},
        {**new, "description": "x" * 600_000},
        {"handler": "taskq.echo", "payload": {"value": [1.5, "é"] * 3_000}},
        {"handler": "taskq.echo", "payload": {"more": [1.5, "é"] * 3_000}},
        list(range(6_000)),
        {"handler": 5, "payload": {"a": [0] * 5_000}},
        {"handler": "t.rows", "payload": [0] * 5_000},
    ]
    later = {**new, "delay_seconds": 1}  # or a thousand tasks would run
    batches: list[Any] = [
        {"items": [later] * 1_000},
        {"items": [later] * 1_001},
        {"items": [later] * 2_500},
        {"items": [{**later, "tags": ["a"] * 9}] * 1_000},
        {"items": [{**later, "tags": [" a"] * 9}] * 1_000},
        {"items": [{**later, "title": " "}] * 150},
        {"items": [{**later, "payload": {"a": "x" * 200_000}}] * 6},
        {"items": [later, {**later, "payload": {"a": "x" * 300_000}}]},
        {"items": [later, {**later, "payload": {"a": "x" * 1_100_000}}]},
        {"items": [later, {**later, "payload": {"a": [0] * 60_000}}]},
        {"items": [later] * 3, "more": "x" * 1_100_000},
        {"items": [{**later, "payload": {"a": "x" * 300_000}}] * 28},
    ]
    waits: list[Any] = [{"ids": ["{id0}"] * 1_000, "timeout_seconds": 0}]
    waits += [{"ids": ["{id0}"] * 1_001}, {"ids": ["{id0}"] * 5_000}]
    paths = {"/tasks": ones, "/tasks/batch": batches, "/tasks/wait": waits}
    headers = [("content-type", "application/json")]
    return [
        Asked("POST", path, headers=headers, body=json.dumps(body).encode())
        for path, bodies in paths.items()
        for body in bodies
    ]
