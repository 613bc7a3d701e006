"""The SQL. Every function runs on a connection whose transaction belongs to the caller.

Statements are SQLAlchemy Core, valid on MariaDB, MySQL 8 and SQLite alike. Ids are sorted in every
batch, so that racing batches lock in the same order.
"""
