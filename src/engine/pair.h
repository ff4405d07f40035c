/* For tests: two workers of a node (or one), and the letters between them, which arrive when the test says so, or never. */
#ifndef ENGINE_PAIR_H
#define ENGINE_PAIR_H

#include "engine/fixture.h"
#include "engine/parcel.h"

static struct engine *workers[2];
static unsigned worker_count;
static struct letters {
    struct engine_mail all[512];
    unsigned count;
} letters[2]; /* by sender */

/* From now on it is that worker that peers come to and that has its turn. */
static inline void at(unsigned worker) {
    fx.engine = workers[worker];
}

static inline void turn(unsigned worker) {
    struct engine_actions actions;
    struct net_action all[128];
    at(worker);
    for (bool again = true; again;) {
        again = false;
        engine_finish(fx.engine, fx.now, &actions);
        for (uint32_t i = 0; i < actions.mail_count; i++) {
            assert_true(letters[worker].count < COUNT_OF(letters[worker].all));
            assert_int_equal(actions.mail[i].to, !worker);
            letters[worker].all[letters[worker].count++] = actions.mail[i];
        }
        assert_true(actions.net_count <= COUNT_OF(all));
        if (actions.net_count)
            memcpy(all, actions.net, actions.net_count * sizeof *all);
        for (uint32_t i = 0; i < actions.net_count; i++)
            again |= fx_act(&all[i]);
    }
    const char *wrong = engine_check(fx.engine);
    if (wrong)
        fail_msg("%s (allocation %d)", wrong, (int)fx.failing);
}

/* Everything that `worker` wrote arrives, or is lost; returns how many parcels. The other's turn is the caller's. */
static inline unsigned deliver(unsigned worker, bool lost) {
    unsigned count = letters[worker].count;
    for (unsigned i = 0; i < count; i++) {
        struct engine_mail *mail = &letters[worker].all[i];
        struct engine_input input = {.kind = INPUT_MAIL, .from = worker, .bytes = slice_make(mail->parcel->data, mail->size)};
        if (!lost)
            engine_input(workers[!worker], &input, fx.now);
        block_unref(mail->parcel);
    }
    letters[worker].count = 0;
    return count;
}

/* Likewise, and the other has its turn. */
static inline unsigned post(unsigned worker, bool lost) {
    unsigned count = deliver(worker, lost);
    turn(!worker);
    return count;
}

/* A worker of its own in the place of the fixture's. */
static inline void worker_start(unsigned worker, struct plan *plan) {
    struct engine_options options = {.worker = worker,
                                     .workers = worker_count,
                                     .seed = 1 + worker,
                                     .calls = &fixture_calls,
                                     .cut_through = true,
                                     .memo = true};
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = plan};
    workers[worker] = engine_new(&options);
    assert_non_null(workers[worker]);
    engine_input(workers[worker], &input, fx.now);
    turn(worker);
}

static inline void workers_begin(const char *yaml, unsigned count) {
    fx_start(yaml);
    worker_count = count;
    engine_free(fx.engine);
}

static inline void workers_start(const char *yaml, unsigned count) {
    workers_begin(yaml, count);
    for (unsigned i = 0; i < count; i++)
        worker_start(i, fx.plans[0]);
}

static inline void workers_stop(void) {
    for (unsigned i = 0; i < 2; i++)
        while (letters[i].count)
            block_unref(letters[i].all[--letters[i].count].parcel);
    if (worker_count == 2)
        engine_free(workers[0]);
    fx.engine = workers[worker_count - 1];
    fx_stop();
}

#endif
