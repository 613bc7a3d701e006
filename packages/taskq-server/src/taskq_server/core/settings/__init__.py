"""Every setting of the server, by subject: one class a module; `core.config` puts them together."""
