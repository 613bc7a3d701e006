"""FastAPI + SQLAlchemy ORM + asyncmy + arq, as it is usually written."""
