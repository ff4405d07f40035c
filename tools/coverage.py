#!/usr/bin/env python3
"""Reads gcovr's summary; prints lines by room and by parser; exit 1 below the bars."""
import collections
import json
import os
import sys

PARSER_BAR = 95.0
WHOLE_BAR = 85.0

# Whatever reads bytes of a peer or of a user's file.
PARSERS = """
base/address base/json base/json_value base/text
message/check message/http_decode message/json_decode message/proto_decode message/timestamp message/wire
policy/cesql_lex policy/cesql_parse
config/expand config/json config/scalar config/url config/yaml
protocol/http1/api protocol/http1/chunked protocol/http1/decode protocol/http1/parse
protocol/stream/control protocol/stream/handshake
protocol/units/bare protocol/units/codec protocol/units/control_events protocol/units/delimited protocol/units/fifo
protocol/units/frames protocol/units/length protocol/units/line protocol/units/units
protocol/stream/session protocol/stream/settle protocol/stream/sniff protocol/stream/stream1
protocol/datagram/datagram
""".split()


def share(covered, total):
    return 100.0 * covered / total if total else 100.0


def main(path):
    with open(path, encoding="utf-8") as file:
        files = {f["filename"]: (f["line_covered"], f["line_total"]) for f in json.load(file)["files"]}
    failed = False
    rooms = collections.defaultdict(lambda: [0, 0])
    for name, (covered, total) in files.items():
        parts = name.split("/")
        room = "/".join(parts[1:3] if parts[1] == "protocol" and len(parts) > 3 else parts[1:2])
        rooms[room][0] += covered
        rooms[room][1] += total
    print(f"{'room':24} {'lines':>7} {'covered':>8}")
    for room, (covered, total) in sorted(rooms.items()):
        print(f"{room:24} {total:7} {share(covered, total):7.1f} %")
    print(f"\n{'parser':32} {'lines':>6} {'covered':>8}  (bar {PARSER_BAR:g} %)")
    all_parsers = [0, 0]
    for parser in PARSERS:
        name = os.path.join("src", parser + ".c")
        if name not in files:
            print(f"{parser:32} is no file that was built")
            failed = True
            continue
        covered, total = files[name]
        all_parsers[0] += covered
        all_parsers[1] += total
        below = share(covered, total) < PARSER_BAR
        failed |= below
        print(f"{parser:32} {total:6} {share(covered, total):7.1f} %{'  below the bar' if below else ''}")
    whole = [sum(f[0] for f in files.values()), sum(f[1] for f in files.values())]
    failed |= share(*whole) < WHOLE_BAR
    print(f"\nparsers {share(*all_parsers):.1f} % of {all_parsers[1]} lines, "
          f"the whole {share(*whole):.1f} % of {whole[1]} (bar {WHOLE_BAR:g} %)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
