/* The table of metrics: every name that /metrics can show, its type, unit, labels and help, as one row each.
 *
 * Names follow the Prometheus rules; `_total` of counters and `_info` are added when written. Values are integers:
 * metrics in seconds are kept in nanoseconds. Label values are names from the configuration or words from our own
 * tables, never ids, URLs, topics or addresses. An empty label value is the same as no label. */
#ifndef TELEMETRY_METRIC_H
#define TELEMETRY_METRIC_H

#include "base/slice.h"

enum metric_type {
    METRIC_TYPE_COUNTER,   /* workers are summed */
    METRIC_TYPE_GAUGE,     /* workers are summed */
    METRIC_TYPE_GAUGE_MAX, /* the greatest of all workers */
    METRIC_TYPE_TIME, /* a gauge that is a point in time: the latest of all workers; 0 is none, and not shown */
    /* Gauges that are kept one higher than they are: 0 is none, and not shown. */
    METRIC_TYPE_STATE_MIN, /* the least of the workers that have one */
    METRIC_TYPE_STATE_MAX, /* the greatest */
    METRIC_TYPE_HISTOGRAM, /* workers are merged */
    METRIC_TYPE_INFO,      /* always 1: says something by its labels */
};

enum metric_unit {
    METRIC_UNIT_NONE,
    METRIC_UNIT_SECONDS, /* kept in nanoseconds */
    METRIC_UNIT_BYTES,
};

#define METRIC_LABELS_MAX 3

/* Columns: name in C, type, name, unit, three labels, help. */
#define METRIC_TABLE(X) \
    X(MESSAGES_RECEIVED, COUNTER, "intertie_messages_received", NONE, "protocol", "listener", NULL, \
      "Messages that arrived, whatever became of them.") \
    X(MESSAGES_ACCEPTED, COUNTER, "intertie_messages_accepted", NONE, "kind", "priority", NULL, \
      "Messages whose sender was or will be told that they are taken.") \
    X(MESSAGES_DELIVERED, COUNTER, "intertie_messages_delivered", NONE, "system", "protocol", "priority", \
      "Messages that ended delivered to a recipient.") \
    X(MESSAGES_REPLIED, COUNTER, "intertie_messages_replied", NONE, "system", "protocol", "priority", \
      "Queries and requests that ended with a reply.") \
    X(MESSAGES_EXPIRED, COUNTER, "intertie_messages_expired", NONE, "system", "priority", "reason", \
      "Messages that ended because their time was over.") \
    X(MESSAGES_REJECTED, COUNTER, "intertie_messages_rejected", NONE, "system", "priority", "reason", \
      "Messages that were refused before they were accepted.") \
    X(MESSAGES_DEAD_LETTERED, COUNTER, "intertie_messages_dead_lettered", NONE, "system", "priority", "reason", \
      "Accepted messages that could not be delivered.") \
    X(MESSAGES_DROPPED, COUNTER, "intertie_messages_dropped", NONE, "system", "priority", "reason", \
      "Messages that ended unsent and that nobody asked to keep.") \
    X(DEAD_LETTERS, GAUGE, "intertie_dead_letters", NONE, NULL, NULL, NULL, "Dead letters that are kept.") \
    X(DEAD_LETTER_BYTES, GAUGE, "intertie_dead_letters_bytes", BYTES, NULL, NULL, NULL, "Bytes of dead letters that are kept.") \
    X(DEAD_LETTERS_LOST, COUNTER, "intertie_dead_letters_lost", NONE, "reason", NULL, NULL, \
      "Dead letters that nobody looked at in time: no room, or too old.") \
    X(DEAD_LETTERS_REDRIVEN, COUNTER, "intertie_dead_letters_redriven", NONE, NULL, NULL, NULL, \
      "Dead letters that were sent again.") \
    X(TRACE_RECORDS, COUNTER, "intertie_trace_records", NONE, NULL, NULL, NULL, "Records about single messages.") \
    X(TRACE_RECORDS_LOST, COUNTER, "intertie_trace_records_lost", NONE, "reason", NULL, NULL, \
      "Records about single messages that are gone: overwritten by newer ones, or there was no memory.") \
    X(HEARTBEATS, COUNTER, "intertie_heartbeats", NONE, NULL, NULL, NULL, "Heartbeat messages received.") \
    X(REDELIVERIES, COUNTER, "intertie_redeliveries", NONE, "system", "reason", NULL, \
      "Deliveries begun again after an attempt failed.") \
    X(RETRIES, COUNTER, "intertie_retries", NONE, "system", "outcome", NULL, \
      "Attempts that failed and were followed by another, by what failed.") \
    X(RETRIES_REFUSED, COUNTER, "intertie_retries_refused", NONE, "system", "reason", NULL, \
      "Attempts that failed and were the last, by what forbade another.") \
    X(HEALTH_CHECKS, COUNTER, "intertie_health_checks", NONE, "system", "result", NULL, \
      "Endpoints that were asked whether they are well, by what came of it.") \
    X(ENDPOINT_UP, STATE_MIN, "intertie_endpoint_up", NONE, "system", "endpoint", NULL, \
      "1: every worker would send to it, 0: some would not, for whatever reason.") \
    X(ENDPOINT_EJECTED, STATE_MAX, "intertie_endpoint_ejected", NONE, "system", "endpoint", NULL, \
      "1: some worker has ejected it.") \
    X(ENDPOINT_IN_FLIGHT, GAUGE, "intertie_endpoint_in_flight", NONE, "system", "endpoint", NULL, \
      "Messages that are on their way to it.") \
    X(CIRCUIT_STATE, STATE_MAX, "intertie_circuit_state", NONE, "system", "endpoint", NULL, \
      "Its breaker, the worst of all workers: 0 closed, 1 half open, 2 open.") \
    X(DISCOVERY_LOOKUPS, COUNTER, "intertie_discovery_lookups", NONE, "system", "result", NULL, \
      "Questions to name servers for endpoints, by what came of them.") \
    X(ENDPOINTS_FOUND, GAUGE, "intertie_endpoints_found", NONE, "system", "origin", NULL, \
      "Endpoints that are not in the configuration.") \
    X(RETRIES_WAITING, GAUGE, "intertie_retries_waiting", NONE, "system", NULL, NULL, \
      "Messages that wait for their next attempt.") \
    X(RETRY_BUDGET, GAUGE, "intertie_retry_budget_remaining", NONE, "system", NULL, NULL, \
      "Retries of query and request that may still begin now.") \
    X(DELIVERY_DURATION, HISTOGRAM, "intertie_delivery_duration_seconds", SECONDS, "system", NULL, NULL, \
      "Time from the arrival of a message to its delivery or reply.") \
    X(EXCHANGES, COUNTER, "intertie_exchanges", NONE, "system", "code", "reason", \
      "HTTP exchanges that were streamed, by what was answered; reason `ok`: they came to their end.") \
    X(EXCHANGE_DURATION, HISTOGRAM, "intertie_exchange_duration_seconds", SECONDS, "system", NULL, NULL, \
      "Time from the head of a streamed request to the head of its answer.") \
    X(EXCHANGE_BYTES, COUNTER, "intertie_exchange_bytes", BYTES, "system", "direction", NULL, \
      "Bytes of bodies and tunnels that were streamed: `in` to the system, `out` from it.") \
    X(EXCHANGES_OPEN, GAUGE, "intertie_exchanges_open", NONE, "system", NULL, NULL, \
      "HTTP exchanges that are streamed now, or wait for a connection.") \
    X(QUEUE_DEPTH, GAUGE, "intertie_queue_depth", NONE, "system", "priority", NULL, \
      "Messages waiting for a recipient.") \
    X(QUEUE_BYTES, GAUGE, "intertie_queue_bytes", BYTES, "system", "priority", NULL, \
      "Bytes waiting for a recipient.") \
    X(QUEUE_OLDEST_AGE, GAUGE_MAX, "intertie_queue_oldest_age_seconds", SECONDS, "system", "priority", NULL, \
      "Age of the message that has waited longest.") \
    X(DELIVERIES_UNSETTLED, GAUGE, "intertie_deliveries_unsettled", NONE, "system", NULL, NULL, \
      "Deliveries sent that wait for an acknowledgement or a reply.") \
    X(REPLIES_KEPT, GAUGE, "intertie_replies_kept", NONE, NULL, NULL, NULL, "Replies that wait to be fetched.") \
    X(DEDUPE_ENTRIES, GAUGE, "intertie_dedupe_entries", NONE, NULL, NULL, NULL, "Messages whose duplicates would be known.") \
    X(CONNECTIONS, GAUGE, "intertie_connections", NONE, "protocol", "direction", NULL, "Connections open now.") \
    X(CONNECTIONS_OPENED, COUNTER, "intertie_connections_opened", NONE, "protocol", "direction", NULL, \
      "Connections opened.") \
    X(CONNECTIONS_CLOSED, COUNTER, "intertie_connections_closed", NONE, "protocol", "direction", "reason", \
      "Connections closed, by reason.") \
    X(CONNECTIONS_REFUSED, COUNTER, "intertie_connections_refused", NONE, "listener", "reason", NULL, \
      "Connections closed before their first byte was read.") \
    X(DIAL_FAILURES, COUNTER, "intertie_dial_failures", NONE, "system", "reason", NULL, \
      "Attempts to connect to an endpoint that failed.") \
    X(SYSTEM_SESSIONS, GAUGE, "intertie_system_sessions", NONE, "system", NULL, NULL, \
      "Connections over which the system can be reached now.") \
    X(BYTES_RECEIVED, COUNTER, "intertie_bytes_received", NONE, "protocol", "direction", NULL, \
      "Bytes read from connections.") \
    X(BYTES_SENT, COUNTER, "intertie_bytes_sent", NONE, "protocol", "direction", NULL, \
      "Bytes written to connections.") \
    X(FAULTS, COUNTER, "intertie_faults", NONE, "kind", NULL, NULL, \
      "Messages that a route's fault met: delay, abort; skipped: too many were delayed already.") \
    X(FAULTS_ALLOWED, GAUGE, "intertie_faults_allowed", NONE, NULL, NULL, NULL, \
      "1 when started with --allow-faults.") \
    X(FAILOVERS, COUNTER, "intertie_failovers", NONE, "kind", NULL, NULL, \
      "Messages of routes with failover: chosen: another than the first got it; moved: it waited for one, and went on to another.") \
    X(HEDGES, COUNTER, "intertie_hedges", NONE, "result", NULL, NULL, \
      "Second attempts beside one that took long: sent; won: they were answered first; late: answers that came after another's; no-budget: not made.") \
    X(MIRROR_COPIES, COUNTER, "intertie_mirror_copies", NONE, "result", NULL, NULL, \
      "Copies for mirrors: made, skipped for want of room; replied: their replies, which are dropped.") \
    X(DATAGRAMS_DROPPED, COUNTER, "intertie_datagrams_dropped", NONE, "listener", "reason", NULL, \
      "Datagrams thrown away.") \
    X(AUTHENTICATIONS, COUNTER, "intertie_authentications", NONE, "method", "result", NULL, \
      "Attempts of peers to authenticate.") \
    X(LIMITS_REACHED, COUNTER, "intertie_limits_reached", NONE, "limit", NULL, NULL, \
      "Times that a configured limit was hit.") \
    X(MEMORY_FAILURES, COUNTER, "intertie_memory_failures", NONE, NULL, NULL, NULL, "Allocations that failed.") \
    X(CONFIG_RELOADS, COUNTER, "intertie_config_reloads", NONE, "result", NULL, NULL, \
      "Attempts to reload the configuration.") \
    X(CONFIG_RELOAD_SUCCESS, GAUGE, "intertie_config_last_reload_success", NONE, NULL, NULL, NULL, \
      "1 when the last attempt to load the configuration succeeded, else 0.") \
    X(CONFIG_RELOAD_TIME, GAUGE_MAX, "intertie_config_last_reload_timestamp_seconds", SECONDS, NULL, NULL, NULL, \
      "When the configuration in use was loaded.") \
    X(CERTIFICATE_END, TIME, "intertie_tls_cert_not_after_timestamp_seconds", SECONDS, "certificate", NULL, NULL, \
      "When the certificate that is in use ends.") \
    X(READY, GAUGE, "intertie_ready", NONE, NULL, NULL, NULL, \
      "1 when new messages are taken, 0 while starting and draining.") \
    X(WORKERS, GAUGE, "intertie_workers", NONE, NULL, NULL, NULL, "Worker threads.") \
    X(LOG_LINES, COUNTER, "intertie_log_lines", NONE, "level", NULL, NULL, "Log lines written.") \
    X(LOG_LINES_LOST, COUNTER, "intertie_log_lines_lost", NONE, NULL, NULL, NULL, \
      "Log lines that could not be written.") \
    X(SERIES_OVERFLOWS, COUNTER, "intertie_metric_series_overflows", NONE, "metric", NULL, NULL, \
      "Series refused and counted under the label value overflow instead.") \
    X(BUILD, INFO, "intertie_build", NONE, "version", "compiler", NULL, "What this program was built from.") \
    X(PROCESS_CPU, COUNTER, "process_cpu_seconds", SECONDS, NULL, NULL, NULL, "CPU time used, user and system.") \
    X(PROCESS_RESIDENT, GAUGE, "process_resident_memory_bytes", BYTES, NULL, NULL, NULL, "Resident memory.") \
    X(PROCESS_VIRTUAL, GAUGE, "process_virtual_memory_bytes", BYTES, NULL, NULL, NULL, "Virtual memory.") \
    X(PROCESS_OPEN_FDS, GAUGE, "process_open_fds", NONE, NULL, NULL, NULL, "Open file descriptors.") \
    X(PROCESS_MAX_FDS, GAUGE, "process_max_fds", NONE, NULL, NULL, NULL, "Most file descriptors that may be open.") \
    X(PROCESS_START, GAUGE_MAX, "process_start_time_seconds", SECONDS, NULL, NULL, NULL, \
      "When the process started, since the epoch.")

enum metric {
#define METRIC_ENUM(name, type, text, unit, label_1, label_2, label_3, help) METRIC_##name,
    METRIC_TABLE(METRIC_ENUM)
#undef METRIC_ENUM
    METRIC_COUNT
};

struct metric_row {
    const char *name; /* without `_total` and `_info` */
    enum metric_type type;
    enum metric_unit unit;
    const char *labels[METRIC_LABELS_MAX]; /* the last ones NULL */
    const char *help;
};

/* Never NULL; `metric` must be in the table. */
const struct metric_row *metric_row(enum metric metric);
unsigned metric_label_count(const struct metric_row *row);
/* "_total", "_info" or "". */
const char *metric_suffix(const struct metric_row *row);

#endif
