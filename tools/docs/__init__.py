"""The pages that are made from code, and the site that shows all of them.

    python -m tools.docs                # write the pages that are kept in docs/
    python -m tools.docs --check        # are they what the code says?
    python -m tools.docs --site FOLDER  # build the site

Kept are the pages that readers of the repository look for: the HTTP API, the commands, the settings
and the problems. The reference and the changelog are in the site only, because each sentence of
theirs stands in the repository already. Every page is plain CommonMark with tables.
"""
