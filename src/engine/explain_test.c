/* What is told about messages agrees with the configuration, case by case; tests of the whole program compare it with
 * what a router then does. */
#include "engine/fixture.h"

#include "engine/explain.h"

static const char yaml[] =
    "listeners:\n"
    "  web: {url: http://127.0.0.1:8080, limits: {message: 2KiB}, max_priority: 3}\n"
    "  keyed: {url: http://127.0.0.1:8081, auth: key}\n"
    "  desks: {url: http://127.0.0.1:8082, system: desk}\n"
    "systems:\n"
    "  desk: {accept: true}\n"
    "  lamp: udp://127.0.0.1:7102\n"
    "  shop: {url: https://shop.example/api/, format: rest, rest: {query: \"GET /products/{subject}\"}, headers: {x-t: \"{tenant|none}\"}}\n"
    "  strict: {url: http://127.0.0.1:7104, format: rest, headers: {x-t: \"{subject}\"}}\n"
    "  mute: {source: /mute}\n"
    "  raw: {url: tcp://127.0.0.1:7103, format: raw}\n"
    "  crm: {accept: true}\n"
    "extensions: {tenant: string}\n"
    "routes:\n"
    "  urgent: {match: {type: a.*, priority: 4..5}, to: lamp}\n"
    "  alarms: {match: {type: a.*}, to: [lamp, desk]}\n"
    "  prices: {match: {type: p.*, from: crm}, to: shop}\n"
    "  wide: {match: {type: w}, to: all, except: lamp}\n"
    "  slow: {match: {target: desk}, timeouts: {queue: 1s}}\n"
    "security:\n"
    "  identities:\n"
    "    crm-app: {system: crm, keys: {main: {hash: \"sha256:"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}}, allow: [send type/a.*, call type/p.*], max_priority: 2}\n";

static struct config *config;
static struct plan *plan;

static int open_plan(void **state) {
    struct fault fault;
    (void)state;
    config = fx_config(yaml);
    plan = plan_new(config, &fault);
    if (!plan)
        fail_msg("%s", fault.text);
    return 0;
}

static int close_plan(void **state) {
    (void)state;
    plan_free(plan);
    config_free(config);
    return 0;
}

struct asked {
    struct message message;
    struct buffer extra;
    uint8_t room[2048];
    struct explain_ask ask;
    struct explain told;
};

/* `more`: NAME=VALUE pairs with blanks between. */
static void ask(struct asked *a, const char *as, const char *listener, size_t size, const char *more) {
    struct message_fault fault;
    char words[400], *rest = words;
    message_init(&a->message, SLICE_OF(""));
    buffer_init_fixed(&a->extra, a->room, sizeof a->room);
    (void)snprintf(words, sizeof words, "id=1 %s", more);
    if (!strstr(more, "source="))
        (void)snprintf(words, sizeof words, as ? "id=1 source=/systems/%s %s" : "id=1 source=%s %s",
                       as ? as : "/cli", more);
    for (char *word; (word = strtok_r(rest, " ", &rest));) {
        struct slice pair = slice_from(word), name = slice_head(pair, slice_find(pair, '='));
        if (message_add(&a->message, &a->extra, attribute_find(name), slice_skip(pair, name.size + 1),
                        &fault) != STATUS_OK)
            fail_msg("%s", fault.text);
    }
    if (message_seal(&a->message, &a->extra, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    a->ask = (struct explain_ask){.message = &a->message,
                                  .size = size,
                                  .system = as ? config_system_find(config, slice_from(as)) : CONFIG_NONE,
                                  .listener = listener ? config_listener_find(config, slice_from(listener))
                                                       : CONFIG_NONE,
                                  .now = {{1}, {1}}};
    explain_message(plan, &a->ask, &a->told);
}

/* "ROUTE: SYSTEM.. (REASON)" */
static const char *told(const struct asked *a) {
    static char text[300];
    struct buffer out;
    buffer_init_fixed(&out, text, sizeof text - 1);
    buffer_add(&out, a->told.route < 0 ? SLICE_OF("-") : plan->routes[a->told.route].config->name);
    buffer_add_byte(&out, ':');
    for (size_t i = 0; i < a->told.target_count; i++) {
        uint32_t system = a->told.targets[i].system;
        if (explain_skips(plan, &a->told, system))
            continue;
        buffer_add_byte(&out, ' ');
        buffer_add(&out, config->systems[system].name);
    }
    if (a->told.status != STATUS_OK)
        buffer_add_format(&out, " (%s)", status_reason(a->told.status));
    text[out.size] = '\0';
    return text;
}

static void each_message_goes_where_it_should(void **state) {
    static const struct {
        const char *as, *listener;
        size_t size;
        const char *attributes;
        const char *wanted;
    } cases[] = {
        {NULL, NULL, 100, "type=a.b", "alarms: lamp desk"},
        {NULL, NULL, 100, "type=a.b priority=5", "urgent: lamp"},
        {NULL, NULL, 100, "type=zzz", "-: (no-route)"},
        {NULL, NULL, 100, "type=zzz messagetype=query", "-: (no-route)"},
        {NULL, NULL, 100, "type=a.b messagetype=query", "alarms: lamp desk (many-targets)"},
        {NULL, NULL, 100, "type=w", "wide: desk shop strict raw crm"},
        {"desk", NULL, 100, "type=w", "wide: shop strict raw crm"}, /* not back to the sender */
        {NULL, NULL, 100, "type=x target=desk", "slow: desk"},
        {NULL, NULL, 100, "type=a.b target=lamp", "-: lamp"},
        {NULL, NULL, 100, "type=x target=all", "-: desk lamp shop strict raw crm"},
        {NULL, NULL, 100, "type=x target=nobody", "-: (unknown-target)"},
        {NULL, NULL, 100, "type=x target=mute", "-: (unknown-target)"},
        {NULL, NULL, 100, "type=x target=raw messagetype=query", "-: raw (not-supported)"},
        {NULL, NULL, 100, "type=x target=raw", "-: raw"},
        {NULL, NULL, 100, "type=p.get messagetype=query", "-: (no-route)"},
        {"crm", NULL, 100, "type=p.get messagetype=query subject=7", "prices: shop"},
        {"crm", NULL, 100, "type=p.get subject=7",
         "prices: shop (forbidden)"}, /* it may call that, not send */
        {"crm", NULL, 100, "type=a.b target=desk", "slow: desk (forbidden)"},
        {"crm", NULL, 100, "type=p.get messagetype=query source=/systems/desk",
         "prices: shop (source-not-allowed)"},
        {NULL, NULL, 100, "type=a.b source=/systems/crm", "alarms: lamp desk (source-not-allowed)"},
        {NULL, "keyed", 100, "type=a.b", "alarms: lamp desk (unauthenticated)"},
        {"desk", "keyed", 100, "type=a.b", "alarms: lamp desk (unauthenticated)"}, /* no identity is it */
        {"crm", "keyed", 100, "type=a.b", "alarms: lamp desk"},
        {"lamp", "desks", 100, "type=a.b", "alarms: lamp desk (forbidden)"},
        {NULL, "desks", 100, "type=a.b source=/systems/desk", "alarms: lamp desk"},
        {NULL, "web", 2048, "type=a.b", "alarms: lamp desk"},
        {NULL, "web", 2049, "type=a.b", "alarms: lamp desk (too-large)"},
        {NULL, "web", 100, "type=a.b expirytime=1969-12-31T00:00:00Z", "alarms: lamp desk (expired)"},
        {NULL, NULL, 100, "type=a.b messagetype=heartbeat", "-:"},
        {NULL, NULL, 100, "type=a.b messagetype=response causationid=7", "-:"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked a;
        ask(&a, cases[i].as, cases[i].listener, cases[i].size, cases[i].attributes);
        if (strcmp(told(&a), cases[i].wanted) != 0)
            fail_msg("case %zu, %s: got `%s`, wanted `%s` (%s)", i, cases[i].attributes, told(&a),
                     cases[i].wanted, a.told.detail);
        assert_int_equal(a.told.status == STATUS_OK, a.told.detail[0] == '\0');
    }
}

static void who_sends_and_how_urgent_it_then_is(void **state) {
    struct asked a;
    (void)state;
    ask(&a, "crm", NULL, 100, "type=a.b priority=5");
    assert_int_equal(a.told.from, config_system_find(config, SLICE_OF("crm")));
    assert_true(slice_is(config->identities[a.told.identity].name, "crm-app"));
    assert_int_equal(a.told.priority, 2);
    assert_true(a.told.is_lowered);
    ask(&a, NULL, "web", 100, "type=a.b priority=5");
    assert_int_equal(a.told.identity, SECURITY_NONE);
    assert_int_equal(a.told.priority, 3);
    ask(&a, NULL, NULL, 100, "type=a.b priority=5");
    assert_int_equal(a.told.priority, 5);
    assert_false(a.told.is_lowered);
    assert_true(a.told.may_be_copied);
    ask(&a, NULL, NULL, 100, "type=a.b target=desk");
    assert_false(a.told.may_be_copied);
}

static void endpoints_tell_what_they_would_be_asked(void **state) {
    static const struct {
        const char *system;
        size_t size;
        const char *attributes;
        const char *wanted;
        enum status status;
    } cases[] = {
        {"shop", 100, "type=p.get messagetype=query subject=a/7", "GET /api/products/a%2F7", STATUS_OK},
        {"shop", 100, "type=p.get messagetype=query", "GET /api/products/{subject}", STATUS_TEMPLATE_MISSING},
        {"shop", 100, "type=p.get messagetype=command", "PUT /api/", STATUS_OK},
        {"strict", 100, "type=p.get", "POST /", STATUS_TEMPLATE_MISSING}, /* a header field can't be filled */
        {"strict", 100, "type=p.get subject=7", "POST /", STATUS_OK},
        {"lamp", 1200, "type=a", "", STATUS_OK},
        {"lamp", 1201, "type=a", "", STATUS_TOO_LARGE},
        {"raw", 1201, "type=a", "", STATUS_OK},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked a;
        char text[200];
        struct buffer out;
        buffer_init_fixed(&out, text, sizeof text);
        ask(&a, NULL, NULL, cases[i].size, cases[i].attributes);
        uint32_t system = config_system_find(config, slice_from(cases[i].system));
        assert_int_equal(explain_request(plan, &plan->endpoints[system][0], &a.ask, &out), cases[i].status);
        if (!slice_is(buffer_slice(&out), cases[i].wanted))
            fail_msg("case %zu: got `%.*s`, wanted `%s`", i, SLICE_ARG(buffer_slice(&out)), cases[i].wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_goes_where_it_should),
        cmocka_unit_test(who_sends_and_how_urgent_it_then_is),
        cmocka_unit_test(endpoints_tell_what_they_would_be_asked),
    };
    return cmocka_run_group_tests(tests, open_plan, close_plan);
}
