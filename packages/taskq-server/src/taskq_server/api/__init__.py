"""The HTTP layer: thin routes over the services. Only this package and `main` import FastAPI."""
