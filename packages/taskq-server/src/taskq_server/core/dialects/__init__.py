"""Everything that depends on which database is used."""
