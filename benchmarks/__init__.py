"""taskq beside its peers, on this machine, in one run: `nox -s bench`."""
