/* What comes out of files, includes, overlays and references, and what comes between two configurations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "config/diff.h"
#include "source.h"

#define SECONDS(n) ((int64_t)(n) * NS_PER_S)

struct fixture {
    struct text_file files[8];
    struct text_source source;
    struct config_options options;
    struct config_report report;
    struct config *config;
    struct buffer out;
    enum status status;
};

static void fixture_init(struct fixture *fixture, const char *text) {
    static const char *const variables[] = {"PORT", "7101", "EMPTY", "", "KEY16", "0123456789abcdef", NULL};
    *fixture = (struct fixture){.files = {{"dir/main.yaml", text, false}}};
    fixture->options.source = text_source_init(&fixture->source, fixture->files, variables);
    config_report_init(&fixture->report);
    buffer_init(&fixture->out, 1 << 20);
}

static void fixture_done(struct fixture *fixture) {
    config_free(fixture->config);
    fixture->config = NULL;
    config_report_done(&fixture->report);
    buffer_done(&fixture->out);
}

static void load(struct fixture *fixture) {
    fixture->status = config_load(&fixture->options, SLICE_OF("dir/main.yaml"), &fixture->config, &fixture->report);
}

static const char *text_of(struct fixture *fixture) {
    buffer_clear(&fixture->out);
    config_report_text(&fixture->report, &fixture->out);
    buffer_add_byte(&fixture->out, 0);
    return (const char *)fixture->out.data;
}

static void load_fine(struct fixture *fixture, const char *text) {
    fixture_init(fixture, text);
    load(fixture);
    if (fixture->status != STATUS_OK)
        print_error("%s\n", text_of(fixture));
    assert_int_equal(fixture->status, STATUS_OK);
}

static const char environments[] =
    "listeners: {api: http://127.0.0.1:8080}\n"
    "systems: {billing: {url: http://127.0.0.1:7201, timeouts: {connect: 1s, request: 5s}}, ledger: tcp://127.0.0.1:7202}\n"
    "routes: {invoices: {match: {type: com.acme.invoice.*}, to: [billing, ledger]}, debug: {match: {type: x}, to: ledger}}\n"
    "environments:\n"
    "  production:\n"
    "    listeners: {api: {url: http://0.0.0.0:8443, insecure: true, auth: key}}\n"
    "    systems: {billing: {url: null, endpoints: {a: http://a.example/in, b: http://b.example/in}, timeouts: {request: 15s}}}\n"
    "    routes: {invoices: {to: [billing]}, debug: null}\n";

static void environment_lays_over(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, environments);
    fixture.options.environment = SLICE_OF("production");
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_OK);
    assert_string_equal((const char *)fixture.config->text.data,
                        "listeners:\n  api:\n    url: http://0.0.0.0:8443\n    insecure: true\n    auth: [key]\n"
                        "systems:\n  billing:\n    timeouts:\n      connect: 1s\n      request: 15s\n"
                        "    endpoints:\n      a:\n        url: http://a.example/in\n      b:\n        url: http://b.example/in\n"
                        "  ledger:\n    url: tcp://127.0.0.1:7202\n"
                        "routes:\n  invoices:\n    match:\n      type: [com.acme.invoice.*]\n    to: [billing]\n");
    assert_int_equal(fixture.config->systems[0].endpoint_count, 2);
    assert_int_equal(fixture.config->systems[0].policy.timeouts.request_ns, SECONDS(15));
    assert_int_equal(fixture.config->systems[0].policy.timeouts.connect_ns, SECONDS(1));
    assert_int_equal(fixture.config->route_count, 1);
    fixture_done(&fixture);
}

static void without_an_environment_the_base_counts(void **state) {
    struct fixture fixture;
    (void)state;
    load_fine(&fixture, environments);
    assert_int_equal(fixture.config->route_count, 2);
    assert_true(slice_is(fixture.config->systems[0].endpoints[0].name, "main"));
    fixture_done(&fixture);
}

static void unknown_environment_names_the_nearest(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, environments);
    fixture.options.environment = SLICE_OF("prodution");
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_BAD_CONFIG);
    assert_non_null(strstr(text_of(&fixture), "environments: no environment `prodution`; did you mean `production` (line 5)?"));
    fixture_done(&fixture);
}

static void mistakes_of_an_environment_name_it(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "systems: {a: {accept: true}}\nroutes: {r: {match: {}, to: a}}\nenvironments:\n  dev: {routes: {r: {to: b}}}\n");
    assert_int_equal(config_validate(&fixture.options, SLICE_OF("dir/main.yaml"), NULL, &fixture.report), STATUS_BAD_CONFIG);
    assert_non_null(strstr(text_of(&fixture), "dir/main.yaml:4:26: error: routes.r.to: no system `b` (in environment `dev`)"));
    assert_int_equal(fixture.report.error_count, 1);
    fixture_done(&fixture);
}

static void an_environment_over_a_wrong_base_is_not_built(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "systems: {a: {accept: true}}\nroutes: {r: {match: {}, to: b}}\nenvironments: {dev: {}}\n");
    assert_int_equal(config_validate(&fixture.options, SLICE_OF("dir/main.yaml"), &fixture.config, &fixture.report), STATUS_BAD_CONFIG);
    assert_int_equal(fixture.report.error_count, 1);
    assert_null(fixture.config);
    fixture_done(&fixture);
}

static void sets_lie_over_last(void **state) {
    struct fixture fixture;
    const struct slice sets[] = {SLICE("systems/billing/timeouts/request=2s"), SLICE("routes/debug=null"), SLICE("systems/ledger=udp://127.0.0.1:9"),
                                 SLICE("routes/invoices/to=[ledger]")};
    (void)state;
    fixture_init(&fixture, environments);
    fixture.options.sets = sets;
    fixture.options.set_count = 4;
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_OK);
    assert_int_equal(fixture.config->systems[0].policy.timeouts.request_ns, SECONDS(2));
    assert_int_equal(fixture.config->systems[1].endpoints[0].url.scheme, CONFIG_SCHEME_UDP);
    assert_int_equal(fixture.config->route_count, 1);
    assert_int_equal(fixture.config->routes[0].to_count, 1);
    fixture_done(&fixture);
}

static void mistakes_of_a_set_show_it(void **state) {
    struct fixture fixture;
    const struct slice sets[] = {SLICE("systems/billing/timeouts/request=2"), SLICE("nothing"), SLICE("a//b=1")};
    (void)state;
    fixture_init(&fixture, environments);
    fixture.options.sets = sets;
    fixture.options.set_count = 3;
    load(&fixture);
    const char *text = text_of(&fixture);
    assert_non_null(strstr(text, "--set systems/billing/timeouts/request=2:1:1: error: systems.billing.timeouts.request: `2` has no unit; write 2s"));
    assert_non_null(strstr(text, "--set nothing: error: write it as path/of/keys=VALUE"));
    assert_non_null(strstr(text, "--set a//b=1: error: write it as path/of/keys=VALUE"));
    fixture_done(&fixture);
}

static void included_files_come_first_in_name_order(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "include: conf.d/*.yaml\nsystems: {a: {accept: true}}\nroutes:\n  last: {match: {type: l*}, to: a}\n  first: {order: -1, match: {type: f*}, to: b}\n");
    fixture.files[1] = (struct text_file){"dir/conf.d/20.yaml", "routes: {twenty: {match: {type: t*}, to: b}}\nlimits: {message: 2MiB}\n", false};
    fixture.files[2] = (struct text_file){"dir/conf.d/10.yaml", "systems: {b: {accept: true}}\nroutes: {ten: {match: {type: e*}, to: b}}\nlog: {file: x.log}\n", false};
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_OK);
    assert_int_equal(fixture.config->route_count, 4);
    assert_true(slice_is(fixture.config->routes[0].name, "first"));
    assert_true(slice_is(fixture.config->routes[1].name, "ten"));
    assert_true(slice_is(fixture.config->routes[2].name, "twenty"));
    assert_true(slice_is(fixture.config->routes[3].name, "last"));
    assert_int_equal(fixture.config->message_max, 2 << 20);
    assert_true(slice_is(fixture.config->log.file, "dir/conf.d/x.log"));
    fixture_done(&fixture);
}

static void a_name_in_two_files_is_an_error(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "include: b.yaml\nname: x\nsystems: {a: {accept: true}}\n");
    fixture.files[1] = (struct text_file){"dir/b.yaml", "name: y\nsystems: {a: {accept: true}}\n", false};
    load(&fixture);
    const char *text = text_of(&fixture);
    assert_non_null(strstr(text, "dir/main.yaml:2:1: error: name: stands in dir/b.yaml too (line 1); a name belongs to one file"));
    assert_non_null(strstr(text, "dir/main.yaml:3:11: error: systems.a: stands in dir/b.yaml too (line 2)"));
    fixture_done(&fixture);
}

static void mistakes_in_an_included_file_are_placed_there(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "include: b.yaml\n");
    fixture.files[1] = (struct text_file){"dir/b.yaml", "\nworkers: x\n", false};
    load(&fixture);
    assert_non_null(strstr(text_of(&fixture), "dir/b.yaml:2:10: error: workers: `x` is no number\n    2 | workers: x\n      |          ^\n"));
    fixture_done(&fixture);
}

static void references_are_filled_in(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "name: ${NODE:-gw-1}\npublic_url: http://x/$$a\nsystems: {a: 'tcp://127.0.0.1:${PORT}', b: {accept: true, source: '${file:/s}'}}\n");
    fixture.files[1] = (struct text_file){"/s", "/secret\n", true};
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_OK);
    assert_true(slice_is(fixture.config->name, "gw-1"));
    assert_true(slice_is(fixture.config->public_url, "http://x/$a"));
    assert_int_equal(fixture.config->systems[0].endpoints[0].url.port, 7101);
    assert_true(slice_is(fixture.config->systems[1].source.items[0], "/secret"));
    assert_null(strstr((const char *)fixture.config->text.data, "/secret"));
    assert_non_null(strstr((const char *)fixture.config->text.data, "source: [\"***\"]"));
    assert_non_null(strstr(text_of(&fixture), "warning: systems.b.source: others may read `/s`; chmod 600 it"));
    fixture_done(&fixture);
}

static void secrets_are_taken_and_never_shown(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "security: {credentials: {a: {hmac: {secret: '${file:/s}'}}, b: {hmac: {secret: ['${KEY16}', '${file:/s}']}}}}\n");
    fixture.files[1] = (struct text_file){"/s", "of sixteen bytes\n", false};
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_OK);
    assert_int_equal(fixture.config->credential_count, 2);
    const struct config_credential *a = &fixture.config->credentials[0], *b = &fixture.config->credentials[1];
    assert_true(slice_is(a->name, "a") && a->kind == CONFIG_CREDENTIAL_HMAC && a->secrets.count == 1);
    assert_true(slice_is(a->secrets.items[0], "of sixteen bytes"));
    assert_true(b->secrets.count == 2 && slice_is(b->secrets.items[0], "0123456789abcdef") && slice_is(b->secrets.items[1], "of sixteen bytes"));
    assert_null(memmem(fixture.config->text.data, fixture.config->text.size, "sixteen", 7));
    assert_null(memmem(fixture.config->text.data, fixture.config->text.size, "abcdef", 6));
    fixture_done(&fixture);
}

static void no_files_looks_nothing_up(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "include: no.yaml\nname: ${NODE}\nsystems: {a: '${file:/none}', b: {accept: true, offline: '${X:-refuse}'}}\n");
    fixture.options.no_files = true;
    assert_int_equal(config_validate(&fixture.options, SLICE_OF("dir/main.yaml"), NULL, &fixture.report), STATUS_OK);
    fixture_done(&fixture);
}

static void nearest_policy_wins_key_by_key(void **state) {
    struct fixture fixture;
    (void)state;
    load_fine(&fixture, "systems:\n  a: {accept: true, policy: p, timeouts: {connect: 1s}}\n  b: {accept: true}\n"
                        "routes:\n  r: {match: {type: x}, to: a, policy: q, timeouts: {queue: 7s}}\n  s: {match: {type: y}, to: b}\n"
                        "policies:\n  default: {timeouts: {connect: 9s, ack: 9s, request: 9s}, ttl: 1h}\n"
                        "  p: {timeouts: {connect: 2s, ack: 2s}, limits: {in_flight: 8}}\n  q: {timeouts: {request: 3s, queue: 3s}, ttl_max: 2h}\n");
    const struct config *config = fixture.config;
    struct config_policy at = config_policy_of(config, &config->routes[0], &config->systems[0]);
    assert_int_equal(at.timeouts.connect_ns, SECONDS(1)); /* the system */
    assert_int_equal(at.timeouts.ack_ns, SECONDS(2));     /* its policy */
    assert_int_equal(at.timeouts.queue_ns, SECONDS(7));   /* the route */
    assert_int_equal(at.timeouts.request_ns, SECONDS(3)); /* its policy */
    assert_int_equal(at.timeouts.attempt_ns, SECONDS(5)); /* built in */
    assert_int_equal(at.ttl_ns, SECONDS(3600));           /* policies.default */
    assert_int_equal(at.ttl_max_ns, SECONDS(7200));
    assert_int_equal(at.limits.in_flight, 8);
    assert_int_equal(at.limits.session_in_flight, 8);
    at = config_policy_of(config, &config->routes[1], &config->systems[1]);
    assert_int_equal(at.timeouts.connect_ns, SECONDS(9));
    assert_int_equal(at.timeouts.request_ns, SECONDS(9));
    assert_int_equal(at.limits.in_flight, 1024);
    assert_int_equal(at.limits.session_in_flight, 256);
    assert_int_equal(at.limits.queue_bytes, 64 << 20);
    assert_true(at.ttl_max_ns == CONFIG_FOREVER);
    fixture_done(&fixture);
}

static void defaults_are_those_of_the_rows(void **state) {
    struct fixture fixture;
    (void)state;
    load_fine(&fixture, "listeners: {w: http://localhost, t: tcp://127.0.0.1:0, u: udp://127.0.0.1:5}\nsystems: {a: http://h/x?y=1, b: intertie://h}\n");
    const struct config *config = fixture.config;
    assert_true(slice_is(config->name, "intertie"));
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->drain.grace_ns, SECONDS(30));
    assert_int_equal(config->admin.url.port, 7470);
    assert_int_equal(config->log.level, CONFIG_LOG_INFO);
    assert_int_equal(config->log.rotate_size, 100 << 20);
    assert_int_equal(config->listeners[0].url.port, 80);
    assert_int_equal(config->listeners[0].format, CONFIG_FORMAT_AUTO);
    assert_int_equal(config->listeners[0].timeouts.idle_ns, SECONDS(60));
    assert_int_equal(config->listeners[0].limits.fields, 100);
    assert_int_equal(config->listeners[1].format, CONFIG_FORMAT_CLOUDEVENTS);
    assert_int_equal(config->listeners[1].timeouts.idle_ns, SECONDS(300));
    assert_int_equal(config->listeners[1].max_priority, 5);
    assert_int_equal(config->listeners[1].system, CONFIG_NONE);
    assert_int_equal(config->listeners[2].limits.message, 1200);
    assert_true(slice_is(config->systems[0].endpoints[0].url.path, "/x?y=1"));
    assert_true(config->systems[0].endpoints[0].enabled);
    assert_int_equal(config->systems[0].format, CONFIG_FORMAT_CLOUDEVENTS);
    assert_int_equal(config->systems[0].frame, CONFIG_FRAME_LINE);
    assert_int_equal(config->systems[0].sessions, 16);
    assert_int_equal(config->systems[0].pool.max, 32);
    assert_true(slice_is(config->systems[0].source.items[0], "/systems/a"));
    assert_int_equal(config->systems[1].endpoints[0].url.port, 7460);
    fixture_done(&fixture);
}

static void identities_and_matches_are_typed(void **state) {
    struct fixture fixture;
    (void)state;
    load_fine(&fixture, "extensions: {amount: integer, tenant: string}\nlisteners: {w: {url: http://127.0.0.1:1, auth: key}}\nsystems: {crm: {accept: true}, x: {accept: true}}\n"
                        "routes:\n  r: {match: {priority: high..emergency, amount: [1, 3..7], from: [x, crm], listener: w, tenant: a*}, when: EXISTS tenant, to: all, except: x}\n"
                        "  t: {match: {target: crm}, ttl: 1m}\n"
                        "security: {identities: {crm: {system: crm, allow: [send type/com.*, 'call system/x'], deny: subscribe type/*, max_priority: 4,\n"
                        "  keys: {k: {hash: 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', expires: 2027-03-01}}}}}\n");
    const struct config *config = fixture.config;
    const struct config_route *route = &config->routes[0];
    assert_int_equal(config->listeners[0].auth, CONFIG_AUTH_KEY);
    assert_int_equal(route->match_count, 5);
    assert_int_equal(route->matches[0].patterns[0].low, 3);
    assert_int_equal(route->matches[0].patterns[0].high, 5);
    assert_int_equal(route->matches[1].patterns[0].low, 1);
    assert_int_equal(route->matches[1].patterns[0].high, 1);
    assert_int_equal(route->matches[1].patterns[1].high, 7);
    assert_int_equal(route->matches[2].kind, CONFIG_MATCH_FROM);
    assert_int_equal(route->matches[2].indices[0], 1);
    assert_int_equal(route->matches[3].kind, CONFIG_MATCH_LISTENER);
    assert_int_equal(route->matches[4].patterns[0].kind, CONFIG_PATTERN_PREFIX);
    assert_true(route->to_all && route->except_count == 1 && route->except[0] == 1);
    assert_true(slice_is(route->when, "EXISTS tenant"));
    assert_true(config->routes[1].has_target && config->routes[1].to_count == 0);
    const struct config_identity *identity = &config->identities[0];
    assert_int_equal(identity->system, 0);
    assert_int_equal(identity->allow_count, 2);
    assert_true(identity->allow[0].is_type && identity->allow[0].is_prefix && slice_is(identity->allow[0].pattern, "com."));
    assert_int_equal(identity->allow[1].verb, CONFIG_VERB_CALL);
    assert_true(identity->deny[0].is_prefix && identity->deny[0].pattern.size == 0);
    assert_int_equal(identity->keys[0].hash[0], 0x9f);
    assert_true(identity->keys[0].expires.ns == INT64_C(1803859200) * NS_PER_S);
    fixture_done(&fixture);
}

static void scalars_are_what_the_schema_says(void **state) {
    struct fixture fixture;
    (void)state;
    load_fine(&fixture, "name: no\nsystems: {1: {accept: true}, 0x1f: {accept: true}}\nroutes: {r: {match: {type: 1.20}, when: TRUE, to: 1}, on: {match: {subject: null*}, to: 0x1f}}\n");
    assert_true(slice_is(fixture.config->name, "no"));
    assert_true(slice_is(fixture.config->routes[0].matches[0].patterns[0].text, "1.20"));
    assert_true(slice_is(fixture.config->routes[0].when, "TRUE"));
    assert_true(slice_is(fixture.config->systems[1].name, "0x1f"));
    fixture_done(&fixture);
}

static void json_is_the_same_schema(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "");
    fixture.files[0] = (struct text_file){"a.json", "{\"name\":\"gw\",\n \"systems\":{\"a\":\"tcp://127.0.0.1:1\",\"b\":{\"accept\":true}},\"drain\":{\"grace\":\"\\u0035s\"}}", false};
    assert_int_equal(config_load(&fixture.options, SLICE_OF("a.json"), &fixture.config, &fixture.report), STATUS_OK);
    assert_int_equal(fixture.config->system_count, 2);
    assert_int_equal(fixture.config->drain.grace_ns, SECONDS(5));
    config_free(fixture.config);
    fixture.config = NULL;
    fixture.files[0].text = "{\"name\":\"gw\",\n \"workers\":\"x\", \"workers\":4}";
    assert_int_equal(config_load(&fixture.options, SLICE_OF("a.json"), &fixture.config, &fixture.report), STATUS_BAD_CONFIG);
    const char *text = text_of(&fixture);
    assert_non_null(strstr(text, "a.json:2:12: error: workers: `x` is no number"));
    assert_non_null(strstr(text, "a.json:2:17: error: `workers` stands here twice; the first is on line 2"));
    fixture.files[0].text = "{\"name\":\"gw\",}";
    config_report_done(&fixture.report);
    config_report_init(&fixture.report);
    assert_int_equal(config_load(&fixture.options, SLICE_OF("a.json"), &fixture.config, &fixture.report), STATUS_BAD_CONFIG);
    assert_non_null(strstr(text_of(&fixture), "a.json:1:14: error: not valid JSON"));
    fixture_done(&fixture);
}

static void anchors_work_and_do_not_multiply(void **state) {
    struct fixture fixture;
    char bomb[2048];
    int used = snprintf(bomb, sizeof bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    (void)state;
    load_fine(&fixture, "policies: {p: &p {timeouts: {request: 4s}}, q: *p}\nsystems: {a: {accept: true, policy: q}, b: {accept: true, policy: p}}\n");
    assert_int_equal(fixture.config->systems[0].policy.timeouts.request_ns, SECONDS(4));
    fixture_done(&fixture);
    for (int i = 1; i < 9; i++)
        used += snprintf(bomb + used, sizeof bomb - (size_t)used, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
                         i - 1, i - 1);
    fixture_init(&fixture, bomb);
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_BAD_CONFIG);
    assert_non_null(strstr(text_of(&fixture), "more than 200000 values in one file; do aliases multiply?"));
    fixture_done(&fixture);
}

static void depth_and_size_are_capped(void **state) {
    struct fixture fixture;
    static char deep[50000];
    (void)state;
    memset(deep, '[', sizeof deep - 1);
    fixture_init(&fixture, deep);
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_BAD_CONFIG);
    assert_non_null(strstr(text_of(&fixture), "more than 64 values inside each other"));
    fixture_done(&fixture);
    char *big = memory_alloc(CONFIG_FILE_MAX + 2);
    memset(big, '#', CONFIG_FILE_MAX + 1);
    big[CONFIG_FILE_MAX + 1] = 0;
    fixture_init(&fixture, big);
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_BAD_CONFIG);
    assert_non_null(strstr(text_of(&fixture), "`dir/main.yaml` is larger than 1 MiB"));
    fixture_done(&fixture);
    memory_free(big);
}

static void text_shows_fifty_and_the_total(void **state) {
    struct fixture fixture;
    struct buffer text;
    (void)state;
    buffer_init(&text, 1 << 16);
    for (int i = 0; i < 60; i++)
        buffer_add_format(&text, "wrong%d: 1\n", i);
    buffer_add_byte(&text, 0);
    fixture_init(&fixture, (const char *)text.data);
    load(&fixture);
    const char *shown = text_of(&fixture);
    assert_non_null(strstr(shown, "wrong49"));
    assert_null(strstr(shown, "wrong50"));
    assert_non_null(strstr(shown, "... and 10 more errors\n60 errors: dir/main.yaml would not start.\n"));
    buffer_clear(&fixture.out);
    config_report_json(&fixture.report, &fixture.out);
    buffer_add_byte(&fixture.out, 0);
    assert_non_null(strstr((const char *)fixture.out.data, "wrong59"));
    assert_non_null(strstr((const char *)fixture.out.data,
                           "{\"errors\":[{\"file\":\"dir/main.yaml\",\"line\":1,\"column\":1,\"path\":\"wrong0\",\"message\":\"unknown key `wrong0`\",\"nearest\":null},"));
    fixture_done(&fixture);
    buffer_done(&text);
}

static void carets_stand_under_the_place(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "systems:\n  b:\n    comment: ünï\n    timeout: 5s\n    pool: {idle: 30}\n    url: http://h\n");
    load(&fixture);
    assert_string_equal(text_of(&fixture), "dir/main.yaml:3:5: error: unknown key `comment` in systems.b\n"
                                           "    3 |     comment: ünï\n"
                                           "      |     ^^^^^^^\n"
                                           "dir/main.yaml:4:5: error: unknown key `timeout` in systems.b; did you mean `timeouts`?\n"
                                           "    4 |     timeout: 5s\n"
                                           "      |     ^^^^^^^\n"
                                           "dir/main.yaml:5:18: error: systems.b.pool.idle: `30` has no unit; write 30s\n"
                                           "    5 |     pool: {idle: 30}\n"
                                           "      |                  ^^\n"
                                           "3 errors: dir/main.yaml would not start.\n");
    fixture_done(&fixture);
}

static void when_is_compiled_with_a_place(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, "systems: {a: {accept: true}}\nroutes:\n  r:\n    match: {}\n    when: EXISTS tenat AND type = 'x'\n    to: a\n");
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_BAD_CONFIG);
    const char *text = text_of(&fixture);
    assert_non_null(strstr(text, "dir/main.yaml:5:18: error: routes.r.when: "));
    fixture_done(&fixture);
    fixture_init(&fixture, "systems: {a: {accept: true}}\nroutes: {r: {match: {}, when: type = 'a' AND subject = 'b' OR id = 'c', to: a}}\n");
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_BAD_CONFIG);
    fixture_done(&fixture);
}

static void what_is_never_used_is_a_warning_or_strictly_an_error(void **state) {
    struct fixture fixture;
    (void)state;
    const char text[] = "systems: {a: {accept: true}, lone: {accept: true}}\nroutes:\n  r: {match: {type: a*}, to: a}\n  dead: {match: {type: [ab, abc*], subject: x}, to: a}\n"
                        "  alive: {match: {type: [ab, b]}, to: a}\npolicies: {p: {}}\n"
                        "security: {credentials: {spare: {hmac: {secret: '${KEY16}'}}}}\n";
    load_fine(&fixture, text);
    const char *said = text_of(&fixture);
    assert_int_equal(fixture.report.warning_count, 4);
    assert_non_null(strstr(said, "warning: security.credentials.spare: no `auth` or `envelope` names it"));
    assert_non_null(strstr(said, ":4:3: warning: routes.dead: is never reached: all that it matches goes to the route `r`"));
    assert_non_null(strstr(said, ":1:30: warning: systems.lone: no route, listener or identity names it"));
    assert_non_null(strstr(said, ":6:12: warning: policies.p: no system or route names it"));
    fixture_done(&fixture);
    fixture_init(&fixture, text);
    fixture.options.strict = true;
    load(&fixture);
    assert_int_equal(fixture.status, STATUS_BAD_CONFIG);
    assert_int_equal(fixture.report.error_count, 4);
    fixture_done(&fixture);
}

static void print_shows_origins(void **state) {
    struct fixture fixture;
    (void)state;
    fixture_init(&fixture, environments);
    fixture.options.environment = SLICE_OF("production");
    assert_int_equal(config_print(&fixture.options, SLICE_OF("dir/main.yaml"), &fixture.out, &fixture.report), STATUS_OK);
    buffer_add_byte(&fixture.out, 0);
    assert_non_null(strstr((const char *)fixture.out.data, "      connect: 1s  # dir/main.yaml:2\n      request: 15s  # dir/main.yaml:7 environments.production\n"));
    fixture_done(&fixture);
}

static void empty_sections_and_files_are_fine(void **state) {
    struct fixture fixture;
    (void)state;
    load_fine(&fixture, "");
    fixture_done(&fixture);
    load_fine(&fixture, "# nothing\nroutes:\nsystems:\nlisteners:\nenvironments:\n");
    assert_int_equal(fixture.config->route_count, 0);
    fixture_done(&fixture);
}

static void ten_thousand_routes_load(void **state) {
    struct fixture fixture;
    struct buffer text;
    (void)state;
    buffer_init(&text, CONFIG_FILE_MAX);
    buffer_add_text(&text, "systems: {a: {accept: true}}\nroutes:\n");
    for (int i = 0; i < 10000; i++)
        buffer_add_format(&text, "  r%d: {match: {type: com.t%d}, to: a}\n", i, i);
    buffer_add_byte(&text, 0);
    load_fine(&fixture, (const char *)text.data);
    assert_int_equal(fixture.config->route_count, 10000);
    fixture_done(&fixture);
    buffer_done(&text);
}

/* -- diff -- */

/* Of nobody; what it says is never looked at, but it must be one. */
static void load_with_names(struct fixture *fixture, const char *text) {
    static const char pem[] =
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBdTCCARugAwIBAgIUTpSBOXWtnjZPBBl3Smq4hme2pH4wCgYIKoZIzj0EAwIw\n"
        "DzENMAsGA1UEAwwEdGVzdDAgFw0yNjEyMDEwMDA0MTBaGA8yMTI2MTEwNzAwMDQx\n"
        "MFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJHr\n"
        "9A4XV5unRP3S9nNM+OiBCt6bZ6HNLR99tfDd+ac+XYEJ7x9rM9IcOJX4waPZ3FPw\n"
        "fDpFhLOXIzrFVQ/Se4ajUzBRMB0GA1UdDgQWBBR2JLb9MD1zRjlzlbR0RNaZtyBZ\n"
        "djAfBgNVHSMEGDAWgBR2JLb9MD1zRjlzlbR0RNaZtyBZdjAPBgNVHRMBAf8EBTAD\n"
        "AQH/MAoGCCqGSM49BAMCA0gAMEUCIBLWKPjxtOs/AVfC8TUKHyEBSOne/8hPLHoF\n"
        "F8CRB6G7AiEAjstq2qWjsr9fE/AA+44ggDZCLlOq87/ZP3QKuw4xuSY=\n"
        "-----END CERTIFICATE-----\n"
        "-----BEGIN PRIVATE KEY-----\n"
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgbQSZva04+T8NjIoh\n"
        "MqX0zCjvMc6XqIowCc3ORwcD6WehRANCAASR6/QOF1ebp0T90vZzTPjogQrem2eh\n"
        "zS0ffbXw3fmnPl2BCe8fazPSHDiV+MGj2dxT8Hw6RYSzlyM6xVUP0nuG\n"
        "-----END PRIVATE KEY-----\n";
    static const char *const names[] = {"dir/c.pem", "dir/c.key", "dir/d.pem", "dir/d.key", "dir/u.pem", "dir/v.pem"};
    fixture_init(fixture, text);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        fixture->files[i + 1] = (struct text_file){names[i], pem, false};
    load(fixture);
    if (fixture->status != STATUS_OK)
        print_error("%s\n", text_of(fixture));
    assert_int_equal(fixture->status, STATUS_OK);
}

static void tracing_all_into_nothing_is_a_warning(void **state) {
    struct fixture fixture;
    (void)state;
    load_fine(&fixture, "systems: {a: {accept: true}}\nroutes:\n  r: {match: {}, to: a, trace: all}\ntelemetry: {trace_ring: 0B}\n");
    assert_int_equal(fixture.report.warning_count, 1);
    assert_non_null(strstr(text_of(&fixture), ":3:3: warning: routes.r: `trace: all` keeps nothing: `telemetry.trace_ring` is 0B"));
    fixture_done(&fixture);
    load_fine(&fixture, "systems: {a: {accept: true}}\nroutes:\n  r: {match: {}, to: a, trace: all}\n");
    assert_int_equal(fixture.report.warning_count, 0);
    fixture_done(&fixture);
}

static void diff_is(const char *before, const char *after, const char *said) {
    struct fixture a, b;
    struct config_diff diff;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    load_with_names(&a, before);
    load_with_names(&b, after);
    assert_int_equal(config_diff(a.config, b.config, &arena, &diff), STATUS_OK);
    config_diff_print(a.config, b.config, &diff, &a.out);
    buffer_add_byte(&a.out, 0);
    assert_string_equal((const char *)a.out.data, said);
    assert_int_equal(config_diff_is_empty(&diff), said[0] == 0);
    fixture_done(&a);
    fixture_done(&b);
    arena_done(&arena);
}

static void diff_names_what_changed_and_nothing_else(void **state) {
    static const char base[] = "listeners: {w: http://127.0.0.1:1, t: tcp://127.0.0.1:2}\nsystems: {a: tcp://h:1, b: {endpoints: {x: tcp://h:2, y: tcp://h:3}}}\n"
                               "routes: {r: {match: {type: x}, to: a}, s: {match: {type: y}, to: [a, b]}}\n";
    (void)state;
    diff_is(base, base, "");
    diff_is("systems: {a: tcp://h:1}\nroutes: {r: {match: {}, to: a}}", "systems: {a: tcp://h:1}\nroutes: {r: {match: {}, to: a, trace: all}}\ntelemetry: {trace_ring: 1MiB}",
            "~ routes.r\n~ telemetry\n");
    diff_is("security: {credentials: {a: {hmac: {secret: '${KEY16}'}}}}", "security: {credentials: {a: {hmac: {secret: '${KEY16}'}}}}", "");
    diff_is("security: {credentials: {a: {hmac: {secret: '${KEY16}'}}}}", "security: {credentials: {a: {hmac: {secret: '${KEY16}0'}}}}",
            "~ security.credentials.a\n");
    diff_is(base, "listeners: {t: tcp://127.0.0.1:2, w: http://127.0.0.1:1}\nsystems: {b: {endpoints: {y: tcp://h:3, x: tcp://h:2}}, a: tcp://h:1}\n"
                  "routes: {r: {match: {type: x}, to: a}, s: {match: {type: y}, to: [a, b]}}\n", "");
    diff_is(base, "listeners: {w: {url: http://127.0.0.1:1, timeouts: {idle: 5s}}, n: tcp://127.0.0.1:3}\n"
                  "systems: {a: {url: tcp://h:9, offline: refuse}, b: {endpoints: {x: tcp://h:2}}, c: {accept: true}}\n"
                  "routes: {s: {match: {type: y}, to: [a, b]}, r: {match: {type: x}, to: a}}\nlog: {level: debug}\nworkers: 2\n",
            "- listeners.t\n+ listeners.n\n~ listeners.w\n+ systems.c\n~ systems.a\n- systems.a.endpoints.main\n- systems.b.endpoints.y\n+ systems.a.endpoints.main\n"
            "~ routes.r\n~ process (takes a restart)\n~ log\n");
}

#define NAMES "security: {certificates: {c: {cert: c.pem, key: c.key}, d: {cert: d.pem, key: d.key}}, authorities: {u: u.pem, v: v.pem}}\n"

static void diff_sees_each_limit_and_time_of_a_listener(void **state) {
    static const char *const values[] = {"limits: {message: 2KiB}", "limits: {header: 2KiB}", "limits: {fields: 17}", "limits: {connections: 9}",
                                         "limits: {per_peer: 9}", "limits: {min_rate: 9B/s}", "timeouts: {head: 9s}", "timeouts: {tls: 9s}",
                                         "timeouts: {write: 9s}", "timeouts: {idle: 9s}"};
    char after[600];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        snprintf(after, sizeof after, "listeners: {w: {url: https://127.0.0.1:1, tls: {certificates: c}, %s}}\n" NAMES, values[i]);
        diff_is("listeners: {w: {url: https://127.0.0.1:1, tls: {certificates: c}}}\n" NAMES, after, "~ listeners.w\n");
    }
}

static void diff_sees_tls(void **state) {
    static const char *const listeners[] = {"certificates: d", "certificates: [c, d]", "certificates: c, client: optional, authorities: u",
                                            "certificates: c, min_version: '1.3'", "certificates: c, ciphers: compatible"};
    static const char *const endpoints[] = {"certificate: c", "authorities: u", "authorities: [v, u]", "server_name: x.example", "verify: false", "min_version: '1.3'"};
    char after[600];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        snprintf(after, sizeof after, "listeners: {w: {url: https://127.0.0.1:1, tls: {%s}}}\n" NAMES, listeners[i]);
        diff_is("listeners: {w: {url: https://127.0.0.1:1, tls: {certificates: c}}}\n" NAMES, after, "~ listeners.w\n");
    }
    for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
        snprintf(after, sizeof after, "systems: {a: {endpoints: {x: {url: https://127.0.0.1:1, tls: {%s}}}}}\n" NAMES, endpoints[i]);
        diff_is("systems: {a: {endpoints: {x: https://127.0.0.1:1}}}\n" NAMES, after, "~ systems.a.endpoints.x\n");
        diff_is(after, after, "");
    }
}

/* -- memory -- */

static void each_failed_allocation_is_survived(void **state) {
    int64_t live = memory_live();
    (void)state;
    for (int64_t n = 0; n < 2000; n++) {
        struct fixture fixture;
        struct config_diff diff;
        struct arena arena;
        memory_fail_after(-1);
        fixture_init(&fixture, environments);
        fixture.options.environment = SLICE_OF("production");
        arena_init(&arena, 1 << 20);
        memory_fail_after(n);
        load(&fixture);
        if (fixture.status == STATUS_OK)
            (void)!config_diff(fixture.config, fixture.config, &arena, &diff);
        bool failed = memory_has_failed();
        memory_fail_after(-1);
        assert_true(failed || fixture.status == STATUS_OK);
        arena_done(&arena);
        fixture_done(&fixture);
        assert_int_equal(memory_live(), live);
        if (!failed)
            return;
    }
    fail_msg("still failing after 2000 allocations");
}

/* Files that need more than one block of memory, in both languages. */
static void a_large_file_survives_failed_allocations(void **state) {
    static char text[1 << 17], words[1001];
    (void)state;
    memset(words, 'w', sizeof words - 1);
    for (int json = 0; json < 2; json++) {
        const char *path = json ? "large.json" : "large.yaml";
        size_t used = (size_t)snprintf(text, sizeof text, json ? "{\"zone\":[" : "zone: [");
        for (unsigned i = 0; i < 100; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%s%s\"", i ? "," : "", i % 2 ? "\\n" : "", words);
        (void)snprintf(text + used, sizeof text - used, json ? "]}" : "]\n");
        for (int64_t n = 0; n < 40; n++) {
            const struct text_file files[] = {{path, text, false}, {0}};
            struct text_source source;
            struct config_report report;
            struct config *config = NULL;
            struct config_options options = {.source = text_source_init(&source, files, NULL)};
            int64_t live = memory_live();
            config_report_init(&report);
            memory_fail_after(n);
            enum status status = config_load(&options, slice_from(path), &config, &report);
            bool failed = memory_has_failed();
            memory_fail_after(-1);
            assert_true(failed ? status != STATUS_OK : status == STATUS_BAD_CONFIG); /* `zone` is not supported yet */
            config_free(config);
            config_report_done(&report);
            assert_int_equal(memory_live(), live);
        }
    }
}

static struct text_file schema_files[] = {
    {"intertie.yaml",
     "listeners: {in: intertie://127.0.0.1:7460}\nsystems: {a: {accept: true}}\n"
     "middleware: {c: [{validate: {schema: s/x.json}}, {filter: type = 'x'}]}\n"
     "routes: {r: {match: {}, to: a, middleware: [c, {transform: {set: {'data:/a': 2, subject: '{id}'}, remove: [time]}}, c]}}\n",
     false},
    {"s/x.json", NULL, false},
    {NULL, NULL, false}};

/* What is wrong with it, or how it is printed. */
static enum status load_schema(const char *schema, char *words, size_t size) {
    struct text_source source;
    struct config_options options = {.source = text_source_init(&source, schema_files, NULL)};
    struct config_report report;
    struct config *config = NULL;
    struct buffer out;
    schema_files[1].text = schema ? schema : "";
    schema_files[1].path = schema ? "s/x.json" : "elsewhere";
    config_report_init(&report);
    buffer_init(&out, 64u << 10);
    enum status status = config_load(&options, SLICE_OF("intertie.yaml"), &config, &report);
    config_report_text(&report, &out);
    struct slice text = status == STATUS_OK ? config->text : buffer_slice(&out);
    (void)snprintf(words, size, "%.*s", SLICE_ARG(text));
    if (status == STATUS_OK) {
        assert_int_equal(config->routes[0].stage_count, 5);
        assert_true(slice_is(config->routes[0].stages[3].schema, schema) && slice_is(config->routes[0].stages[3].chain, "c"));
        assert_true(slice_is(config->routes[0].stages[0].schema_path, "s/x.json"));
        assert_true(config->routes[0].stages[2].change_count == 3 && config->routes[0].stages[2].chain.size == 0);
        assert_int_equal(report.warning_count, strstr(schema, "format") ? 1 : 0);
        config_free(config);
    }
    buffer_done(&out);
    config_report_done(&report);
    return status;
}

static void schemas_are_read_with_the_configuration(void **state) {
    char words[4096];
    (void)state;
    assert_int_equal(load_schema("{\n \"type\": \"object\"}", words, sizeof words), STATUS_OK);
    assert_non_null(strstr(words, "middleware:\n  c:\n    - validate:\n        schema: s/x.json\n    - filter: \"type = 'x'\"\n"));
    assert_non_null(strstr(words, "    middleware:\n      - c\n      - transform:\n          set:\n            data:/a: 2\n"));
    assert_int_equal(load_schema("{\"format\": \"date\"}", words, sizeof words), STATUS_OK);
    assert_int_equal(load_schema("{\n \"tpe\": \"object\"}", words, sizeof words), STATUS_BAD_CONFIG);
    assert_non_null(strstr(words, "s/x.json:2:2: error: unknown keyword `tpe`; did you mean `type`?"));
    assert_int_equal(load_schema("{\n \"type\": }", words, sizeof words), STATUS_BAD_CONFIG);
    assert_non_null(strstr(words, "s/x.json:2:"));
    assert_int_equal(load_schema(NULL, words, sizeof words), STATUS_BAD_CONFIG);
    assert_non_null(strstr(words, "intertie.yaml:3:"));
    assert_non_null(strstr(words, "can't read `s/x.json`"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_lays_over),
        cmocka_unit_test(without_an_environment_the_base_counts),
        cmocka_unit_test(unknown_environment_names_the_nearest),
        cmocka_unit_test(mistakes_of_an_environment_name_it),
        cmocka_unit_test(an_environment_over_a_wrong_base_is_not_built),
        cmocka_unit_test(sets_lie_over_last),
        cmocka_unit_test(mistakes_of_a_set_show_it),
        cmocka_unit_test(schemas_are_read_with_the_configuration),
        cmocka_unit_test(included_files_come_first_in_name_order),
        cmocka_unit_test(a_name_in_two_files_is_an_error),
        cmocka_unit_test(mistakes_in_an_included_file_are_placed_there),
        cmocka_unit_test(references_are_filled_in),
        cmocka_unit_test(no_files_looks_nothing_up),
        cmocka_unit_test(nearest_policy_wins_key_by_key),
        cmocka_unit_test(defaults_are_those_of_the_rows),
        cmocka_unit_test(identities_and_matches_are_typed),
        cmocka_unit_test(scalars_are_what_the_schema_says),
        cmocka_unit_test(json_is_the_same_schema),
        cmocka_unit_test(anchors_work_and_do_not_multiply),
        cmocka_unit_test(depth_and_size_are_capped),
        cmocka_unit_test(text_shows_fifty_and_the_total),
        cmocka_unit_test(carets_stand_under_the_place),
        cmocka_unit_test(when_is_compiled_with_a_place),
        cmocka_unit_test(what_is_never_used_is_a_warning_or_strictly_an_error),
        cmocka_unit_test(tracing_all_into_nothing_is_a_warning),
        cmocka_unit_test(print_shows_origins),
        cmocka_unit_test(empty_sections_and_files_are_fine),
        cmocka_unit_test(ten_thousand_routes_load),
        cmocka_unit_test(secrets_are_taken_and_never_shown),
        cmocka_unit_test(diff_names_what_changed_and_nothing_else),
        cmocka_unit_test(diff_sees_each_limit_and_time_of_a_listener),
        cmocka_unit_test(diff_sees_tls),
        cmocka_unit_test(each_failed_allocation_is_survived),
        cmocka_unit_test(a_large_file_survives_failed_allocations),
    };
    return cmocka_run_group_tests_name("config/load", tests, NULL, NULL);
}
