#!/bin/sh
exec tools/operators --check README.md
