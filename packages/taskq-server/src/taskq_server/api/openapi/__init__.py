"""The OpenAPI document: what it says of each route, its examples, and the pages that show it."""
