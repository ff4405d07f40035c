/* Runs an engine again from its input log and compares what it gives, turn by turn. */
#include "simulation/replay.h"

#include "base/assert.h"
#include "base/memory.h"
#include "config/recorded.h"
#include "engine/outcome.h"
#include "engine/record.h"
#include "protocol/http1/http1.h"

#define WORDS_MAX (4u << 20)
#define SHOWN_MAX 60 /* records of the turn that differs */

/* What one configuration brought. Connections may use it to the end. */
struct era {
    struct era *next;
    struct config *config;
    struct plan *plan;
};

struct replay {
    struct record_reader reader;
    struct record record; /* the last one read */
    struct replay_report *report;
    struct engine *engine;
    struct era *eras;
    struct outcome outcome;
    struct buffer turn;
    struct buffer mail; /* a parcel, where it is aligned */
    struct now now;
    uint64_t hash;
    uint64_t turn_at; /* where the current turn begins in the log */
    uint64_t pending; /* inputs since the last whole turn */
    uint32_t workers;
    bool has_admin;
    bool is_over; /* there are no more records */
};

const char *replay_result_name(enum replay_result result) {
    static const char *const names[] = {"equal", "differs", "damaged", "foreign"};
    return names[result];
}

/* -- words -- */

static void fail(struct replay *replay, enum replay_result result, const char *words) {
    struct replay_report *report = replay->report;
    report->result = result;
    buffer_add_format(&report->words, "%s, after %llu turns, at byte %llu\n", words, (unsigned long long)report->turns,
                      (unsigned long long)replay->reader.at);
}

/* What went into the turn, read once more. */
static void tell_inputs(struct replay *replay) {
    struct record_reader again = {replay->reader.log, replay->turn_at};
    struct record *record = memory_new(sizeof *record);
    struct buffer *out = &replay->report->words;
    unsigned shown = 0;
    buffer_add_text(out, "inputs of this turn:\n");
    while (record && again.at < replay->reader.at && record_next(&again, record) == RECORD_READ) {
        if (record->kind != RECORD_TURN && shown++ < SHOWN_MAX)
            record_words(record, out);
    }
    if (shown > SHOWN_MAX)
        buffer_add_format(out, "  ... and %u more\n", shown - SHOWN_MAX);
    memory_free(record);
}

static void differs(struct replay *replay, const char *what, struct slice recorded, struct slice now) {
    struct buffer *out = &replay->report->words;
    fail(replay, REPLAY_DIFFERS, what);
    tell_inputs(replay);
    buffer_add_text(out, "recorded:\n");
    outcome_words(recorded, out);
    buffer_add_text(out, "replayed:\n");
    outcome_words(now, out);
}

/* -- what the engine tells -- */

static void counted(void *user, const struct engine_count *count) {
    outcome_counted(&((struct replay *)user)->outcome, count);
}

static void ended(void *user, const struct engine_report *report) {
    outcome_ended(&((struct replay *)user)->outcome, report);
}

static void retried(void *user, uint32_t system, const struct engine_retry *retry) {
    outcome_retried(&((struct replay *)user)->outcome, system, retry);
}

static void exchanged(void *user, const struct engine_exchange *exchange) {
    outcome_exchanged(&((struct replay *)user)->outcome, exchange);
}

static void connection_changed(void *user, const struct connection *connection, bool opened) {
    outcome_connection(&((struct replay *)user)->outcome, connection, opened);
}

static bool read_next(struct replay *replay);

static void answer(struct replay *replay, const struct record_answer *as, bool is_asked) {
    struct connection *c = net_find(engine_net(replay->engine), as->connection);
    if (!c || c->protocol != protocol_find(SLICE_OF("http1"))) {
        fail(replay, REPLAY_DIFFERS, "the admin surface answers on a connection that isn't there");
        return;
    }
    if (as->status != STATUS_OK)
        http1_answer_problem(c->state, as->token, as->status, as->body, replay->now);
    else
        http1_answer(c->state, as->token, as->code, as->type, as->body, as->lines, replay->now);
    if (!is_asked)
        connection_touch(c);
}

/* The live surface was asked at this very point too, and the log has what it answered at once. */
static void request(void *user, struct connection *connection, uint64_t token, const struct protocol_request *asked) {
    struct replay *replay = user;
    (void)asked;
    if (replay->report->result != REPLAY_EQUAL)
        return;
    if (!replay->has_admin || connection->listener != ENGINE_ADMIN_LISTENER) {
        connection_settle(connection, token, token, STATUS_NOT_FOUND, 0);
        return;
    }
    if (!read_next(replay))
        return;
    if (replay->record.kind != RECORD_ASKED) {
        fail(replay, REPLAY_DIFFERS, "the admin surface is asked where it was not");
        return;
    }
    while (replay->report->result == REPLAY_EQUAL && read_next(replay) && replay->record.kind != RECORD_ASKED_END) {
        if (replay->record.kind == RECORD_ANSWER)
            answer(replay, &replay->record.answer, true);
        else if (replay->record.kind == RECORD_NOW)
            replay->now = replay->record.now;
        else
            fail(replay, REPLAY_DAMAGED, "a record that can't be here");
    }
}

static const struct engine_calls calls = {
    .counted = counted, .ended = ended, .retried = retried, .request = request, .connection = connection_changed,
    .exchanged = exchanged};

/* -- records -- */

/* False at the end, whichever. `is_whole` falls when the log just stops. */
static bool read_next(struct replay *replay) {
    struct replay_report *report = replay->report;
    if (replay->is_over)
        return false;
    enum record_read read = record_next(&replay->reader, &replay->record);
    replay->is_over = read != RECORD_READ || replay->record.kind == RECORD_STOPPED;
    switch (read) {
    case RECORD_READ:
        if (replay->record.kind == RECORD_STOPPED) {
            report->is_whole = false;
            buffer_add_format(&report->words, "the log stops: %.*s\n", SLICE_ARG(replay->record.words));
            return false;
        }
        return true;
    case RECORD_OVER:
        report->is_whole = false;
        buffer_add_text(&report->words, "the log ends before the engine did\n");
        return false;
    case RECORD_CUT:
        report->is_whole = false;
        buffer_add_text(&report->words, "the log is cut within a record\n");
        return false;
    case RECORD_DAMAGED:
        fail(replay, REPLAY_DAMAGED, "the log is damaged: a record's checksum or content is wrong");
        return false;
    }
    return false;
}

static bool configure(struct replay *replay) {
    struct era *era = memory_new(sizeof *era);
    struct config_report report;
    struct fault fault = {0};
    if (!era)
        return false;
    era->next = replay->eras;
    replay->eras = era;
    config_report_init(&report);
    enum status status = config_load_again(replay->record.config.recorded, &era->config, &report);
    config_report_done(&report);
    if (status != STATUS_OK || !(era->plan = plan_new(era->config, &fault)))
        return false;
    era->plan->generation = replay->record.config.generation;
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = era->plan};
    engine_input(replay->engine, &input, replay->now);
    return true;
}

static bool has_that_to_write(const struct replay *replay, const struct engine_input *input) {
    const struct connection *c = net_find(engine_net(replay->engine), input->connection);
    return input->kind != INPUT_WRITTEN || !c || (chain_unsent(&c->out) >= input->size && c->out.count >= input->pieces);
}

static void give(struct replay *replay) {
    struct engine_input input = replay->record.input; /* the record is overwritten when the admin surface is asked */
    struct address peer = replay->record.peer;
    if (input.peer)
        input.peer = &peer;
    if (input.kind == INPUT_WRITTEN)
        outcome_written(&replay->outcome, replay->engine, &input);
    if (input.kind == INPUT_MAIL) {
        buffer_clear(&replay->mail);
        buffer_add(&replay->mail, input.bytes);
        input.bytes = buffer_slice(&replay->mail);
    }
    engine_input(replay->engine, &input, replay->now);
    if (input.kind == INPUT_OPENED)
        outcome_opened(&replay->outcome, input.ret_connection);
    replay->report->inputs++;
    replay->pending++;
}

static void finish(struct replay *replay) {
    struct engine_actions actions;
    engine_finish(replay->engine, replay->now, &actions);
    buffer_clear(&replay->turn);
    outcome_end(&replay->outcome, &actions, &replay->turn);
    for (uint32_t i = 0; i < actions.mail_count; i++) {
        block_unref(actions.mail[i].parcel);
        actions.mail[i].parcel = NULL;
    }
    if (replay->report->result != REPLAY_EQUAL || !read_next(replay))
        return;
    if (replay->record.kind != RECORD_TURN) {
        fail(replay, REPLAY_DAMAGED, "the turn's outcome is missing");
        return;
    }
    uint64_t hash = replay->record.turn.hash;
    struct slice now = buffer_slice(&replay->turn), recorded = replay->record.turn.outcome;
    replay->hash = record_hash(replay->hash, now);
    if (!slice_equal(now, recorded)) {
        differs(replay, "the actions differ", recorded, now);
    } else if (replay->hash != hash) {
        differs(replay, "the hash of all actions so far differs", recorded, now);
    } else {
        replay->report->turns++;
        replay->turn_at = replay->reader.at;
        replay->pending = 0;
    }
}

/* False when this was the last. */
static bool take(struct replay *replay) {
    switch (replay->record.kind) {
    case RECORD_NOW:
        replay->now = replay->record.now;
        return true;
    case RECORD_INPUT:
        if (!engine_plan(replay->engine) || replay->record.input.from >= replay->workers)
            fail(replay, REPLAY_DAMAGED, "an input that can't be");
        else if (!has_that_to_write(replay, &replay->record.input))
            fail(replay, REPLAY_DIFFERS, "more was written than the engine has to write now");
        else
            give(replay);
        return true;
    case RECORD_CONFIG:
        if (!configure(replay))
            fail(replay, REPLAY_DAMAGED, "the configuration can't be loaded again");
        return true;
    case RECORD_ANSWER:
        answer(replay, &replay->record.answer, false);
        return true;
    case RECORD_FINISH:
        finish(replay);
        return true;
    case RECORD_END:
        if (record_totals(replay->engine) != replay->record.totals)
            fail(replay, REPLAY_DIFFERS, "the totals at the end differ");
        return false;
    case RECORD_ASKED:
        fail(replay, REPLAY_DIFFERS, "the admin surface was asked, and is not now");
        return true;
    case RECORD_HEADER:
    case RECORD_TURN:
    case RECORD_ASKED_END:
    case RECORD_STOPPED:
        fail(replay, REPLAY_DAMAGED, "a record that can't be here");
        return true;
    }
    return false;
}

static bool start(struct replay *replay, struct slice log) {
    struct replay_report *report = replay->report;
    const struct record_header *header = &replay->record.header;
    if (!record_open(&replay->reader, log) || record_next(&replay->reader, &replay->record) != RECORD_READ ||
        replay->record.kind != RECORD_HEADER) {
        fail(replay, REPLAY_FOREIGN, "this is no input log");
        return false;
    }
    if (header->version != RECORD_VERSION) {
        fail(replay, REPLAY_FOREIGN, "an input log of another version");
        return false;
    }
    if (!slice_is(header->program, INTERTIE_VERSION))
        buffer_add_format(&report->words, "the log is from intertie %.*s, this is " INTERTIE_VERSION "\n",
                          SLICE_ARG(header->program));
    report->worker = header->worker;
    replay->has_admin = header->has_admin;
    replay->workers = header->workers;
    replay->turn_at = replay->reader.at;
    struct engine_options options = {.worker = header->worker, .workers = header->workers, .seed = header->seed, .secret = header->secret,
                                     .connections_max = header->connections_max, .cut_through = header->cut_through,
                                     .memo = header->memo, .calls = &calls, .user = replay};
    replay->engine = engine_new(&options);
    if (!replay->engine)
        fail(replay, REPLAY_FOREIGN, "no memory for an engine");
    return replay->engine != NULL;
}

void replay_run(struct slice log, struct replay_report *report) {
    *report = (struct replay_report){.is_whole = true};
    buffer_init(&report->words, WORDS_MAX);
    struct replay *replay = memory_new(sizeof *replay);
    ASSERT(replay);
    replay->report = report;
    buffer_init(&replay->turn, RECORD_SIZE_MAX);
    buffer_init(&replay->mail, RECORD_SIZE_MAX);
    if (start(replay, log))
        while (report->result == REPLAY_EQUAL && read_next(replay) && take(replay))
            ;
    if (report->result == REPLAY_EQUAL && replay->pending)
        buffer_add_format(&report->words, "%llu inputs after the last whole turn were given, their outcome is not known\n",
                          (unsigned long long)replay->pending);
    if (replay->engine) {
        report->messages = engine_totals(replay->engine)->received;
        engine_free(replay->engine);
    }
    while (replay->eras) {
        struct era *next = replay->eras->next;
        plan_free(replay->eras->plan);
        config_free(replay->eras->config);
        memory_free(replay->eras);
        replay->eras = next;
    }
    buffer_done(&replay->turn);
    buffer_done(&replay->mail);
    memory_free(replay);
}

void replay_done(struct replay_report *report) {
    buffer_done(&report->words);
}
