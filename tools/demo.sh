#!/bin/sh
# Shows intertie at work: tools/demo.sh BUILD_DIR [--stay]
exec python3 "$(dirname "$0")/demo.py" "$@"
