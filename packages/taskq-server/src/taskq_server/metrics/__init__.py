"""The numbers that a process shows to Prometheus. Only this package knows the library."""
