#!/usr/bin/env python3
"""The command line where no router runs: help, usage, exit codes, validate, keys, completion. Prints TAP."""
import hashlib
import os
import re
import shutil
import subprocess

from cli_kit import PATIENCE, PROGRAM, SOURCE, Folder, case, closed_port, equal, intertie, main, matches

COMMANDS = ["run", "start", "stop", "restart", "reload", "drain", "status", "top", "endpoint", "validate", "send", "call", "listen", "replay", "explain",
            "dlq", "trace",
            "keys", "certs", "completion", "version"]
LATER = ["tap", "test", "agent", "record", "audit"]
COMMON = ["config", "environment", "set", "admin", "json", "quiet", "verbose", "help"]
GOOD = """listeners: {web: http://127.0.0.1:0, stream: tcp://127.0.0.1:0}
systems: {lamp: udp://127.0.0.1:7102, desk: {accept: true}}
routes: {alarms: {match: {type: com.example.alarm.*}, to: [lamp, desk]}}
"""


def nobody(*more):
    return ["--admin", f"http://127.0.0.1:{closed_port()}", *more]


def options_of(command):
    return re.findall(r"^  (?:-\w, |    )--([a-z-]+)", intertie(command, "--help").exits(0).out, re.M)


@case
def help_names_every_command_and_none_other():
    for arguments in (["help"], ["--help"], ["-h"]):
        done = intertie(*arguments).exits(0)
        equal(re.findall(r"^  (\w+)  +\S", done.out, re.M), COMMANDS + ["help"], arguments)
        equal(done.err, "", "stderr")


@case
def no_command_is_usage_and_tells_the_commands_on_stderr():
    done = intertie().exits(2)
    equal(done.out, "", "stdout")
    matches(done.err, r"^  run +runs a router")


@case
def each_command_has_help_with_its_options_and_an_example():
    for command in COMMANDS:
        done = intertie(command, "--help").exits(0)
        equal(intertie("help", command).exits(0).out, done.out, command)
        equal(intertie(command, "-h").exits(0).out, done.out, command)
        matches(done.out, rf"\Aintertie {command} ", command)
        matches(done.out, rf"^  .*intertie {command}\b", f"an example of {command}")
        for option in COMMON:
            matches(done.out, rf"--{option}\b", command)


@case
def an_unknown_command_is_usage_with_the_nearest_name():
    matches(intertie("sned").exits(2).err, r"no command `sned`; did you mean `send`\?")
    matches(intertie("zzzzzz").exits(2).err, r"no command `zzzzzz`")
    intertie("help", "zzzzzz").exits(2)


@case
def words_of_later_versions_are_known_and_refused():
    for command in LATER:
        done = intertie(command).exits(1)
        matches(done.err, rf"`{command}` is not supported yet in \d", command)
        equal(done.out, "", command)
    for verb in ("list", "rotate"):
        matches(intertie("keys", verb).exits(1).err, "not supported yet")


@case
def wrong_options_are_usage_and_a_near_name_is_shown():
    done = intertie("status", "--frobnicate").exits(2)
    equal(done.out, "", "stdout")
    matches(done.err, r"intertie status: unknown option --frobnicate\nTry `intertie status --help`")
    matches(intertie("send", "--tpye", "a").exits(2).err, r"did you mean --type\?")
    matches(intertie("send", "--type").exits(2).err, r"--type needs a value")
    matches(intertie("status", "-Z").exits(2).err, r"unknown option -Z")
    matches(intertie("stop", "--wait", "10").exits(2).err, r"--wait needs a duration with its unit")
    matches(intertie("listen", "--as", "a", "--count", "0").exits(2).err, r"--count needs a number above 0")
    matches(intertie("version", "--type", "a").exits(2).err, "unknown option --type")


@case
def usage_errors_are_json_where_json_is_asked_for():
    for arguments in (["status", "--json", "--frobnicate"], ["status", "--frobnicate", "--json"],
                      ["stop", "--json", "--wait", "10"], ["send", "--json"], ["listen", "--json"], ["keys", "--json"]):
        done = intertie(*arguments).exits(2)
        equal(done.json()["reason"], "usage", arguments)
        equal(done.err, "", arguments)


@case
def arguments_that_a_command_does_not_take_are_refused():
    for arguments in (["version", "x"], ["status", "x"], ["stop", "x"], ["drain", "x"], ["run", "a", "b"], ["send", "x"],
                      ["listen", "x"], ["completion", "bash", "x"], ["keys", "new", "a", "b"]):
        equal(intertie(*arguments).exits(2).out, "", arguments)


@case
def version_is_one_line_or_one_document():
    done = intertie("version").exits(0)
    matches(done.out, r"\Aintertie \d+\.\d+\.\d+\n\Z")
    equal(intertie("--version").exits(0).out, done.out)
    document = intertie("version", "--json").exits(0).json()
    equal(document, {"name": "intertie", "version": done.out.split()[1]})


@case
def where_no_router_is_the_exit_is_69():
    for arguments in (["status"], ["stop"], ["reload"], ["drain"], ["send", "--type", "a"], ["call", "--type", "a"],
                      ["listen", "--as", "a"], ["send", "--batch", "-"], ["top"], ["endpoint", "list"],
                      ["endpoint", "down", "a/b"]):
        done = intertie(*arguments, *nobody()).exits(69)
        equal(done.out, "", arguments)
        matches(done.err, r"\Aintertie: .*(no router there|not running)", arguments)
        document = intertie(*arguments, *nobody("--json")).exits(69)
        equal(document.json()["reason"], "not-running", arguments)
        equal(document.err, "", arguments)


@case
def at_a_url_where_nobody_listens_the_exit_is_69():
    port = closed_port()
    for scheme in ("http", "tcp", "intertie"):
        intertie("send", "--type", "a", "--url", f"{scheme}://127.0.0.1:{port}").exits(69)
        intertie("call", "--type", "a", "--url", f"{scheme}://127.0.0.1:{port}").exits(69)
    for scheme in ("tcp", "intertie"):
        intertie("listen", "--as", "a", "--url", f"{scheme}://127.0.0.1:{port}").exits(69)


@case
def a_wrong_admin_url_is_usage():
    for url in ("bogus", "tcp://127.0.0.1:1", "http://"):
        intertie("status", "--admin", url).exits(2)
        intertie("stop", "--admin", url).exits(2)


@case
def schemes_are_refused_as_unknown_or_as_of_later_versions():
    matches(intertie("send", "--type", "a", "--url", "grpc://127.0.0.1:1").exits(1).err, "not supported yet")
    matches(intertie("send", "--type", "a", "--url", "kafka://127.0.0.1:1").exits(1).err, "not supported yet")
    intertie("send", "--type", "a", "--url", "gopher://127.0.0.1:1").exits(2)
    intertie("listen", "--as", "a", "--url", "udp://127.0.0.1:1").exits(1)


@case
def what_is_wrong_with_an_event_is_told_before_anybody_is_looked_for():
    for arguments, words in ((["send"], "--type is missing"), (["call"], "--type is missing"),
                             (["send", "--type", "a", "--priority", "9"], "--priority"),
                             (["send", "--type", "a", "--ttl", "5"], "unit"),
                             (["send", "--type", "a", "--attr", "novalue"], "--attr"),
                             (["send", "--type", "a", "--attr", "UP=1"], "UP"),
                             (["send", "--type", "a", "--kind", "shout"], "messagetype"),
                             (["call", "--type", "a", "--kind", "event"], "only a request or a query")):
        matches(intertie(*arguments, *nobody()).exits(2).err, words, arguments)
    intertie("send", "--type", "a", "--data", "@/nonexistent", *nobody()).exits(1)


@case
def listen_wants_a_system_or_a_filter():
    matches(intertie("listen", *nobody()).exits(2).err, "--as SYSTEM")


@case
def validate_accepts_and_counts():
    with Folder({"a.yaml": GOOD}) as folder:
        done = intertie("validate", folder.file("a.yaml")).exits(0)
        equal(done.out, f"{folder.file('a.yaml')}: ok  2 listeners, 2 systems, 1 route\n")
        equal(intertie("validate", cwd=folder.path, env={"INTERTIE_CONFIG": "a.yaml"}).exits(0).out,
              "a.yaml: ok  2 listeners, 2 systems, 1 route\n")
        equal(intertie("validate", "-c", "a.yaml", "--json", cwd=folder.path).exits(0).json(), {"errors": [], "warnings": []})
        os.rename(folder.file("a.yaml"), folder.file("intertie.yaml"))
        equal(intertie("validate", cwd=folder.path).exits(0).out, "intertie.yaml: ok  2 listeners, 2 systems, 1 route\n")


@case
def the_argument_stands_above_config_and_that_above_the_environment():
    with Folder({"good.yaml": GOOD, "bad.yaml": "nonsense: 1\n"}) as folder:
        intertie("validate", "good.yaml", "-c", "bad.yaml", cwd=folder.path).exits(0)
        intertie("validate", "-c", "good.yaml", cwd=folder.path, env={"INTERTIE_CONFIG": "bad.yaml"}).exits(0)
        intertie("validate", cwd=folder.path, env={"INTERTIE_CONFIG": "bad.yaml"}).exits(78)


@case
def validate_shows_all_mistakes_in_one_go_with_a_caret():
    text = """listeners: {web: http://127.0.0.1:0}
systems:
  billing:
    url: tcp://127.0.0.1:7101
    timeout: 5s
  pricing: {url: "tcp://127.0.0.1:7102", timeouts: {connect: 30}}
routes:
  prices: {match: {type: a.*}, to: pricng}
"""
    with Folder({"intertie.yaml": text}) as folder:
        done = intertie("validate", cwd=folder.path).exits(78)
        equal(done.out, "", "stdout")
        matches(done.err, r"^intertie\.yaml:5:5: error: unknown key `timeout` in systems\.billing; did you mean `timeouts`\?\n"
                          r"    5 \|     timeout: 5s\n      \|     \^\^\^\^\^\^\^$")
        matches(done.err, r"^intertie\.yaml:6:\d+: error: systems\.pricing\.timeouts\.connect: `30` has no unit; write 30s$")
        matches(done.err, r"^intertie\.yaml:8:\d+: error: routes\.prices\.to: no system `pricng`; did you mean `pricing`")
        matches(done.err, r"^3 errors: intertie\.yaml would not start\.$")
        document = intertie("validate", "--json", cwd=folder.path).exits(78).json()
        equal(len(document["errors"]), 3)
        equal(sorted(document["errors"][0]), ["column", "file", "line", "message", "nearest", "path"])
        equal((document["errors"][0]["line"], document["errors"][0]["column"], document["errors"][0]["nearest"]), (5, 5, "timeouts"))
        for command in ("run", "start", "restart"):
            equal(intertie(command, cwd=folder.path).code, 78, command)


@case
def keys_of_later_versions_are_refused_unlike_unknown_ones():
    with Folder({"intertie.yaml": GOOD + "middleware: {sealed: {encrypt: {}}}\n"}) as folder:
        matches(intertie("validate", cwd=folder.path).exits(78).err, r"not supported yet in 0\.")


@case
def strict_makes_warnings_errors():
    with Folder({"intertie.yaml": GOOD.replace("[lamp, desk]", "lamp")}) as folder:
        matches(intertie("validate", cwd=folder.path).exits(0).err, r"warning: systems\.desk")
        equal(intertie("validate", "-q", cwd=folder.path).exits(0).err, "")
        intertie("validate", "--strict", cwd=folder.path).exits(78)


@case
def every_environment_is_checked_and_one_can_be_chosen():
    text = GOOD + "environments: {good: {log: {level: debug}}, bad: {log: {level: shout}}}\n"
    with Folder({"intertie.yaml": text}) as folder:
        matches(intertie("validate", cwd=folder.path).exits(78).err, r"shout")
        intertie("validate", "-e", "good", cwd=folder.path).exits(0)
        intertie("validate", cwd=folder.path, env={"INTERTIE_ENVIRONMENT": "good"}).exits(0)
        intertie("validate", "-e", "bad", cwd=folder.path).exits(78)
        matches(intertie("validate", "-e", "god", cwd=folder.path).exits(78).err, r"no environment `god`; did you mean `good`")


@case
def set_lies_over_all_and_is_checked():
    with Folder({"intertie.yaml": GOOD}) as folder:
        matches(intertie("validate", "--print", "--set", "log/level=debug", cwd=folder.path).exits(0).out, r"level: debug")
        matches(intertie("validate", "--set", "log/level=shout", cwd=folder.path).exits(78).err, r"--set log/level=shout\S*: error:")
        intertie("validate", "--set", "nonsense", cwd=folder.path).exits(78)


@case
def no_files_works_without_secrets():
    text = GOOD + 'security: {identities: {crm: {system: desk, keys: {main: {hash: "${KEY_HASH}"}}}}}\n'
    with Folder({"intertie.yaml": text}) as folder:
        matches(intertie("validate", cwd=folder.path).exits(78).err, "KEY_HASH")
        intertie("validate", "--no-files", cwd=folder.path).exits(0)


@case
def print_shows_what_is_in_force_and_it_can_be_read_again():
    with Folder({"intertie.yaml": GOOD}) as folder:
        done = intertie("validate", "--print", cwd=folder.path).exits(0)
        matches(done.out, r"url: udp://127\.0\.0\.1:7102 +# intertie\.yaml:2")
        folder.write("again.yaml", done.out)
        intertie("validate", "again.yaml", cwd=folder.path).exits(0)


@case
def schema_is_one_json_document_and_needs_no_file():
    with Folder() as folder:
        document = intertie("validate", "--schema", cwd=folder.path).exits(0).json()
        equal(document["$schema"], "https://json-schema.org/draft/2020-12/schema")
        assert {"listeners", "systems", "routes"} <= set(document["properties"])


@case
def several_files_are_checked_and_the_worst_counts():
    with Folder({"a.yaml": GOOD, "b.yaml": "nonsense: 1\n"}) as folder:
        done = intertie("validate", "a.yaml", "b.yaml", cwd=folder.path).exits(78)
        matches(done.out, r"\Aa\.yaml: ok")
        matches(done.err, r"b\.yaml would not start")
        intertie("validate", "a.yaml", "b.yaml", "--json", cwd=folder.path).exits(2)


@case
def no_configuration_is_78_with_a_way_on():
    with Folder() as folder:
        for command in ("run", "start", "validate"):
            if os.path.exists("/etc/intertie/intertie.yaml"):
                return
            matches(intertie(command, cwd=folder.path).exits(78).err, "no configuration: name a FILE", command)
            equal(intertie(command, "--json", cwd=folder.path).exits(78).json()["reason"], "bad-config")
            matches(intertie(command, "nofile.yaml", cwd=folder.path).exits(78).err, "nofile.yaml", command)


@case
def keys_new_prints_a_key_once_and_a_row_that_fits():
    done = intertie("keys", "new", "crm").exits(0)
    matches(done.out, r"\Aitk_[A-Za-z0-9_-]{43}\n\Z")
    digest = hashlib.sha256(done.out.strip().encode()).hexdigest()
    matches(done.err, rf'crm: \{{system: crm, keys: \{{main: \{{hash: "sha256:{digest}"\}}\}}\}}')
    security = done.err[done.err.index("security:"):].replace("system: crm", "system: desk")
    with Folder({"intertie.yaml": GOOD + security}) as folder:
        intertie("validate", cwd=folder.path).exits(0)
    document = intertie("keys", "new", "crm", "--json").exits(0).json()
    equal(sorted(document), ["identity", "key", "row"])
    assert document["key"] != done.out.strip()
    equal(intertie("keys", "new", "crm", "-q").exits(0).err, "")
    for arguments in ([], ["new"], ["new", "CRM"], ["new", "a b"], ["make", "a"]):
        intertie("keys", *arguments).exits(2)


@case
def completion_is_taken_by_its_shell_and_offers_the_commands():
    for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])):
        done = intertie("completion", shell).exits(0)
        for command in COMMANDS:
            matches(done.out, rf"\b{command}\b", shell)
        if shutil.which(shell):
            subprocess.run(check, input=done.out, text=True, check=True, timeout=PATIENCE)
    script = intertie("completion", "bash").out + "COMP_WORDS=(intertie va); COMP_CWORD=1; _intertie; echo ${COMPREPLY[@]}"
    equal(subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE).stdout, "validate\n")
    for arguments in ([], ["tcsh"]):
        intertie("completion", *arguments).exits(2)


@case
def standard_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([PROGRAM, "version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    equal(done.returncode, 1)
    matches(done.stderr, "standard output")


@case
def the_pages_know_every_command_option_and_exit_code():
    with open(os.path.join(SOURCE, "docs/cli.md"), encoding="utf-8") as file:
        page = file.read()
    with open(os.path.join(SOURCE, "docs/man/intertie.1"), encoding="utf-8") as file:
        manual = re.sub(r"\\f.|\"|^\.[A-Z]+ ", "", file.read().replace("\\-", "-"), flags=re.M)
    known = set()
    for command in COMMANDS:
        matches(page, rf"`[^`]*\b{command}\b", "docs/cli.md")
        matches(manual, rf"^{command}\b", "intertie.1")
        known |= set(options_of(command))
    assert len(known) > 30, known
    for option in known:
        matches(page, rf"`(-\w`, `)?--{option}\b", "docs/cli.md")
        matches(manual, rf"--{option}\b", "intertie.1")
    for option in set(re.findall(r"--([a-z]+(?:-[a-z]+)*)", page + manual)) - {"unix-socket"}:
        assert option in known, f"the pages name --{option}, which no command has"
    for code in (0, 1, 2, 3, 4, 5, 69, 78, 130):
        matches(page, rf"^\| {code}\b", "docs/cli.md")
        matches(manual, rf"^{code}\b", "intertie.1")


main()
