"""Two commits of taskq beside each other, on the same servers, in pairs of runs."""
