/* What an engine gave in one turn, in a form that can be kept and compared. */
#include "engine/outcome.h"

#include "base/map.h"
#include "base/pack.h"

static void mix(uint64_t *hash, const uint64_t *numbers, size_t count) {
    *hash = map_hash(slice_make(numbers, count * sizeof *numbers), *hash);
}

void outcome_counted(struct outcome *outcome, const struct engine_count *count) {
    uint64_t numbers[] = {count->count, count->ending, count->status, count->priority, count->system,
                          (uint64_t)count->duration_ns};
    outcome->endings += count->count;
    mix(&outcome->told_hash, numbers, 6);
}

void outcome_ended(struct outcome *outcome, const struct engine_report *report) {
    uint64_t numbers[] = {report->ending, report->status, report->attempt, (uint64_t)report->duration_ns};
    mix(&outcome->told_hash, numbers, 4);
    outcome->told_hash = map_hash(report->system, outcome->told_hash);
    outcome->told_hash = map_hash(report->from, outcome->told_hash);
    if (report->message)
        outcome->told_hash = map_hash(message_text(report->message, ATTRIBUTE_ID), outcome->told_hash);
}

void outcome_retried(struct outcome *outcome, uint32_t system, const struct engine_retry *retry) {
    uint64_t numbers[] = {system, retry->status, retry->outcome, retry->why};
    mix(&outcome->told_hash, numbers, 4);
}

void outcome_exchanged(struct outcome *outcome, const struct engine_exchange *exchange) {
    uint64_t numbers[] = {exchange->code, exchange->status, exchange->bytes_in, exchange->bytes_out, (uint64_t)exchange->duration_ns};
    mix(&outcome->told_hash, numbers, 5);
}

void outcome_connection(struct outcome *outcome, const struct connection *connection, bool opened) {
    uint64_t numbers[] = {connection->handle, opened, opened ? 0 : connection->reason};
    outcome->connections++;
    mix(&outcome->told_hash, numbers, 3);
}

void outcome_opened(struct outcome *outcome, uint64_t connection) {
    mix(&outcome->told_hash, &connection, 1);
}

void outcome_written(struct outcome *outcome, struct engine *engine, const struct engine_input *input) {
    const struct connection *c = net_find(engine_net(engine), input->connection);
    uint64_t left = input->size;
    outcome->written += input->size;
    for (uint32_t i = 0; c && (c->out.datagrams ? i < input->pieces : left > 0); i++) {
        const struct chain_piece *piece = chain_piece(&c->out, i);
        if (!piece)
            return;
        size_t size = c->out.datagrams || piece->size < left ? piece->size : (size_t)left;
        outcome->written_hash = map_hash(slice_make(piece->block->data + piece->at, size), outcome->written_hash);
        left -= size < left ? size : left;
    }
}

void outcome_end(struct outcome *outcome, const struct engine_actions *actions, struct buffer *out) {
    pack_u64(out, outcome->endings);
    pack_u64(out, outcome->connections);
    pack_u64(out, outcome->told_hash);
    pack_u64(out, outcome->written);
    pack_u64(out, outcome->written_hash);
    pack_u64(out, (uint64_t)actions->due.ns);
    pack_u32(out, actions->net_count);
    for (uint32_t i = 0; i < actions->net_count; i++) {
        const struct net_action *action = &actions->net[i];
        pack_u8(out, (uint8_t)(action->kind | (action->on ? 0x40u : 0u) | (action->linger ? 0x80u : 0u) | (action->reset ? 0x20u : 0u)));
        pack_u64(out, action->connection);
        if (action->kind == NET_DIAL)
            pack_u64(out, action->place);
    }
    pack_u32(out, actions->mail_count);
    for (uint32_t i = 0; i < actions->mail_count; i++) {
        const struct engine_mail *mail = &actions->mail[i];
        pack_u32(out, mail->to);
        pack_u32(out, mail->size);
        pack_u64(out, map_hash(slice_make(mail->parcel->data, mail->size), 0));
    }
    *outcome = (struct outcome){0};
}

/* -- words -- */

static void action_words(struct unpack *in, struct buffer *out) {
    static const char *const names[] = {"flush", "read", "dial", "close"};
    uint8_t kind = unpack_u8(in);
    uint64_t connection = unpack_u64(in);
    buffer_add_format(out, "  %s %llx", names[kind & 3], (unsigned long long)connection);
    if ((kind & 3) == NET_READ)
        buffer_add_text(out, kind & 0x40 ? " on" : " off");
    if ((kind & 3) == NET_CLOSE && kind & 0x80)
        buffer_add_text(out, " and linger");
    if ((kind & 3) == NET_DIAL) {
        uint64_t place = unpack_u64(in);
        buffer_add_format(out, " to system %u, endpoint %u", (unsigned)(place >> 32), (unsigned)place);
    }
    buffer_add_byte(out, '\n');
}

void outcome_words(struct slice turn, struct buffer *out) {
    struct unpack in = unpack_from(turn);
    unsigned long long endings = unpack_u64(&in), connections = unpack_u64(&in), told = unpack_u64(&in);
    buffer_add_format(out, "  told of %llu endings and %llu connections (%016llx)\n", endings, connections, told);
    unsigned long long written = unpack_u64(&in), hash = unpack_u64(&in);
    buffer_add_format(out, "  had written %llu bytes (%016llx)\n", written, hash);
    int64_t due = (int64_t)unpack_u64(&in);
    uint32_t count = unpack_u32(&in);
    for (uint32_t i = 0; i < count && !in.is_bad; i++)
        action_words(&in, out);
    count = unpack_u32(&in);
    for (uint32_t i = 0; i < count && !in.is_bad; i++) {
        uint32_t to = unpack_u32(&in), size = unpack_u32(&in);
        buffer_add_format(out, "  mail to worker %u, %u bytes (%016llx)\n", to, size, (unsigned long long)unpack_u64(&in));
    }
    if (due == INT64_MAX)
        buffer_add_text(out, "  due never\n");
    else
        buffer_add_format(out, "  due at %lld ns\n", (long long)due);
}
