/* Mailboxes: order, bounds, and two threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sched.h>

#include "base/memory.h"
#include "platform/mailbox.h"
#include "platform/thread.h"

static void parcels_come_out_in_order_and_full_is_told(void **state) {
    (void)state;
    struct mailbox mailbox;
    int parcels[5];
    assert_true(mailbox_init(&mailbox, 3)); /* 4 */
    for (int round = 0; round < 10; round++) {
        assert_null(mailbox_take(&mailbox));
        for (int i = 0; i < 4; i++)
            assert_true(mailbox_put(&mailbox, &parcels[i]));
        assert_false(mailbox_put(&mailbox, &parcels[4]));
        assert_int_equal(mailbox_count(&mailbox), 4);
        for (int i = 0; i < 4; i++)
            assert_ptr_equal(mailbox_take(&mailbox), &parcels[i]);
    }
    assert_int_equal(mailbox_count(&mailbox), 0);
    mailbox_done(&mailbox);
}

#define PARCELS 100000

struct parcel {
    uint64_t number;
};

static void send_all(void *user) {
    struct mailbox *mailbox = user;
    for (uint64_t i = 0; i < PARCELS; i++) {
        struct parcel *parcel = memory_new(sizeof *parcel);
        parcel->number = i; /* must be seen by the receiver */
        while (!mailbox_put(mailbox, parcel))
            sched_yield();
    }
}

static void two_threads_lose_and_reorder_nothing(void **state) {
    (void)state;
    struct mailbox mailbox;
    struct thread sender;
    assert_true(mailbox_init(&mailbox, 64));
    assert_int_equal(thread_start(&sender, "sender", send_all, &mailbox), STATUS_OK);
    for (uint64_t i = 0; i < PARCELS;) {
        struct parcel *parcel = mailbox_take(&mailbox);
        if (!parcel) {
            sched_yield();
            continue;
        }
        assert_true(parcel->number == i++);
        memory_free(parcel);
    }
    thread_join(&sender);
    assert_null(mailbox_take(&mailbox));
    mailbox_done(&mailbox);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parcels_come_out_in_order_and_full_is_told),
        cmocka_unit_test(two_threads_lose_and_reorder_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
