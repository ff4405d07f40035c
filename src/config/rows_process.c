/* Keys of the process itself. */
#include "base/assert.h"
#include "config/rows.h"

static const struct config_row rows[] = {
    {"name", ROW_NAME, 0, "intertie", "This node, in logs, metrics and `Via`.", .field = ROW_FIELD(config, name)},
    {"zone", ROW_NAME, 0, NULL, "Its locality, for `zones`.", .field = ROW_FIELD(config, zone)},
    {"public_url", ROW_HTTP_URL, 0, NULL, "Prefix of `/systems/x` and `/problems/x` in what we write; without it they are relative.",
     .field = ROW_FIELD(config, public_url)},
    {"workers", ROW_WORKERS, 0, "auto", "Threads that carry messages; `auto` is one per usable core.", .least = 1, .most = 64,
     .field = ROW_FIELD(config, workers)},
    {"run_dir", ROW_PATH, 0, "(/run/intertie, or $XDG_RUNTIME_DIR/intertie)", "Where NAME.pid and NAME.sock are.",
     .field = ROW_FIELD(config, run_dir)},
    {"include", ROW_GLOB, ROW_LIST, NULL, "More files with the same keys, read in name order; a name in two files is an error."},
    {"busy_poll", ROW_DURATION, 0, "0us", "Spin so long for input before sleeping: lower latency for a busy core.", .most = NS_PER_S,
     .field = ROW_FIELD(config, busy_poll_ns)},
    {"extensions", ROW_NAMED, 0, NULL, "Your own CloudEvents attributes with their types; undeclared ones pass through but can't be matched."},
    {"extensions.*", ROW_ENUM, 0, NULL, "Its type, which survives protocols that know only text.",
     .values = "string|integer|boolean|binary|uri|timestamp"},
    {"limits", ROW_GROUP, 0, NULL, "Of the whole process."},
    {"limits.message", ROW_SIZE, 0, "1MiB", "The largest message; listeners may only lower it.", .least = 1024, .most = 256 << 20,
     .field = ROW_FIELD(config, message_max)},
    {"limits.memory", ROW_SIZE, ROW_UNLIMITED, "unlimited",
     "Of messages, connections and their buffers. The lowest priority is shed from 70% of it on, the highest at all of it.",
     .least = 16 << 20, .field = ROW_FIELD(config, memory_max)},
    {"limits.connections", ROW_COUNT, 0, "50000", "Open connections, in and out; the admin's have 64 of their own.", .least = 1,
     .most = 1000000, .field = ROW_FIELD(config, connections_max)},
    {"drain", ROW_GROUP, 0, NULL, "How stopping goes."},
    {"drain.announce", ROW_DURATION, 0, "0s", "`/readyz` says no for so long before accepting stops.", .most = 3600 * NS_PER_S,
     .field = ROW_FIELD(config, drain.announce_ns)},
    {"drain.grace", ROW_DURATION, 0, "30s", "So long open work may end; the rest is cut and counted. Closes are spread over the first half at most.", .most = 86400 * NS_PER_S,
     .field = ROW_FIELD(config, drain.grace_ns)},
    {"storage", ROW_GROUP, 0, NULL, "What is kept; in memory, so it ends with the process."},
    {"storage.dead_letters", ROW_GROUP, 0, NULL, "What could not be delivered. The oldest goes when there is no room."},
    {"storage.dead_letters.messages", ROW_COUNT, 0, "10000", "So many; each worker has its share.", .most = 10000000,
     .field = ROW_FIELD(config, dead_letters.messages)},
    {"storage.dead_letters.bytes", ROW_SIZE, 0, "64MiB", "Their bytes.", .field = ROW_FIELD(config, dead_letters.bytes)},
    {"storage.dead_letters.keep", ROW_DURATION, ROW_UNLIMITED, "7d", "For so long.", .least = NS_PER_S,
     .field = ROW_FIELD(config, dead_letters.keep_ns)},
};

const struct config_rows rows_process = {"", "The process", rows, COUNT_OF(rows)};
