#!/usr/bin/env bash
exec taskq-server worker "$@"
