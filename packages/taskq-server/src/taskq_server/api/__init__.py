"""The HTTP layer: thin routes over the services. Nothing else but `main` knows FastAPI."""
