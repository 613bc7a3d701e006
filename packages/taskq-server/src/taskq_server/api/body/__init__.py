"""Bodies of requests: how they are read, what JSON is taken, and what is checked in pieces."""
