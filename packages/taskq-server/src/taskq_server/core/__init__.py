"""Settings, database, Redis, clock, group commit and the error tree."""
