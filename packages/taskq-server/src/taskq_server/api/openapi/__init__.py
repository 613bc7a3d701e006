"""The OpenAPI document: the responses of each route, examples, and the pages that show it."""
