"""One attempt: run it, turn what happens into a result, store it, and how many there may be."""
