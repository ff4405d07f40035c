#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "security/security.h"
#include "security/verdict.h"

#define NONE SECURITY_NONE

enum { CRM, ORDERS, DESK, SHOP, SHARED, SYSTEM_COUNT };
enum { ID_CRM, ID_ERP, ID_OPS, IDENTITY_COUNT };

static const struct slice crm_sources[] = {SLICE("/systems/crm"), SLICE("urn:acme:crm:")};
static const struct slice orders_sources[] = {SLICE("/systems/orders")};
static const struct slice desk_sources[] = {SLICE("/systems/desk")};
static const struct slice shop_sources[] = {SLICE("/systems/orders/shop"), SLICE("https://shop.example/x")};
static const struct slice shared_sources[] = {SLICE("/systems/desk"), SLICE("https://gw.example/s")};

static const struct security_system systems[SYSTEM_COUNT] = {
    [CRM] = {SLICE("crm"), crm_sources, 2},          [ORDERS] = {SLICE("orders"), orders_sources, 1},
    [DESK] = {SLICE("desk"), desk_sources, 1},       [SHOP] = {SLICE("shop"), shop_sources, 2},
    [SHARED] = {SLICE("shared"), shared_sources, 2},
};

static const struct security_rule crm_allow[] = {
    {SECURITY_SEND, true, true, SLICE("com.acme.invoice.")},
    {SECURITY_SEND, false, true, SLICE("")},
    {SECURITY_CALL, true, true, SLICE("com.acme.price.")},
    {SECURITY_CALL, false, false, SLICE("pricing")},
};
static const struct security_rule crm_deny[] = {
    {SECURITY_SEND, false, false, SLICE("billing")},
    {SECURITY_SEND, true, false, SLICE("com.acme.invoice.secret")},
    {SECURITY_CALL, false, false, SLICE("other")},
};
static const struct security_rule erp_allow[] = {{SECURITY_SUBSCRIBE, true, true, SLICE("com.acme.")}};
static const struct security_rule erp_deny[] = {{SECURITY_SUBSCRIBE, true, true, SLICE("com.acme.pay")}};

static const struct security_identity identities[IDENTITY_COUNT] = {
    [ID_CRM] = {.name = SLICE("crm"), .system = CRM, .allow = crm_allow, .allow_count = 4, .deny = crm_deny,
                .deny_count = 3, .max_priority = 4},
    [ID_ERP] = {.name = SLICE("erp"), .system = ORDERS, .allow = erp_allow, .allow_count = 1, .deny = erp_deny,
                .deny_count = 1, .max_priority = 5},
    [ID_OPS] = {.name = SLICE("ops"), .system = NONE, .allow = crm_allow, .allow_count = 4, .max_priority = 5},
};

static const struct security_view view = {
    .identities = identities,
    .identity_count = IDENTITY_COUNT,
    .systems = systems,
    .system_count = SYSTEM_COUNT,
    .public_url = SLICE("https://gw.example"),
};

static struct arena arena;
static const struct security *security;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena, 1 << 16);
    return security_compile(&view, &arena, &security) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

struct event {
    struct message message;
    struct buffer extra;
    uint8_t room[512];
};

static void add(struct event *event, enum attribute attribute, const char *text) {
    struct message_fault fault;
    if (text && message_add(&event->message, &event->extra, attribute, slice_from(text), &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
}

static void event_make(struct event *event, const char *source, const char *type, const char *target, const char *kind) {
    struct message_fault fault;
    message_init(&event->message, SLICE_OF(""));
    buffer_init_fixed(&event->extra, event->room, sizeof event->room);
    add(event, ATTRIBUTE_ID, "1");
    add(event, ATTRIBUTE_SOURCE, source);
    add(event, ATTRIBUTE_TYPE, type);
    add(event, ATTRIBUTE_TARGET, target);
    add(event, ATTRIBUTE_MESSAGETYPE, kind);
    assert_int_equal(message_seal(&event->message, &event->extra, &fault), STATUS_OK);
}

static void rules_decide_and_deny_wins(void **state) {
    (void)state;
    static const struct {
        uint32_t identity;
        const char *type, *target, *kind;
        enum status status;
    } rows[] = {
        {ID_CRM, "com.acme.invoice.new", NULL, NULL, STATUS_OK},
        {ID_CRM, "com.acme.invoice", NULL, NULL, STATUS_FORBIDDEN},
        {ID_CRM, "com.acme.invoice.secret", NULL, NULL, STATUS_FORBIDDEN},
        {ID_CRM, "com.acme.invoice.secret2", NULL, NULL, STATUS_OK},
        {ID_CRM, "com.acme.price.get", NULL, NULL, STATUS_FORBIDDEN},
        {ID_CRM, "com.acme.price.get", NULL, "query", STATUS_OK},
        {ID_CRM, "com.acme.price.get", NULL, "request", STATUS_OK},
        {ID_CRM, "com.acme.invoice.new", NULL, "query", STATUS_FORBIDDEN},
        {ID_CRM, "com.acme.invoice.new", NULL, "command", STATUS_OK},
        {ID_CRM, "anything", "warehouse", "command", STATUS_OK},
        {ID_CRM, "anything", "all", NULL, STATUS_OK},
        {ID_CRM, "com.acme.invoice.new", "billing", NULL, STATUS_FORBIDDEN},
        {ID_CRM, "x", "pricing", "query", STATUS_OK},
        {ID_CRM, "com.acme.price.get", "other", "query", STATUS_FORBIDDEN},
        {ID_CRM, "com.acme.price.get", "pricing2", "query", STATUS_FORBIDDEN},
        {ID_CRM, "x", "billing", "response", STATUS_OK},
        {ID_CRM, "x", NULL, "error", STATUS_OK},
        {ID_CRM, "x", NULL, "heartbeat", STATUS_OK},
        {ID_CRM, "x", NULL, "notification", STATUS_FORBIDDEN},
        {ID_ERP, "com.acme.x", NULL, NULL, STATUS_FORBIDDEN}, /* may subscribe, not send */
        {ID_ERP, "x", "orders", NULL, STATUS_FORBIDDEN},      /* not even to its own system */
        {ID_OPS, "com.acme.invoice.new", NULL, NULL, STATUS_OK},
        {ID_OPS, "x", "billing", NULL, STATUS_OK},
        {NONE, "whatever", NULL, NULL, STATUS_OK},
        {NONE, "whatever", "billing", "query", STATUS_OK},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static const char *const sources[] = {"/systems/crm/7", "/systems/orders", "/cli"};
        struct event event;
        struct verdict_peer peer = {rows[i].identity, NONE, 5};
        if (rows[i].identity != NONE)
            peer.system = identities[rows[i].identity].system;
        event_make(&event, rows[i].identity == NONE ? "/doors/7" : sources[rows[i].identity], rows[i].type, rows[i].target,
                   rows[i].kind);
        struct verdict verdict = verdict_message(security, &peer, &event.message);
        if (verdict.status != rows[i].status || (verdict.status != STATUS_OK) != (verdict.text[0] != 0))
            fail_msg("row %zu: %s %s", i, status_reason(verdict.status), verdict.text);
        assert_int_equal(verdict.from, peer.system);
    }
}

static void sources_belong_to_systems(void **state) {
    (void)state;
    static const struct {
        uint32_t identity, system;
        const char *source;
        enum status status;
        uint32_t from;
    } rows[] = {
        {ID_CRM, CRM, "/systems/crm", STATUS_OK, CRM},
        {ID_CRM, CRM, "/systems/crm/a/b", STATUS_OK, CRM},
        {ID_CRM, CRM, "/systems/crm?x", STATUS_OK, CRM},
        {ID_CRM, CRM, "/systems/crm2", STATUS_SOURCE_NOT_ALLOWED, CRM},
        {ID_CRM, CRM, "/systems/cr", STATUS_SOURCE_NOT_ALLOWED, CRM},
        {ID_CRM, CRM, "/systems/orders", STATUS_SOURCE_NOT_ALLOWED, CRM},
        {ID_CRM, CRM, "/doors/7", STATUS_SOURCE_NOT_ALLOWED, CRM},
        {ID_CRM, CRM, "urn:acme:crm:x", STATUS_OK, CRM},
        {ID_CRM, CRM, "https://gw.example/systems/crm", STATUS_OK, CRM},
        {ID_CRM, CRM, "https://gw.example.evil/systems/crm", STATUS_SOURCE_NOT_ALLOWED, CRM},
        {ID_CRM, CRM, "https://gw.example", STATUS_SOURCE_NOT_ALLOWED, CRM},
        {NONE, NONE, "/doors/7", STATUS_OK, NONE},
        {NONE, NONE, "/systems/desk", STATUS_OK, DESK},
        {NONE, NONE, "/systems/desk/1", STATUS_OK, DESK},
        {NONE, NONE, "/systems/desk1", STATUS_OK, NONE},
        {NONE, NONE, "/systems/crm", STATUS_SOURCE_NOT_ALLOWED, NONE},
        {NONE, NONE, "/systems/crm/7", STATUS_SOURCE_NOT_ALLOWED, NONE},
        {NONE, NONE, "https://gw.example/systems/crm", STATUS_SOURCE_NOT_ALLOWED, NONE},
        {NONE, NONE, "https://gw.example/s", STATUS_OK, SHARED},
        {NONE, NONE, "urn:acme:crm:x", STATUS_SOURCE_NOT_ALLOWED, NONE},
        {NONE, NONE, "/systems/orders/x", STATUS_SOURCE_NOT_ALLOWED, NONE},
        {NONE, NONE, "/systems/orders/shop/1", STATUS_OK, SHOP},
        {NONE, NONE, "/systems/orders/shops", STATUS_SOURCE_NOT_ALLOWED, NONE},
        {NONE, NONE, "https://shop.example/x", STATUS_OK, SHOP},
        {NONE, NONE, "https://shop.example/", STATUS_OK, NONE},
        {NONE, DESK, "/systems/desk", STATUS_OK, DESK},
        {NONE, DESK, "/doors/7", STATUS_SOURCE_NOT_ALLOWED, DESK},
        {ID_OPS, NONE, "/systems/crm", STATUS_SOURCE_NOT_ALLOWED, NONE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event event;
        struct verdict_peer peer = {rows[i].identity, rows[i].system, 5};
        event_make(&event, rows[i].source, "com.acme.invoice.new", NULL, NULL);
        struct verdict verdict = verdict_message(security, &peer, &event.message);
        if (verdict.status != rows[i].status || verdict.from != rows[i].from)
            fail_msg("row %zu: %s from %u", i, status_reason(verdict.status), verdict.from);
    }
}

static void systems_that_identities_name_are_theirs_alone(void **state) {
    (void)state;
    static const struct {
        uint32_t identity, system;
        enum status status;
    } rows[] = {
        {ID_CRM, CRM, STATUS_OK},        {ID_CRM, ORDERS, STATUS_FORBIDDEN}, {ID_CRM, DESK, STATUS_FORBIDDEN},
        {ID_OPS, DESK, STATUS_FORBIDDEN}, {ID_OPS, NONE, STATUS_FORBIDDEN},   {NONE, DESK, STATUS_OK},
        {NONE, SHOP, STATUS_OK},         {NONE, CRM, STATUS_FORBIDDEN},      {NONE, ORDERS, STATUS_FORBIDDEN},
        {NONE, NONE, STATUS_FORBIDDEN},  {NONE, SYSTEM_COUNT, STATUS_FORBIDDEN},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(verdict_act(security, rows[i].identity, rows[i].system), rows[i].status);
}

static void priorities_are_lowered_not_refused(void **state) {
    (void)state;
    static const struct {
        uint32_t identity;
        uint8_t listener, claimed, given;
    } rows[] = {
        {ID_CRM, 5, 5, 4}, {ID_CRM, 5, 4, 4}, {ID_CRM, 3, 5, 3}, {ID_CRM, 3, 2, 2}, {NONE, 5, 5, 5}, {NONE, 2, 3, 2}, {NONE, 1, 2, 1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event event;
        struct verdict_peer peer = {rows[i].identity, rows[i].identity == ID_CRM ? (uint32_t)CRM : NONE, rows[i].listener};
        event_make(&event, rows[i].identity == ID_CRM ? "/systems/crm" : "/x", "com.acme.invoice.new", NULL, NULL);
        event.message.priority = rows[i].claimed;
        struct verdict verdict = verdict_message(security, &peer, &event.message);
        assert_int_equal(verdict.status, STATUS_OK);
        assert_int_equal(verdict.priority, rows[i].given);
        assert_int_equal(verdict.is_lowered, rows[i].given != rows[i].claimed);
    }
}

static void replyto_names_a_system_only(void **state) {
    (void)state;
    static const struct {
        const char *replyto;
        const char *name; /* NULL: refused */
    } rows[] = {
        {"/systems/desk", "desk"}, {"https://gw.example/systems/desk", "desk"}, {"/systems/unknown-1", "unknown-1"},
        {"/systems/", NULL}, {"/systems/desk/", NULL}, {"/systems/desk/x", NULL}, {"/systems/../x", NULL}, {"/systems/Desk", NULL},
        {"systems/desk", NULL}, {"desk", NULL}, {"https://evil.example/systems/desk", NULL}, {"http://10.0.0.1/", NULL},
        {"https://gw.example.evil/systems/desk", NULL}, {"//systems/desk", NULL}, {"/systems/desk?x", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice name;
        struct event event;
        struct verdict_peer peer = {NONE, NONE, 5};
        enum status status = verdict_replyto(security, slice_from(rows[i].replyto), &name);
        assert_int_equal(status, rows[i].name ? STATUS_OK : STATUS_FORBIDDEN);
        if (rows[i].name)
            assert_true(slice_is(name, rows[i].name));
        event_make(&event, "/x", "t", NULL, "query");
        add(&event, ATTRIBUTE_REPLYTO, rows[i].replyto);
        struct message_fault fault;
        assert_int_equal(message_seal(&event.message, &event.extra, &fault), STATUS_OK);
        assert_int_equal(verdict_message(security, &peer, &event.message).status, status);
    }
}

static void subscriptions_get_what_is_allowed(void **state) {
    (void)state;
    static const struct {
        uint32_t identity;
        const char *type, *target;
        bool receives;
    } rows[] = {
        {ID_ERP, "com.acme.order.new", NULL, true}, {ID_ERP, "com.acme.pay.done", NULL, false},
        {ID_ERP, "org.other", NULL, false},         {ID_ERP, "org.other", "orders", true},
        {ID_ERP, "com.acme.order.new", "crm", false}, {ID_CRM, "com.acme.invoice.new", NULL, false},
        {ID_CRM, "x", "crm", true},                 {ID_OPS, "x", "crm", false},
        {NONE, "x", NULL, true},
    };
    assert_int_equal(verdict_subscribe(security, ID_ERP), STATUS_OK);
    assert_int_equal(verdict_subscribe(security, ID_CRM), STATUS_FORBIDDEN);
    assert_int_equal(verdict_subscribe(security, NONE), STATUS_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event event;
        event_make(&event, "/x", rows[i].type, rows[i].target, NULL);
        assert_int_equal(verdict_receives(security, rows[i].identity, &event.message), rows[i].receives);
    }
}

static void a_source_shared_with_a_guarded_system_is_guarded(void **state) {
    (void)state;
    static const struct slice same[] = {SLICE("/same")};
    static const struct security_system pair[] = {{SLICE("a"), same, 1}, {SLICE("b"), same, 1}, {SLICE("c"), same, 1}};
    struct security_identity owner = {.name = SLICE("b"), .max_priority = 5};
    for (uint32_t guarded = 0; guarded < 3; guarded++) {
        owner.system = guarded;
        const struct security_view shared = {.identities = &owner, .identity_count = 1, .systems = pair, .system_count = 3};
        const struct security *compiled;
        assert_int_equal(security_compile(&shared, &arena, &compiled), STATUS_OK);
        assert_int_equal(source_owner(compiled, SLICE_OF("/same/x")), guarded);
    }
}

static void each_failed_allocation_is_survived(void **state) {
    (void)state;
    for (size_t max = 0; max < 1024; max += 16) {
        struct arena small;
        const struct security *compiled;
        arena_init(&small, max);
        enum status status = security_compile(&view, &small, &compiled);
        assert_true(status == STATUS_OK || status == STATUS_NO_MEMORY);
        arena_done(&small);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_decide_and_deny_wins),
        cmocka_unit_test(sources_belong_to_systems),
        cmocka_unit_test(systems_that_identities_name_are_theirs_alone),
        cmocka_unit_test(priorities_are_lowered_not_refused),
        cmocka_unit_test(replyto_names_a_system_only),
        cmocka_unit_test(subscriptions_get_what_is_allowed),
        cmocka_unit_test(a_source_shared_with_a_guarded_system_is_guarded),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
