/* Records of an input log come back as they were; each cut and each flipped bit is noticed. */
#include "engine/fixture.h"
#include "engine/outcome.h"
#include "engine/record.h"

static struct buffer out;
static struct record record;

static int set_up(void **state) {
    (void)state;
    buffer_init(&out, 1 << 20);
    buffer_add(&out, SLICE_OF(RECORD_MAGIC));
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    buffer_done(&out);
    return 0;
}

static struct address at(const char *text) {
    struct address address;
    assert_true(address_parse(slice_from(text), &address));
    return address;
}

static void write_some(void) {
    const struct address peer = at("127.0.0.1:4000"), other = at("[fe80::1%2]:53");
    const struct engine_datagram datagrams[] = {{SLICE("one"), peer}, {SLICE(""), other}};
    record_header(&out, &(struct record_header){.program = SLICE_OF("1.2"), .worker = 2, .workers = 3, .seed = 99,
                                                .connections_max = 7, .memo = true});
    record_now(&out, (struct now){{5}, {6}});
    record_input(&out, &(struct engine_input){.kind = INPUT_OPENED, .listener = 4, .peer = &other});
    record_input(&out, &(struct engine_input){.kind = INPUT_BYTES, .connection = 1ull << 33, .bytes = SLICE_OF("bytes")});
    record_input(&out, &(struct engine_input){.kind = INPUT_DATAGRAMS, .datagrams = datagrams, .count = 2});
    record_input(&out, &(struct engine_input){.kind = INPUT_CLOSED, .connection = 8, .status = STATUS_RESET});
    record_answer(&out, &(struct record_answer){1, 2, STATUS_OK, 200, SLICE("text/plain"), SLICE("hi"), SLICE("")});
    record_mark(&out, RECORD_ASKED);
    record_config(&out, 3, SLICE_OF("files"));
    record_stopped(&out, SLICE_OF("full"));
}

static void take(struct record_reader *reader, enum record_kind kind) {
    assert_int_equal(record_next(reader, &record), RECORD_READ);
    assert_int_equal(record.kind, kind);
}

static void what_was_recorded_is_read_back(void **state) {
    struct record_reader reader;
    (void)state;
    write_some();
    assert_true(record_open(&reader, buffer_slice(&out)));
    take(&reader, RECORD_HEADER);
    assert_true(slice_is(record.header.program, "1.2"));
    assert_true(record.header.worker == 2 && record.header.workers == 3 && record.header.seed == 99);
    assert_true(record.header.memo && !record.header.cut_through && !record.header.has_admin);
    take(&reader, RECORD_NOW);
    assert_true(record.now.mono.ns == 5 && record.now.wall.ns == 6);
    take(&reader, RECORD_INPUT);
    assert_true(record.input.kind == INPUT_OPENED && record.input.listener == 4);
    struct address other = at("[fe80::1%2]:53");
    assert_true(address_equal(record.input.peer, &other));
    take(&reader, RECORD_INPUT);
    assert_true(record.input.connection == 1ull << 33 && slice_is(record.input.bytes, "bytes") && !record.input.peer);
    take(&reader, RECORD_INPUT);
    assert_true(record.input.count == 2 && slice_is(record.input.datagrams[0].bytes, "one"));
    assert_true(address_equal(&record.input.datagrams[1].from, &other));
    take(&reader, RECORD_INPUT);
    assert_true(record.input.status == STATUS_RESET);
    take(&reader, RECORD_ANSWER);
    assert_true(record.answer.code == 200 && slice_is(record.answer.body, "hi"));
    take(&reader, RECORD_ASKED);
    take(&reader, RECORD_CONFIG);
    assert_true(record.config.generation == 3 && slice_is(record.config.recorded, "files"));
    take(&reader, RECORD_STOPPED);
    assert_int_equal(record_next(&reader, &record), RECORD_OVER);
}

/* As in a file that was never closed. */
static void zeros_after_the_last_record_are_the_end(void **state) {
    struct record_reader reader;
    (void)state;
    record_mark(&out, RECORD_ASKED);
    for (int i = 0; i < 100; i++)
        buffer_add_byte(&out, 0);
    assert_true(record_open(&reader, buffer_slice(&out)));
    take(&reader, RECORD_ASKED);
    assert_int_equal(record_next(&reader, &record), RECORD_OVER);
}

static void each_cut_ends_at_the_last_whole_record(void **state) {
    struct record_reader reader;
    (void)state;
    write_some();
    for (size_t size = RECORD_MAGIC_SIZE; size < out.size; size++) {
        enum record_read read;
        /* a copy of exactly that size, so that a look behind it is noticed */
        uint8_t *copy = memory_alloc(size);
        memcpy(copy, out.data, size);
        assert_true(record_open(&reader, slice_make(copy, size)));
        while ((read = record_next(&reader, &record)) == RECORD_READ)
            ;
        assert_true(read == RECORD_CUT || (read == RECORD_OVER && reader.at == size));
        memory_free(copy);
    }
}

static void each_flipped_bit_is_noticed(void **state) {
    struct record_reader reader;
    (void)state;
    write_some();
    for (size_t bit = 8 * RECORD_MAGIC_SIZE; bit < 8 * out.size; bit++) {
        unsigned count = 0;
        enum record_read read;
        out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(record_open(&reader, buffer_slice(&out)));
        while ((read = record_next(&reader, &record)) == RECORD_READ)
            count++;
        assert_true(count < 10);
        assert_true(read == RECORD_DAMAGED || read == RECORD_CUT);
        out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void other_files_are_no_logs(void **state) {
    struct record_reader reader;
    (void)state;
    assert_false(record_open(&reader, SLICE_OF("")));
    assert_false(record_open(&reader, SLICE_OF("itinput")));
    assert_false(record_open(&reader, SLICE_OF("GET / HTTP/1.1")));
}

static bool has(const char *words) {
    buffer_add_byte(&out, 0);
    bool found = strstr((const char *)out.data, words) != NULL;
    out.size--;
    if (!found)
        print_error("no `%s` in %s\n", words, (const char *)out.data);
    return found;
}

static void outcome_is_told_in_words(void **state) {
    struct net_action net[] = {{.kind = NET_FLUSH, .connection = 0x100000001},
                               {.kind = NET_READ, .connection = 2},
                               {.kind = NET_DIAL, .connection = 3, .place = 1ull << 32 | 4},
                               {.kind = NET_CLOSE, .connection = 5, .linger = true}};
    struct block *parcel = block_new(8, NULL);
    memset(parcel->data, 7, 8);
    struct engine_mail mail = {1, parcel, 8};
    struct engine_actions actions = {net, 4, &mail, 1, MONO_NEVER};
    struct outcome outcome = {.endings = 3};
    struct buffer turn;
    (void)state;
    buffer_init(&turn, 4096);
    outcome_end(&outcome, &actions, &turn);
    assert_int_equal(outcome.endings, 0);
    buffer_clear(&out);
    outcome_words(buffer_slice(&turn), &out);
    assert_true(has("told of 3 endings and 0 connections"));
    assert_true(has("  flush 100000001\n  read 2 off\n  dial 3 to system 1, endpoint 4\n  close 5 and linger\n"));
    assert_true(has("  mail to worker 1, 8 bytes ("));
    assert_true(has("  due never\n"));
    uint64_t hash = record_hash(0, buffer_slice(&turn));
    turn.data[50] ^= 1;
    assert_true(record_hash(0, buffer_slice(&turn)) != hash);
    buffer_done(&turn);
    block_unref(parcel);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_recorded_is_read_back, set_up, clean_up),
        cmocka_unit_test_setup_teardown(zeros_after_the_last_record_are_the_end, set_up, clean_up),
        cmocka_unit_test_setup_teardown(each_cut_ends_at_the_last_whole_record, set_up, clean_up),
        cmocka_unit_test_setup_teardown(each_flipped_bit_is_noticed, set_up, clean_up),
        cmocka_unit_test_setup_teardown(other_files_are_no_logs, set_up, clean_up),
        cmocka_unit_test_setup_teardown(outcome_is_told_in_words, set_up, clean_up),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
