"""The check of a deployment: `checks` has the list, each other module the checks of a subject."""
