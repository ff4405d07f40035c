/* Each kind of mistake with its exact words and place, and the name that was probably meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "source.h"

struct mistake {
    const char *text;
    const char *said; /* `line:column path: message`, one a line, in order */
};

/* What every case may rest on. */
#define SYSTEMS "systems: {desk: {accept: true}, pricing: tcp://127.0.0.1:7101}\n"
#define HASH "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""

static const struct mistake mistakes[] = {
    /* -- text -- */
    {"listeners: [", "2:1 not valid YAML: did not find expected node content"},
    {"a: b: c", "1:5 a `: ` isn't allowed here; is the line indented right, or the value in need of quotes?"},
    {"name:\n\tx: y", "2:1 this character can't start a value (a tab? YAML indents with spaces)"},
    {"name: a\nname: b", "2:1 `name` stands here twice; the first is on line 1"},
    {"name: !str a", "1:7 tags (`!...`) aren't used here: the schema knows the type"},
    {"log: !!map {}", "1:6 tags (`!...`) aren't used here: the schema knows the type"},
    {"include: !x [a]", "1:10 tags (`!...`) aren't used here: the schema knows the type"},
    {"policies:\n  a: &a {ttl: 1s}\n  b: {<<: *a}", "3:7 merge keys (`<<`) aren't supported; share settings with `policies`"},
    {"name: *x", "1:7 no anchor of this name above; anchors work inside one file only"},
    {"a: &x [*x]", "1:8 this alias stands inside its own anchor"},
    {"name: a\n---\nname: b", "2:1 a second document; one file holds one (`---` only at its top)"},
    {"--- @", "1:5 this character can't start a value (a tab? YAML indents with spaces)"},
    {"- a", "1:1 a configuration is a map of `key: value`"},
    {"? [a]\n: b", "1:3 a key is plain text here, without alias, anchor or tag"},
    {"name: \xff", "1:1 the file is not UTF-8 text"},
    {"%YAML 2.0\n---\nname: a", "1:1 not valid YAML: found incompatible YAML document"},
    /* -- rates -- */
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', rate: {burst: 5}}}", "1:43 listeners.w.rate: `messages` or `bytes` is missing"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', rate: {messages: 0/s}}}",
     "1:60 listeners.w.rate.messages: `0/s` lets next to nothing pass; 4/h is the least"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', rate: {messages: 3/h}}}",
     "1:60 listeners.w.rate.messages: `3/h` lets next to nothing pass; 4/h is the least"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', rate: {messages: 9000001/s}}}",
     "1:60 listeners.w.rate.messages: `9000001/s` is above the most, 9000000/s"},
    {"systems: {a: {rate: {bytes: 0B/s}}}", "1:29 systems.a.rate.bytes: `0B/s` lets nothing pass"},
    {"systems: {a: {rate: {bytes: 9GiB/s}}}", "1:29 systems.a.rate.bytes: `9GiB/s` is above the most, 9GB/s"},
    {"policies: {a: {rate: {messages: 5/s, burst: 9000001}}}", "1:45 policies.a.rate.burst: `9000001` is above the most, 9000000"},
    {"policies: {a: {rate: {messages: 5/s, burst: 0}}}", "1:45 policies.a.rate.burst: `0` is below the least, 1"},
    {"policies: {a: {rate: {messages: 5/s, by: peer}}}",
     "1:42 policies.a.rate.by: no value `peer`; there are identity, system, address, all"},
    {"security: {identities: {a: {rate: {by: address}}}}", "1:29 security.identities.a.rate: `messages` or `bytes` is missing"},
    /* -- lanes -- */
    {"systems: {a: {limits: {lanes: {6: {messages: 1}}}}}",
     "1:32 systems.a.limits.lanes.6: `6` is no priority: 1 to 5, or low, normal, high, critical, emergency"},
    {"systems: {a: {limits: {lanes: {5: {messages: 1}, emergency: {bytes: 2KiB}}}}}",
     "1:50 systems.a.limits.lanes.emergency: this priority stands here twice; the first is on line 1"},
    {"systems: {a: {limits: {lanes: {5: {messages: 0}}}}}",
     "1:46 systems.a.limits.lanes.5.messages: `0` is below the least, 1"},
    {"systems: {a: {limits: {lanes: {5: {bytes: 10B}}}}}",
     "1:43 systems.a.limits.lanes.5.bytes: `10B` is below the least, 1KiB"},
    {"systems: {a: {limits: {lanes: {5: {most: 1}}}}}",
     "1:36 unknown key `most` in systems.a.limits.lanes.5"},
    {"systems: {a: {limits: {lanes: {5: 10}}}}",
     "1:35 systems.a.limits.lanes.5: a map of keys is due here, not a value"},
    /* -- duplicates -- */
    {"policies: {p: {dedupe: {by: [source, idd]}}}", "1:38 policies.p.dedupe.by: nobody declared an attribute `idd`; did you mean `id`? <id>"},
    {"policies: {p: {dedupe: {by: zzzzzzzz}}}", "1:29 policies.p.dedupe.by: nobody declared an attribute `zzzzzzzz`; yours go under `extensions`"},
    {"policies: {p: {dedupe: {by: [deliveryid]}}}", "1:30 policies.p.dedupe.by: only intertie writes `deliveryid`"},
    {"policies: {p: {dedupe: {by: [id, id]}}}", "1:34 policies.p.dedupe.by: `id` stands in this list twice"},
    {"policies: {p: {dedupe: {by: []}}}", "1:29 policies.p.dedupe.by: the list is empty; leave the key out"},
    {"policies: {p: {dedupe: {by: [id, source, type, subject, time, target, sequence, priority, traceparent]}}}",
     "1:29 policies.p.dedupe.by: at most 8 attributes"},
    {"policies: {p: {dedupe: {window: 25h}}}", "1:33 policies.p.dedupe.window: `25h` is above the most, 1d"},
    {"systems: {a: {accept: true, dedupe: {window: 1m}}}", "1:29 systems.a.dedupe: means nothing in a system; it belongs to a route, or to a policy that routes use"},
    /* -- batches -- */
    {"systems: {a: {url: http://h/, batch: {max: 0}}}", "1:44 systems.a.batch.max: `0` is below the least, 1"},
    {"systems: {a: {url: http://h/, batch: {max: 1001}}}", "1:44 systems.a.batch.max: `1001` is above the most, 1000"},
    {"systems: {a: {url: http://h/, batch: {wait: 11s}}}", "1:45 systems.a.batch.wait: `11s` is above the most, 10s"},
    {"systems: {a: {url: http://h/, mode: binary, batch: {max: 2}}}", "1:45 systems.a.batch: means nothing with `mode: binary`"},
    {"systems: {a: {url: tcp://h:1, batch: {max: 2}}}", "1:31 systems.a.batch: means nothing on the wires of this system"},
    {"systems: {a: {url: http://h/, batch: {most: 2}}}", "1:39 unknown key `most` in systems.a.batch"},
    {"systems: {a: {url: http://h/, pool: {pipeline: 0}}}", "1:48 systems.a.pool.pipeline: `0` is below the least, 1"},
    /* -- middleware -- */
    {"routes: {r: {match: {}, to: a, middleware: checked}}\nsystems: {a: tcp://h:1}\nmiddleware: {check: [{filter: 'TRUE'}]}",
     "1:44 routes.r.middleware: no chain `checked`"},
    {"middleware: {c: [{filter: 'TRUE'}, d], d: [{filter: 'TRUE'}]}", "1:36 middleware.c: a chain is made of stages; only a route names chains"},
    {"middleware: {c: [{filtre: 'TRUE'}]}", "1:19 unknown key `filtre` in middleware.c.0; did you mean `filter`? <filter>"},
    {"middleware: {c: []}", "1:17 middleware.c: a list of stages is due here; leave the key out for none"},
    {"middleware: {c: [{filter: 'TRUE', transform: {remove: subject}}]}", "1:18 middleware.c.0: a stage is a map of one key; the list says their order"},
    {"middleware: {c: [{}]}", "1:18 middleware.c.0: a stage is a map of one key; the list says their order"},
    {"middleware: {c: [[{filter: 'TRUE'}]]}", "1:18 middleware.c.0: a stage is a map of one key, or the name of a chain"},
    {"middleware: {c: {filter: 'typ = 1'}}", "1:27 middleware.c.0.filter: nobody declares the attribute `typ`; did you mean `type`?"},
    {"middleware: {c: {validate: {}}}", "1:18 middleware.c.0.validate: asks for nothing: there are `schema` and `require`"},
    {"middleware: {c: {validate: {require: [type, tnant]}}}",
     "1:45 middleware.c.0.validate.require: `tnant` is an attribute that nobody declared; yours go under `extensions`"},
    {"middleware: {c: {validate: {require: 'data:/a text'}}}",
     "1:38 middleware.c.0.validate.require: `text` is no type: string, number, integer, boolean, object, array or null"},
    {"middleware: {c: {log: {show: [subject, 'data:/card']}}}", "1:40 middleware.c.0.log.show: data is never logged"},
    {"middleware: {c: {log: {level: loud}}}", "1:31 middleware.c.0.log.level: no value `loud`; there are debug, info, warn, error"},
    {"middleware: {c: {encrypt: {}}}", "1:18 middleware.c.0.encrypt: not supported yet in 0.1.0"},
    {"middleware: {c: {transform: {}}}", "1:18 middleware.c.0.transform: changes nothing: there are `set`, `remove` and `rename`"},
    {"middleware: {c: {transform: {set: {id: x}}}}",
     "1:36 middleware.c.0.transform.set.id: `id` can't be changed: replies and duplicates are known by it"},
    {"middleware: {c: {transform: {set: {'data:/a': '{nope}'}}}}",
     "1:36 middleware.c.0.transform.set.data:/a: `{nope}`: nobody declared such an attribute; yours go under `extensions`"},
    {"middleware: {c: {transform: {remove: [subject, source]}}}",
     "1:48 middleware.c.0.transform.remove: `source` is required: it can be set, not taken away"},
    {"middleware: {c: {transform: {rename: {subject: colour}}}}",
     "1:39 middleware.c.0.transform.rename.subject: `colour` is an attribute that nobody declared; yours go under `extensions`"},
    {"systems: {a: http://h/}\nroutes: {r: {match: {http: {path: /x}}, proxy: a, middleware: {filter: 'TRUE'}}}",
     "2:51 routes.r.middleware: means nothing with `proxy`: what is streamed is never a message"},
    /* -- credentials: what is wrong with a secret is told without it -- */
    {"security: {credentials: {c: {}}}", "1:26 security.credentials.c: is of no kind: one of header, bearer, basic, webhook and hmac is due"},
    {"security: {credentials: {c: {hmac: {}}}}", "1:30 security.credentials.c.hmac: `secret` is missing"},
    {"security: {credentials: {c: {hmac: {secret: 0123456789abcdef}}}}",
     "1:45 security.credentials.c.hmac.secret: a secret is never written here; use ${file:/path} or ${VAR}"},
    {"security: {credentials: {c: {hmac: {secret: '${KEY15}'}}}}",
     "1:45 security.credentials.c.hmac.secret: what it refers to is shorter than 16 bytes: it could be guessed"},
    {"security: {credentials: {c: {hmac: {secret: ['${KEY16}', '${KEY16}']}}}}",
     "1:58 security.credentials.c.hmac.secret: `${KEY16}` stands in this list twice"},
    {"security: {credentials: {c: {hmac: {secret: ['${KEY16}', '${KEY16}0', '${KEY16}1', '${KEY16}2', '${KEY16}3', '${KEY16}4', '${KEY16}5', '${KEY16}6', '${KEY16}7']}}}}",
     "1:45 security.credentials.c.hmac.secret: has more than 8 secrets"},
    {"security: {credentials: {c: {hmac: {secret: '${NONE}'}}}}", "1:45 security.credentials.c.hmac.secret: `${NONE}`: the variable is not set, and there is no default"},
    {"security: {credentials: {c: {hmac: {secret: '${KEY16}'}, bearer: '${KEY16}'}}}",
     "1:26 security.credentials.c: is of several kinds: one of header, bearer, basic, webhook and hmac is due"},
    {"security: {credentials: {c: {bearer: '${LINES}'}}}",
     "1:38 security.credentials.c.bearer: what it refers to is no bearer token: letters, digits and `-._~+/`, then perhaps `=`"},
    {"security: {credentials: {c: {header: {name: x-key, value: '${LINES}'}}}}",
     "1:59 security.credentials.c.header.value: what it refers to is no value of a header field: one line, without space at its ends"},
    {"security: {credentials: {c: {header: {name: x key, value: '${KEY16}'}}}}", "1:45 security.credentials.c.header.name: `x key` can't name a header field"},
    {"security: {credentials: {c: {header: {name: Host, value: '${KEY16}'}}}}", "1:45 security.credentials.c.header.name: intertie itself writes `Host`"},
    {"security: {credentials: {c: {header: {name: CE-id, value: '${KEY16}'}}}}", "1:45 security.credentials.c.header.name: intertie itself writes `CE-id`"},
    {"security: {credentials: {c: {header: {value: '${KEY16}'}}}}", "1:30 security.credentials.c.header: `name` is missing"},
    {"security: {credentials: {c: {basic: {user: 'a:b', password: '${LINES}'}}}}",
     "1:44 security.credentials.c.basic.user: a user name is one line without `:`\n"
     "1:61 security.credentials.c.basic.password: what it refers to is no password: one line, without space at its ends"},
    {"security: {credentials: {c: {webhook: {secret: '${KEY16}'}}}}",
     "1:48 security.credentials.c.webhook.secret: what it refers to is no webhook secret: `whsec_` and 24 to 64 bytes in base64"},
    {"systems: {a: {url: http://h/, auth: d}}\nsecurity: {credentials: {c: {bearer: '${KEY16}'}}}", "1:37 systems.a.auth: no credential `d`"},
    {"systems: {a: {url: http://h.example/, auth: c}}\nsecurity: {credentials: {c: {bearer: '${KEY16}'}}}",
     "1:45 systems.a.auth: `c` would cross the network to `h.example` in clear text; if that is meant, write `insecure: true`"},
    {"systems: {a: {endpoints: {x: {url: intertie://h.example, auth: c}}}}\nsecurity: {credentials: {c: {bearer: '${KEY16}'}}}",
     "1:64 systems.a.endpoints.x.auth: `c` would cross the network to `h.example` in clear text; if that is meant, write `insecure: true`"},
    {"systems: {a: {url: tcp://h:1, auth: c}}\nsecurity: {credentials: {c: {bearer: '${KEY16}'}}}", "1:37 systems.a.auth: `c` is a bearer, which can't be shown on tcp (line 1)"},
    {"systems: {a: {url: intertie://h, auth: c}}\nsecurity: {credentials: {c: {basic: {user: u, password: '${KEY16}'}}}}",
     "1:40 systems.a.auth: `c` is a basic, which can't be shown on intertie (line 1)"},
    {"systems: {a: {url: ws://127.0.0.1/, auth: c}}\nsecurity: {credentials: {c: {webhook: {secret: '${WHSEC}'}}}}",
     "1:43 systems.a.auth: `c` is a webhook, which can't be shown on ws (line 1)"},
    {"systems: {a: {url: https://h/, mode: batch, auth: c}}\nsecurity: {credentials: {c: {webhook: {secret: '${WHSEC}'}}}}",
     "1:51 systems.a.auth: `c` signs each event with its id; a batch has none"},
    {"systems: {a: {url: https://h/, auth: c}}\nroutes: {r: {match: {http: {path: /**}}, proxy: a}}\nsecurity: {credentials: {c: {webhook: {secret: '${WHSEC}'}}}}",
     "1:38 systems.a.auth: `c` signs whole bodies; a `proxy` route leads here, whose bodies stream by"},
    {"systems: {a: {url: https://h/, auth: c}}\nsecurity: {credentials: {c: {hmac: {secret: '${KEY16}'}}}}",
     "1:38 systems.a.auth: `c` is an hmac, which datagrams are signed with: name it in `envelope`"},
    {"systems: {a: {accept: true, auth: c}}\nsecurity: {credentials: {c: {bearer: '${KEY16}'}}}", "1:29 systems.a.auth: means nothing: this system is never dialled"},
    {"systems: {a: {url: https://h/, format: rest, auth: c, headers: {Authorization: x}}}\nsecurity: {credentials: {c: {bearer: '${KEY16}'}}}",
     "1:52 systems.a.auth: `c` is shown as `authorization`, which `headers` sets too (line 1)"},
    {"systems: {a: {accept: true}, b: {accept: true}}\nsecurity:\n  identities:\n    a: {system: a, certificate: {san: [x.example, y.example]}}\n    b: {system: b, certificate: {san: Y.example}}",
     "5:39 security.identities.b.certificate.san: `Y.example` is a name of the identity `a` (line 4) too; a certificate belongs to one identity"},
    {"security: {credentials: {c: {oauth2: {client_id: x}}}}", "1:30 security.credentials.c.oauth2: not supported yet in 0.1.0"},
    /* -- streams -- */
    {SYSTEMS "routes: {r: {match: {}, proxy: pricing}}",
     "2:25 routes.r.proxy: only a route with `match.http` can stream; messages go `to` a system\n"
     "2:32 routes.r.proxy: `pricing` does not speak HTTP: `tcp://127.0.0.1:7101` (line 1)"},
    {"systems: {w: http://h/}\nroutes: {r: {match: {http: {path: /a}}, proxy: w, trace: all}}",
     "2:51 routes.r.trace: means nothing with `proxy`: what is streamed is no message"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, trace: some}}", "2:42 routes.r.trace: no value `some`; there are sample, all"},
    {"telemetry: {trace_ring: 257MiB}", "1:25 telemetry.trace_ring: `257MiB` is above the most, 256MiB"},
    {"telemetry: {trace_ring: unlimited}", "1:25 telemetry.trace_ring: `unlimited` is no size; write one such as 64KiB"},
    {SYSTEMS "routes: {r: {match: {http: {path: /a}}, proxy: desk}}",
     "2:48 routes.r.proxy: `desk` has no `url` or `endpoints` to stream to"},
    {"systems: {w: 'http://h/?a=1'}\nroutes: {r: {match: {http: {path: /a}}, proxy: w}}",
     "2:48 routes.r.proxy: the URL of `w` has a query, behind which no path can be added"},
    {"systems: {w: http://h/}\nroutes: {r: {match: {http: {path: /a}}, proxy: w, to: w}}",
     "2:41 routes.r.proxy: `to` (line 2) says where already"},
    {"systems: {w: http://h/}\nroutes: {r: {match: {http: {path: /a}}, proxy: v}}", "2:48 routes.r.proxy: no system `v`"},
    {"systems: {w: http://h/}\nroutes: {r: {match: {http: {path: /a}, type: x}, proxy: w}}",
     "2:40 routes.r.match.type: a REST route is found by its request alone: only `listener` and `from` may stand beside `http`"},
    {"systems: {w: {url: http://h/, headers: {x-a: '{id}'}}}\nroutes: {r: {match: {http: {path: /a}}, proxy: w}}",
     "1:46 systems.w.headers.x-a: a `proxy` route leads here: there is no message that `{..}` could be filled from"},
    /* -- keys -- */
    {"sistems: {}", "1:1 unknown key `sistems`; did you mean `systems`? <systems>"},
    {"frobnicate: 1", "1:1 unknown key `frobnicate`"},
    {"systems:\n  a:\n    url: tcp://h:1\n    timeout: {request: 5s}\n",
     "4:5 unknown key `timeout` in systems.a; did you mean `timeouts`? <timeouts>"},
    {"log: {rotate: {sise: 1MiB}}", "1:16 unknown key `sise` in log.rotate; did you mean `size`? <size>"},
    {SYSTEMS "routes: {r: {match: {}, split: {desk: 1, pricng: 1}}}",
     "2:42 routes.r.split.pricng: no system `pricng`; did you mean `pricing` (line 1)? <pricing>"},
    {SYSTEMS "routes: {r: {match: {}, split: {desk: 0, pricing: 0}}}",
     "2:32 routes.r.split: all weights are 0"},
    {SYSTEMS "routes: {r: {match: {}, split: {desk: 10001}}}",
     "2:39 routes.r.split.desk: `10001` is above the most, 10000"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, split: {pricing: 1}}}",
     "2:35 routes.r.split: `to` (line 2) says where already"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, mirror: {to: desk}}}",
     "2:48 routes.r.mirror.to: `to` already names `desk`"},
    {SYSTEMS "routes: {r: {match: {}, to: all, mirror: {to: desk}}}",
     "2:47 routes.r.mirror.to: `to` already names `desk`"},
    {SYSTEMS "routes: {r: {match: {}, split: {desk: 1}, mirror: {to: desk}}}",
     "2:56 routes.r.mirror.to: `split` already names `desk`"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, mirror: {share: 5%}}}",
     "2:35 routes.r.mirror: says nowhere where to: `to` is missing"},
    {"systems: {desk: {accept: true}, s: {}}\nroutes: {r: {match: {}, to: desk, mirror: {to: s}}}",
     "2:48 routes.r.mirror.to: the system `s` (line 1) only sends: it has no `url`, `endpoints` or `accept`"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, fault: {abort: overloaded}}}",
     "2:35 routes.r.fault: makes trouble on purpose, which is refused without `--allow-faults`"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, fault: {share: 5%}}}",
     "2:35 routes.r.fault: makes trouble on purpose, which is refused without `--allow-faults`\n"
     "2:35 routes.r.fault: does nothing: `delay` or `abort` is missing"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, fault: {abort: tired, delay: 61s}}}",
     "2:35 routes.r.fault: makes trouble on purpose, which is refused without `--allow-faults`\n"
     "2:50 routes.r.fault.abort: `tired` is no reason that a message can be refused for, such as `overloaded`\n"
     "2:64 routes.r.fault.delay: `61s` is above the most, 1m"},
    {SYSTEMS "routes: {r: {match: {}, failover: [desk, desk]}}", "2:42 routes.r.failover: `desk` stands in this list twice"},
    {SYSTEMS "routes: {r: {match: {}, failover: []}}", "2:35 routes.r.failover: the list is empty; leave the key out"},
    {SYSTEMS "routes: {r: {match: {}, failover: [desk, pricng]}}",
     "2:42 routes.r.failover: no system `pricng`; did you mean `pricing` (line 1)? <pricing>"},
    {SYSTEMS "routes: {r: {match: {target: desk}, failover: [desk, pricing]}}",
     "2:37 routes.r.failover: the messages of this route name their target: it says how, not where"},
    {"systems: {desk: {accept: true}, s: {}}\nroutes: {r: {match: {}, failover: [desk, s]}}",
     "2:42 routes.r.failover: the system `s` (line 1) only sends: it has no `url`, `endpoints` or `accept`"},
    {"systems: {a: {accept: true, health: {path: /x, no_such: 1}}}",
     "1:29 systems.a.health: means nothing without `url` or `endpoints`: sessions show themselves that they are there\n"
     "1:48 unknown key `no_such` in systems.a.health"},
    {"storage: {driver: memory}", "1:11 storage.driver: not supported yet in 0.1.0"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, limits: {in_flight: 3}}}",
     "2:35 routes.r.limits: means nothing in a route; it belongs to a system, or to a policy that systems use"},
    {SYSTEMS "routes: {r: {match: {}, to: desk, timeouts: {connect: 3s}}}",
     "2:46 routes.r.timeouts.connect: means nothing in a route; it belongs to a system, or to a policy that systems use"},
    {"systems: {a: {accept: true, ttl: 3s}}", "1:29 systems.a.ttl: means nothing in a system; it belongs to a route, or to a policy that routes use"},
    {SYSTEMS "policies: {p: {ttl: 1s}}\nroutes: {r: {match: {type: x}, to: desk}}\nlisteners: {w: {system: desk}}", "4:13 listeners.w: `url` is missing"},
    /* -- attempts -- */
    {SYSTEMS "routes: {r: {match: {type: x}, to: desk, dead_letter: dask}}", "2:55 routes.r.dead_letter: no system `dask`; did you mean `desk` (line 1)? <desk>"},
    {"systems: {a: {accept: true, dead_letter: false}}", "1:29 systems.a.dead_letter: means nothing in a system; it belongs to a route, or to a policy that routes use"},
    {"storage: {dead_letters: {keep: 10ms}}", "1:32 storage.dead_letters.keep: `10ms` is below the least, 1s"},
    {"systems: {a: {accept: true, redeliver: {attempts: 0}}}", "1:51 systems.a.redeliver.attempts: `0` is below the least, 1"},
    {"systems: {a: {discover: {dns: a.example}}}", "1:15 systems.a.discover: says nowhere what its endpoints speak: `url` is missing"},
    {"systems: {a: {discover: {url: 'http://{host}:{port}/'}}}", "1:15 systems.a.discover: says nowhere what to ask for: `dns` is missing"},
    {"systems: {a: {discover: {dns: 'a..b', url: 'http://{host}:{port}/'}}}", "1:31 systems.a.discover.dns: `a..b` is no name in DNS"},
    {"systems: {a: {discover: {dns: a.b, url: 'http://{host}:80/'}}}",
     "1:41 systems.a.discover.url: srv records say the port: `{port}` must stand in it once, as in http://{host}:{port}/"},
    {"systems: {a: {discover: {dns: a.b, type: a, url: 'http://{host}:{port}/'}}}",
     "1:50 systems.a.discover.url: `{port}` comes with srv records only; write the port"},
    {"systems: {a: {discover: {dns: a.b, url: 'http://{host}:{port}/{x}'}}}",
     "1:41 systems.a.discover.url: only `{host}` and `{port}` may stand in braces"},
    {"systems: {a: {discover: {dns: a.b, url: 'http://x:{port}/{host}'}}}", "1:41 systems.a.discover.url: `{host}` must be its host"},
    {"systems: {a: {discover: {dns: a.b, url: 'http://x:{port}/'}}}",
     "1:41 systems.a.discover.url: `{host}` must stand in it once, or all would be the same endpoint"},
    {"systems: {a: {discover: {dns: a.b, url: 'htp://{host}:{port}/'}}}",
     "1:41 systems.a.discover.url: no scheme `htp`; did you mean `http`? <http>"},
    {"systems: {a: {register: {}}}", "1:15 systems.a.register: says nowhere how long they stay: `lease` is missing"},
    {"systems: {a: {register: {lease: 1ms}}}", "1:33 systems.a.register.lease: `1ms` is below the least, 1s"},
    {"systems: {a: {accept: true, retry: {attempts: 251}}}", "1:47 systems.a.retry.attempts: `251` is above the most, 250"},
    {"systems: {a: {accept: true, retry: {outcomes: [reset, lost]}}}",
     "1:55 systems.a.retry.outcomes: no value `lost`; there are unreachable, reset, timeout, overloaded, failed"},
    {"systems: {a: {accept: true, retry: {backoff: 5s}}}", "1:46 systems.a.retry.backoff: `5s` is no range; write one such as 500ms..60s"},
    {"systems: {a: {accept: true, retry: {backoff: 5s..1s}}}", "1:46 systems.a.retry.backoff: `5s..1s`: the first is above the second"},
    {"systems: {a: {accept: true, retry: {backoff: 1us..1s}}}", "1:46 systems.a.retry.backoff: `1us..1s`: not below 1ms"},
    {"systems: {a: {accept: true, retry: {backoff: webhook}}}", "1:46 systems.a.retry.backoff: `webhook` is no range; write one such as 500ms..60s"},
    {"systems: {a: {accept: true, redeliver: {backoff: {base: 5s, max: 1s}}}}", "1:57 systems.a.redeliver.backoff.base: `5s` is above `max`, 1s"},
    {"systems: {a: {accept: true, retry: {budget: {share: 101%}}}}",
     "1:53 systems.a.retry.budget.share: `101%` is no share; write one from 0% to 100%, such as 20%"},
    {"systems: {a: {accept: true, retry: {hedge: {after: 100us}}}}", "1:52 systems.a.retry.hedge.after: `100us` is below the least, 1ms"},
    /* -- names -- */
    {"systems: {Billing: {accept: true}}", "1:11 systems.Billing: `Billing` is no name: lower-case letters, digits, `-` and `_`, a letter or digit first"},
    {"systems: {all: {accept: true}}", "1:11 systems.all: `all` is reserved: it means every system"},
    {"systems: {a.b: {accept: true}}", "1:11 systems.a.b: `a.b` is no name: lower-case letters, digits, `-` and `_`, a letter or digit first"},
    {"systems: {a234567890123456789012345678901234567890123456789012345678901234: {accept: true}}",
     "1:11 systems.a234567890123456789012345678901234567890123456789012345678901234: "
     "`a234567890123456789012345678901234567890123456789012345678901234...` is longer than 63 characters"},
    {"name: No Name", "1:7 name: `No Name` is no name: lower-case letters, digits, `-` and `_`, a letter or digit first"},
    {SYSTEMS "routes:\n  prices: {match: {}, to: pricng}", "3:27 routes.prices.to: no system `pricng`; did you mean `pricing` (line 1)? <pricing>"},
    {SYSTEMS "routes: {p: {match: {}, to: warehouse}}", "2:29 routes.p.to: no system `warehouse`"},
    {SYSTEMS "routes: {p: {match: {from: dsk}, to: desk}}", "2:28 routes.p.match.from: no system `dsk`; did you mean `desk` (line 1)? <desk>"},
    {SYSTEMS "routes: {p: {match: {listener: web}, to: desk}}", "2:32 routes.p.match.listener: no listener `web`"},
    {SYSTEMS "routes: {p: {match: {target: dask}}}", "2:30 routes.p.match.target: no system `dask`; did you mean `desk` (line 1)? <desk>"},
    {"systems: {a: {accept: true, policy: fast}}\npolicies: {fats: {}}", "1:37 systems.a.policy: no policy `fast`; did you mean `fats` (line 2)? <fats>"},
    {SYSTEMS "listeners: {u: {url: 'udp://127.0.0.1:5', system: disk}}", "2:51 listeners.u.system: no system `disk`; did you mean `desk` (line 1)? <desk>"},
    {"log: {levels: {protocl: debug}}", "1:16 log.levels.protocl: no room `protocl`; did you mean `protocol`? <protocol>"},
    {"extensions: {Tenant: string}", "1:14 extensions.Tenant: `Tenant` can't name an attribute: lower-case letters and digits, and not `data` or `specversion`"},
    {"extensions: {priority: integer}", "1:14 extensions.priority: `priority` is known already, with a type"},
    {SYSTEMS "routes: {p: {match: {tenant: a}, to: desk}}", "2:22 routes.p.match.tenant: nobody declared an attribute `tenant`; yours go under `extensions`"},
    {SYSTEMS "routes: {p: {match: {subjet: a}, to: desk}}",
     "2:22 routes.p.match.subjet: nobody declared an attribute `subjet`; did you mean `subject`? <subject>"},
    /* -- kinds of values -- */
    {"systems: {a: }", "1:11 systems.a: has no value; write {} for an empty map, or leave it out"},
    {"log: {level: ~}", "1:7 log.level: has no value; leave it out"},
    {"log: info", "1:6 log: a map of keys is due here, not a value"},
    {"drain: [1s]", "1:8 drain: a map of keys is due here, not a list"},
    {"name: {a: b}", "1:7 name: a value is due here, not a map"},
    {"name: [a]", "1:7 name: one value is due here, not a list"},
    {"systems: {a: {accept: yes}}", "1:23 systems.a.accept: write true, false, or a map of its keys"},
    {SYSTEMS "routes: {p: {match: {type: []}, to: desk}}", "2:28 routes.p.match.type: the list is empty; leave the key out"},
    {SYSTEMS "routes: {p: {match: {type: [{a: b}]}, to: desk}}", "2:29 routes.p.match.type: a list of values is due here, not of maps"},
    {SYSTEMS "routes: {p: {match: {}, to: [desk, desk]}}", "2:36 routes.p.to: `desk` stands in this list twice"},
    {SYSTEMS "routes: {p: {match: {}, to: [desk, all]}}", "2:36 routes.p.to: `all` stands alone, not in a list"},
    /* -- units -- */
    {"drain: {grace: 30}", "1:16 drain.grace: `30` has no unit; write 30s"},
    {"drain: {grace: 1.5s}", "1:16 drain.grace: `1.5s`: whole numbers only; take a smaller unit (us, ms, s, m, h, d)"},
    {"drain: {grace: 3 weeks}", "1:16 drain.grace: `3 weeks`: no unit ` weeks` for a duration; there are us, ms, s, m, h, d"},
    {"drain: {grace: 30 S}", "1:16 drain.grace: `30 S`: write 30s"},
    {"drain: {grace: soon}", "1:16 drain.grace: `soon` is no duration; write one such as 5s"},
    {"drain: {grace: ''}", "1:16 drain.grace: is empty; write a duration such as 5s"},
    {"drain: {grace: unlimited}", "1:16 drain.grace: `unlimited` is no duration; write one such as 5s"},
    {"drain: {grace: 2d}", "1:16 drain.grace: `2d` is above the most, 1d"},
    {"drain: {grace: 99999999999999999999s}", "1:16 drain.grace: `99999999999999999999s` is too big"},
    {"limits: {message: 1048576}", "1:19 limits.message: `1048576` has no unit; write 1048576B"},
    {"limits: {message: 1mib}", "1:19 limits.message: `1mib`: write 1MiB"},
    {"limits: {message: 10B}", "1:19 limits.message: `10B` is below the least, 1KiB"},
    {"workers: 0", "1:10 workers: `0` is below the least, 1"},
    {"workers: 4s", "1:10 workers: `4s`: a count has no unit; write 4"},
    {"workers: -1", "1:10 workers: `-1` is below 0"},
    {"workers: ''", "1:10 workers: is empty; write a number"},
    {"workers: many", "1:10 workers: `many` is no number"},
    {SYSTEMS "routes: {p: {match: {}, to: desk, order: first}}", "2:42 routes.p.order: `first` is no whole number"},
    {SYSTEMS "routes: {p: {match: {}, to: desk, enabled: yes}}", "2:44 routes.p.enabled: `yes`: write true <true>"},
    {SYSTEMS "routes: {p: {match: {}, to: desk, enabled: maybe}}", "2:44 routes.p.enabled: `maybe` is neither true nor false"},
    {"log: {level: wran}", "1:14 log.level: no value `wran`; did you mean `warn`? <warn>"},
    {"log: {level: warning}", "1:14 log.level: no value `warning`; there are debug, info, warn, error"},
    {"log: {format: xml}", "1:15 log.format: no value `xml`; there are auto, json, text"},
    {"systems: {a: {accept: true, health: true}}",
     "1:29 systems.a.health: means nothing without `url` or `endpoints`: sessions show themselves that they are there"},
    {"systems: {a: {url: http://h/, health: yes}}", "1:39 systems.a.health: write true, false, or a map of its keys"},
    {"systems: {a: {url: http://h/, health: {type: ping}}}", "1:46 systems.a.health.type: no value `ping`; there are http, websocket, tcp, stream, udp"},
    {"systems: {a: {url: http://h/, health: {type: udp}}}", "1:46 systems.a.health.type: `udp` is no way to ask every endpoint of this system"},
    {"systems: {a: {endpoints: {x: tcp://h:1, y: http://h/}, health: {type: http}}}",
     "1:71 systems.a.health.type: `http` is no way to ask every endpoint of this system"},
    {"systems: {a: {url: http://h/, health: {path: healthz}}}",
     "1:46 systems.a.health.path: a path begins with `/` and has no spaces, fragment or control characters"},
    {"systems: {a: {url: http://h/, health: {send: x}}}", "1:40 systems.a.health.send: means nothing here: only tcp and udp probes send bytes"},
    {"systems: {a: {url: http://h/, health: {expect: x}}}", "1:40 systems.a.health.expect: is a map for http probes: `{status: 200}`"},
    {"systems: {a: {url: http://h/, health: {expect: {}}}}", "1:48 systems.a.health.expect: expects nothing; leave it out"},
    {"systems: {a: {url: http://h/, health: {expect: {status: 2x}}}}",
     "1:57 systems.a.health.expect.status: `2x` is no status; write 204, 2xx or 200..204"},
    {"systems: {a: {url: http://h/, health: {expect: {status: 299..200}}}}",
     "1:57 systems.a.health.expect.status: `299..200` is no status; write 204, 2xx or 200..204"},
    {"systems: {a: {url: tcp://h:1, health: {path: /}}}", "1:40 systems.a.health.path: means nothing here: only HTTP and WebSocket have paths"},
    {"systems: {a: {url: tcp://h:1, health: {expect: {status: 200}}}}",
     "1:40 systems.a.health.expect: `status` and `body` are for http probes; here it is how the answer begins"},
    {"systems: {a: {url: tcp://h:1, health: {send: x}}}", "1:46 systems.a.health.send: without `expect` nobody looks at the answer"},
    {"systems: {a: {url: udp://h:1, health: {send: x}}}",
     "1:31 systems.a.health: a datagram must be answered to say anything: `send` and `expect` are due"},
    {"policies: {default: {health: true}}\nsystems: {a: {url: 'udp://h:1'}}",
     "2:11 systems.a.health: a datagram must be answered to say anything: `send` and `expect` are due"},
    {"systems: {a: {url: tcp://h:1, health: {expect: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}}", "1:48 systems.a.health.expect: has more than 256 bytes"},
    {"systems: {a: {url: http://h/, health: {fall: 0}}}", "1:46 systems.a.health.fall: `0` is below the least, 1"},
    {"systems: {a: {url: http://h/, health: {interval: 10ms}}}", "1:50 systems.a.health.interval: `10ms` is below the least, 100ms"},
    {"systems: {a: {url: 'http://h:1', webhook: {rate: 5/m}}}", "1:44 systems.a.webhook.rate: means something with `handshake: true` only"},
    {"systems: {a: {url: 'http://h:1', webhook: {handshake: true, rate: 5}}}", "1:67 systems.a.webhook.rate: `5` is no rate; write one such as 200/s"},
    {"systems: {a: {url: 'http://h:1', format: rest, webhook: {handshake: true}}}",
     "1:58 systems.a.webhook.handshake: asks for one address; `format: rest` (line 1) sends to many"},
    {"systems: {a: {url: 'http://h:1', webhook: {handshake: true}}}\nroutes: {r: {match: {http: {path: /x/**}}, proxy: a}}",
     "1:44 systems.a.webhook.handshake: is for events; a `proxy` route leads here, whose requests aren't asked for"},
    {"systems: {a: {url: 'tcp://h:1', webhook: {handshake: true}}}", "1:33 systems.a.webhook: means nothing on the wires of this system"},
    {"systems: {a: {accept: true, balance: {by: hash}}}", "1:29 systems.a.balance: `hash` needs a `key`: an attribute, or CESQL"},
    {"systems: {a: {accept: true, balance: {sticky: 5m}}}", "1:29 systems.a.balance: `sticky` needs a `key`: an attribute, or CESQL"},
    {"systems: {a: {accept: true, balance: {key: subject}}}",
     "1:44 systems.a.balance: `key` means something with `by: hash` or `sticky` only"},
    {"systems: {a: {accept: true, balance: {by: ewna}}}", "1:43 systems.a.balance.by: no value `ewna`; did you mean `ewma`? <ewma>"},
    {"systems: {a: {accept: true, outlier: yes}}", "1:38 systems.a.outlier: write true, false, or a map of its keys"},
    {"systems: {a: {accept: true, breaker: {probes: 0}}}", "1:47 systems.a.breaker.probes: `0` is below the least, 1"},
    {"systems: {a: {endpoints: {x: {url: http://h/, weight: 1001}}}}",
     "1:55 systems.a.endpoints.x.weight: `1001` is above the most, 1000"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', max_priority: 6}}", "1:57 listeners.w.max_priority: `6` is no priority: 1 to 5, or low, normal, high, critical, emergency"},
    {"listeners: {w: {url: 'udp://127.0.0.1:1', allow: 10.0.0.1/8}}",
     "1:50 listeners.w.allow: `10.0.0.1/8`: the bits behind the prefix must be 0, and the prefix no longer than the address"},
    {"listeners: {w: {url: 'udp://127.0.0.1:1', allow: lan}}", "1:50 listeners.w.allow: `lan` is no address range such as 10.0.0.0/24"},
    /* -- URLs -- */
    {"listeners: {w: 127.0.0.1:80}", "1:16 listeners.w.url: `127.0.0.1:80` has no scheme; write one such as tcp://127.0.0.1:7101"},
    {"systems: {w: billing}", "1:14 systems.w.url: `billing` is no URL; write one such as tcp://127.0.0.1:7101"},
    {"listeners: {w: htp://h:1}", "1:16 listeners.w.url: no scheme `htp`; did you mean `http`? <http>"},
    {"listeners: {w: gopher://h:1}", "1:16 listeners.w.url: no scheme `gopher` here"},
    {"systems: {w: grpcs://h}", "1:14 systems.w.url: `grpcs` is not supported yet in 0.1.0"},
    {"systems: {w: kafka://h:9092}", "1:14 systems.w.url: `kafka` is not supported yet in 0.1.0"},
    {"systems: {w: tcp://h}", "1:14 systems.w.url: `tcp://h` needs a port"},
    {"systems: {w: tcp://h:0}", "1:14 systems.w.url: port 0 means any free one, which nobody can dial"},
    {"systems: {w: tcp://h:70000}", "1:14 systems.w.url: `70000` is no port (1 to 65535)"},
    {"systems: {w: http://u:p@h/}", "1:14 systems.w.url: user and password don't belong into a URL; use `auth`"},
    {"systems: {w: 'http://h/#a'}", "1:14 systems.w.url: a fragment (`#...`) means nothing here"},
    {"systems: {w: 'tcp://h:1?x'}", "1:14 systems.w.url: a query (`?...`) means nothing here"},
    {"systems: {w: tcp://h:1/path}", "1:14 systems.w.url: `tcp` has no path"},
    {"systems: {w: tcp://::1:7}", "1:14 systems.w.url: `tcp://::1:7`: an IPv6 address stands in brackets, as in tcp://[::1]:7101"},
    {"systems: {w: 'tcp://[::g]:7'}", "1:14 systems.w.url: `::g` is no IPv6 address"},
    {"systems: {w: tcp://10.0.0.256:7}", "1:14 systems.w.url: `10.0.0.256` is no IPv4 address (0 to 255, four times, no leading zeros)"},
    {"systems: {w: tcp://ho$$st:7}", "1:14 systems.w.url: `ho$st` is no host"},
    {"systems: {w: 'tcp://:7'}", "1:14 systems.w.url: `tcp://:7` has no host"},
    {"systems: {w: http://h/a b}", "1:14 systems.w.url: the path must be percent-encoded: character 3 of it may not stand there"},
    {"listeners: {w: http://127.0.0.1:1/api}", "1:16 listeners.w.url: an http listener serves every path; leave `/api` out"},
    {"systems: {w: 'tcp://[::1:7'}", "1:14 systems.w.url: `tcp://[::1:7`: the `[` of an IPv6 address isn't closed"},
    {"systems: {w: 'tcp://[::1]7'}", "1:14 systems.w.url: `tcp://[::1]7`: after `]` comes `:PORT`"},
    {"systems: {w: 'http://h?x'}", "1:14 systems.w.url: write `/` before the `?`"},
    {"systems: {w: {url: ''}}", "1:20 systems.w.url: is empty; write a URL such as tcp://127.0.0.1:7101"},
    {"public_url: ftp://h", "1:13 public_url: no scheme `ftp` here"},
    /* -- references from outside -- */
    {"name: ${NOT_SET}", "1:7 name: `${NOT_SET}`: the variable is not set, and there is no default"},
    {"name: a$b", "1:7 name: `$b`: write `$$` for a dollar"},
    {"name: ${NAME", "1:7 name: `${NAME`: the `}` is missing"},
    {"name: ${NA-ME}", "1:7 name: `${NA-ME}`: write ${VAR}, ${VAR:-default} or ${file:/path}, and `$$` for a dollar"},
    {"name: ${file:x}", "1:7 name: `${file:x}`: the path of a file begins with `/`"},
    {"name: ${file:/odd}", "1:7 name: `/odd` is no UTF-8 text"},
    {"name: ${ODD}", "1:7 name: `${ODD}`: the variable holds no UTF-8 text"},
    {"name: ${file:/no/such}", "1:7 name: can't read `/no/such`: No such file or directory"},
    {"drain: {grace: '${BARE}'}", "1:16 drain.grace: `30` has no unit; write 30s"},
    {"include: nothing.yaml", "1:10 include: there is no file `nothing.yaml`"},
    {"include: [{a: b}]", "1:11 include: a list of file names is due here"},
    {"include: main.yaml", "1:10 include: read already: `main.yaml`"},
    /* -- systems and routes -- */
    {"systems: {a: {url: 'tcp://h:1', endpoints: {b: tcp://h:2}}}",
     "1:33 systems.a.endpoints: `url` and `endpoints` exclude each other; `url` is one endpoint named `main`"},
    {"systems: {a: {endpoints: {}}}", "1:26 systems.a.endpoints: names none; leave it out for a system that only sends"},
    {SYSTEMS "routes: {p: {match: {}}}", "2:10 routes.p: says nowhere where to: `to` is missing"},
    {SYSTEMS "routes: {p: {to: desk}}", "2:10 routes.p: `match` is missing"},
    {SYSTEMS "routes: {p: {match: {target: desk}, to: desk}}", "2:37 routes.p.to: the messages of this route name their target: it says how, not where"},
    {SYSTEMS "routes: {p: {match: {}, to: desk, except: desk}}", "2:35 routes.p.except: means something with `to: all` only"},
    {SYSTEMS "routes: {p: {match: {messagetype: query}, to: [desk, pricing]}}", "2:47 routes.p.to: a query goes to one system, this names several"},
    {SYSTEMS "routes: {p: {match: {messagetype: [query, command]}, to: all}}", "2:58 routes.p.to: a query goes to one system, this names all"},
    {SYSTEMS "routes: {p: {match: {messagetype: querry}, to: desk}}", "2:35 routes.p.match.messagetype: no value `querry`; did you mean `query`? <query>"},
    {"systems: {a: {}}\nroutes: {p: {match: {}, to: a}}", "2:29 routes.p.to: the system `a` (line 1) only sends: it has no `url`, `endpoints` or `accept`"},
    {"systems: {a: {accept: false}}\nroutes: {p: {match: {}, to: a}}", "2:29 routes.p.to: the system `a` (line 1) only sends: it has no `url`, `endpoints` or `accept`"},
    {SYSTEMS "routes: {p: {match: {priority: 7}, to: desk}}", "2:32 routes.p.match.priority: `7` is no priority: 1 to 5 or its name, or a range such as 4..5"},
    {SYSTEMS "routes: {p: {match: {priority: 5..4}, to: desk}}", "2:32 routes.p.match.priority: `5..4` is empty: the lower end comes first"},
    {SYSTEMS "routes: {p: {match: {type: ''}, to: desk}}", "2:28 routes.p.match.type: is empty; attributes never are"},
    {SYSTEMS "routes: {p: {match: {type: a*b}, to: desk}}", "2:28 routes.p.match.type: `a*b`: `*` may only end a pattern; for more there is `when`"},
    {SYSTEMS "routes: {p: {match: {}, to: desk, ttl: 5m, ttl_max: 1m}}", "2:40 routes.p.ttl: `5m` is above `ttl_max`, 1m"},
    {SYSTEMS "policies: {p: {limits: {in_flight: 5}}}\nroutes: {r: {match: {}, to: desk, policy: p}}",
     "3:43 routes.r.policy: the policy `p` sets `limits.in_flight` (line 2), which means nothing in a route"},
    {"policies: {p: {ttl: 5s}}\nsystems: {a: {accept: true, policy: p}}",
     "2:37 systems.a.policy: the policy `p` sets `ttl` (line 1), which means nothing in a system"},
    /* -- listeners -- */
    {"listeners: {w: http://0.0.0.0:8080}", "1:16 listeners.w.url: `0.0.0.0` is no loopback address: it needs `auth`, or `system` with `allow`, or the plain word `anonymous: true`"},
    {"listeners: {w: udp://0.0.0.0:5000}", "1:16 listeners.w.url: `0.0.0.0` is no loopback address: it needs `system` with `allow`, or the plain word `anonymous: true`"},
    {"listeners: {w: {url: 'http://0.0.0.0:1', auth: key}}", "1:48 listeners.w.auth: keys would cross the network in clear text; if that is meant, write `insecure: true`"},
    {"listeners: {w: {url: 'udp://127.0.0.1:1', auth: key}}", "1:43 listeners.w.auth: means nothing on udp"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', limits: {fields: 10}}}", "1:52 listeners.w.limits.fields: means nothing on tcp"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', format: raw}}",
     "1:51 listeners.w.format: `raw` needs `frame`, which says where a unit ends; for lines: `frame: line`"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', format: raw, frame: auto}}",
     "1:51 listeners.w.format: `raw` needs another `frame` than `auto`, which knows events alone; for lines: `frame: line`"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', format: auto}}",
     "1:51 listeners.w.format: `auto` is not supported yet on this kind of listener in 0.1.0"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', defaults: {type: x}}}",
     "1:43 listeners.w.defaults: means nothing with `format: cloudevents`: nothing is wrapped"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {fixed: 8}}}",
     "1:43 listeners.w.frame: `fixed` needs `format: raw`: events have no fixed size, and say themselves where they end"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {idle: 20ms}}}",
     "1:43 listeners.w.frame: `idle` needs `format: raw`: events have no fixed size, and say themselves where they end"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {fixed: 8, idle: 1ms}, format: raw}}",
     "1:43 listeners.w.frame: is one of `fixed`, `idle` and `until`, not several of them"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {}, format: raw}}",
     "1:43 listeners.w.frame: is one of `fixed`, `idle` and `until`, not none of them"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {until: hex 1c0}}}",
     "1:58 listeners.w.frame.until: `hex` is followed by 1 to 64 pairs of hexadecimal digits: hex 1c0d"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {until: hex zz}}}",
     "1:58 listeners.w.frame.until: `hex` is followed by 1 to 64 pairs of hexadecimal digits: hex 1c0d"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {until: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}}}",
     "1:58 listeners.w.frame.until: has 65 bytes; 64 are the most"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {fixed: 65}, format: raw, limits: {message: 64B}}}",
     "1:58 listeners.w.frame.fixed: units of 65 bytes are above `limits.message`"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: {idle: 20}, format: raw}}",
     "1:57 listeners.w.frame.idle: `20` has no unit; write 20s"},
    {"listeners: {w: {url: 'tcp://127.0.0.1:1', frame: line, format: raw, auth: key}}",
     "1:75 listeners.w.auth: data alone has no place for a key; use `system` with `allow`"},
    {"listeners: {w: {url: 'http://127.0.0.1:1', frame: line}}",
     "1:44 listeners.w.frame: means nothing on http"},
    {"listeners: {w: {url: 'intertie://127.0.0.1:1', format: raw}}",
     "1:56 listeners.w.format: `raw` means nothing on intertie: stream v1 carries events; use tcp"},
    {"systems: {w: {url: 'tcp://127.0.0.1:1', reply: fifo}}",
     "1:48 systems.w.reply: `fifo` needs `format: raw`: an event says itself what it answers"},
    {"systems: {w: {url: 'tcp://127.0.0.1:1', frame: {idle: 5ms}}}",
     "1:41 systems.w.frame: `idle` needs `format: raw`: events have no fixed size, and say themselves where they end"},
    {"systems: {w: {url: 'tcp://127.0.0.1:1', encoding: protobuf}}",
     "1:51 systems.w.encoding: `line` can't hold protobuf, which may contain what ends a unit; a frame with a length can: `frame: len32be`"},
    {"systems: {w: {url: 'tcp://127.0.0.1:1', frame: mllp, encoding: protobuf}}",
     "1:64 systems.w.encoding: `mllp` can't hold protobuf, which may contain what ends a unit; a frame with a length can: `frame: len32be`"},
    {"systems: {w: {url: 'tcp://127.0.0.1:1', greet: {within: 1s}}}",
     "1:41 systems.w.greet: `within` means nothing without `expect`"},
    {"systems: {w: {url: 'tcp://127.0.0.1:1', pool: {pipeline: 2}}}",
     "1:48 systems.w.pool.pipeline: means nothing without `reply: fifo`: messages don't wait for each other there"},
    {"systems: {w: {url: 'http://127.0.0.1:1', format: raw}}",
     "1:50 systems.w.format: `raw` is for tcp, tls, udp and ws in 0.1.0"},
    {"systems: {w: {url: 'intertie://127.0.0.1:1', format: raw}}",
     "1:54 systems.w.format: `raw` is for tcp, tls, udp and ws; stream v1 carries events"},
    {"systems: {w: {url: 'udp://127.0.0.1:1', format: raw, reply: fifo}}",
     "1:54 systems.w.reply: means nothing on the wires of this system"},
    {"listeners: {w: {url: 'http://127.0.0.1:1', format: cloudevents, defaults: {type: x}}}",
     "1:65 listeners.w.defaults: means nothing with `format: cloudevents`: nothing is wrapped"},
    {"listeners: {w: {url: 'http://127.0.0.1:1', defaults: {id: x}}}", "1:55 listeners.w.defaults.id: only intertie writes `id`"},
    {"listeners: {w: {url: 'http://127.0.0.1:1', defaults: {target: x}}}", "1:63 listeners.w.defaults.target: no system `x`"},
    {"listeners:\n  a: tcp://127.0.0.1:1\n  b: http://127.0.0.1:1", "3:6 listeners.b.url: the listener `a` (line 2) has this address already"},
    {"listeners: {w: {url: 'http://127.0.0.1:1', limits: {message: 2MiB}}}",
     "1:62 listeners.w.limits.message: `2MiB` is above that of the process; raise `limits.message` too"},
    /* -- one to many -- */
    {"listeners: {u: {url: 'udp://0.0.0.0:5', anonymous: true, multicast: {groups: 10.0.0.1}}}",
     "1:78 listeners.u.multicast.groups: `10.0.0.1` is no group: those are 224.0.0.0/4 and ff00::/8"},
    {"listeners: {u: {url: 'udp://0.0.0.0:5', anonymous: true, multicast: {groups: all}}}",
     "1:78 listeners.u.multicast.groups: `all` is no IP address"},
    {"listeners: {u: {url: 'udp://0.0.0.0:5', anonymous: true, multicast: {groups: [239.1.1.1, 'ff02::1']}}}",
     "1:90 listeners.u.multicast.groups: `ff02::1` is IPv6, the URL is not: such a group needs a listener on [::]"},
    {"listeners: {u: {url: 'udp://[::]:5', anonymous: true, multicast: {groups: 239.1.1.1}}}",
     "1:75 listeners.u.multicast.groups: `239.1.1.1` is IPv4, the URL is not: such a group needs a listener on 0.0.0.0"},
    {"listeners: {u: {url: 'udp://127.0.0.1:5', multicast: {groups: 239.1.1.1}}}",
     "1:63 listeners.u.multicast.groups: a listener on `127.0.0.1` hears no group: listen on 0.0.0.0, or on the group"},
    {"listeners: {u: {url: 'udp://239.1.1.2:5', anonymous: true, multicast: {groups: [239.1.1.1, 239.1.1.2]}}}",
     "1:81 listeners.u.multicast.groups: a listener on the group `239.1.1.2` hears that one alone; several need 0.0.0.0 or [::]"},
    {"listeners: {u: {url: 'udp://0.0.0.0:5', anonymous: true, multicast: {interface: eth1}}}",
     "1:70 listeners.u.multicast.interface: means nothing without `groups`"},
    {"listeners: {u: {url: 'udp://239.1.1.2:5', anonymous: true, multicast: {interface: an-interface-name}}}",
     "1:83 listeners.u.multicast.interface: `an-interface-name` is no name of an interface, such as eth1"},
    {"listeners: {u: {url: 'udp://127.0.0.1:5', broadcast: true}}",
     "1:43 listeners.u.broadcast: a listener on `127.0.0.1` hears no broadcast: listen on 0.0.0.0"},
    {"listeners: {u: {url: 'tcp://127.0.0.1:5', broadcast: true}}", "1:43 listeners.u.broadcast: means nothing on tcp"},
    {"listeners: {u: {url: 'udp://127.0.0.1:5', limits: {per_source: 0}}}", "1:64 listeners.u.limits.per_source: `0` is below the least, 1"},
    {"listeners: {u: {url: 'tcp://127.0.0.1:5', envelope: x}}",
     "1:43 listeners.u.envelope: means nothing on tcp\n1:53 listeners.u.envelope: no credential `x`"},
    {"listeners: {u: {url: 'udp://0.0.0.0:5', envelope: x, anonymous: true}}", "1:51 listeners.u.envelope: no credential `x`"},
    {"systems: {a: {url: 'udp://h:1', envelope: x}}", "1:43 systems.a.envelope: no credential `x`"},
    {"systems: {a: {url: 'udp://10.0.0.1:5', multicast: {ttl: 2}}}", "1:40 systems.a.multicast: means nothing: `10.0.0.1` is no group"},
    {"systems: {a: {url: 'udp://239.1.1.1:5', multicast: {ttl: 256}}}", "1:58 systems.a.multicast.ttl: `256` is above the most, 255"},
    {"systems: {a: {url: 'udp://239.1.1.1:5', broadcast: true}}", "1:41 systems.a.broadcast: means nothing: `239.1.1.1` is a group"},
    {"systems: {a: {url: 'udp://[fd00::1]:5', broadcast: true}}",
     "1:41 systems.a.broadcast: means nothing: `fd00::1` is IPv6, which has no broadcast"},
    {"systems: {a: {url: 'udp://255.255.255.255:5'}}", "1:20 systems.a.url: is the address of all: add `broadcast: true` if that is meant"},
    {"systems: {a: {url: 'udp://h:1', limits: {message: 70000B}}}", "1:51 systems.a.limits.message: `70000B` is above the most, 65507B"},
    {"systems: {a: {url: 'tcp://h:1', limits: {message: 9000B}}}", "1:42 systems.a.limits.message: means nothing on the wires of this system"},
    {"systems: {a: {url: 'udp://h:1', pool: {max: 3}}}", "1:33 systems.a.pool: means nothing on the wires of this system"},
    {"systems: {a: {url: 'tcp://h:1', mode: binary}}", "1:33 systems.a.mode: means nothing on the wires of this system"},
    {"admin: {url: 'http://10.0.0.1:7470'}", "1:14 admin.url: off loopback it would need TLS and `auth`, which are not supported yet in 0.1.0"},
    {"listeners: {w: http://127.0.0.1:7470}\nadmin: {url: 'http://127.0.0.1:7470'}", "2:14 admin.url: the listener `w` (line 1) has this address already"},
    /* -- security -- */
    {SYSTEMS "security: {identities: {a: {system: desk, keys: {k: {hash: itk_x}}}}}",
     "2:60 security.identities.a.keys.k.hash: this is a key, not its hash; take the row that `intertie keys new` printed, and make a new key"},
    {SYSTEMS "security: {identities: {a: {keys: {k: {hash: abc}}}}}", "2:46 security.identities.a.keys.k.hash: a hash begins with `sha256:`; `intertie keys new` prints the row"},
    {SYSTEMS "security: {identities: {a: {keys: {k: {hash: 'sha256:00'}}}}}", "2:46 security.identities.a.keys.k.hash: sha256 has 64 hexadecimal digits, here are 2"},
    {SYSTEMS "security: {identities: {a: {keys: {k: {}}}}}", "2:36 security.identities.a.keys.k: `hash` is missing"},
    {SYSTEMS "security: {identities: {a: {keys: {k: {hash: " HASH ", expires: soon}}}}}",
     "2:130 security.identities.a.keys.k.expires: `soon` is no day such as 2027-03-01, and no time such as 2027-03-01T12:00:00Z"},
    {"security:\n  identities:\n    a: {keys: {k: {hash: " HASH "}}}\n    b: {keys: {k: {hash: " HASH "}}}\n",
     "4:26 security.identities.b.keys.k.hash: this key stands on line 3 too; a key belongs to one identity"},
    {SYSTEMS "security: {identities: {a: {allow: publish type/x}}}", "2:36 security.identities.a.allow: `publish type/x`: a rule is `send`, `call` or `subscribe`, then `system/X` or `type/X`"},
    {SYSTEMS "security: {identities: {a: {allow: send x}}}", "2:36 security.identities.a.allow: `send x`: after `send` comes `system/X` or `type/X`"},
    {SYSTEMS "security: {identities: {a: {allow: send type/a*b}}}",
     "2:36 security.identities.a.allow: `send type/a*b`: `*` may only end it, and it has no space"},
    {SYSTEMS "security: {identities: {a: {keys: {k: {hash: "
             "'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0g'}}}}}",
     "2:46 security.identities.a.keys.k.hash: sha256 has hexadecimal digits only; number 64 is none"},
    {SYSTEMS "security: {identities: {a: {allow: send type/}}}", "2:36 security.identities.a.allow: `send type/` ends too early; `*` is every one"},
    {SYSTEMS "security: {identities: {a: {deny: send system/dek}}}", "2:35 security.identities.a.deny: no system `dek`; did you mean `desk` (line 1)? <desk>"},
    {SYSTEMS "security: {identities: {a: {allow: read admin/x}}}", "2:36 security.identities.a.allow: `read admin/x` is not supported yet in 0.1.0"},
    /* -- environments -- */
    {"environments: {Prod: {}}", "1:16 environments.Prod: `Prod` is no name: lower-case letters, digits, `-` and `_`, a letter or digit first"},
    {"environments: {prod: 3}", "1:22 environments.prod: a map of keys is due here"},
    {"environments: {prod: {include: a.yaml}}", "1:23 environments.prod.include: an environment may hold any key but `include` and `environments`"},
    /* -- several, by place -- */
    {"log: {level: loud}\nworkers: x\nnmae: a", "1:14 log.level: no value `loud`; there are debug, info, warn, error\n2:10 workers: `x` is no number\n"
                                                 "3:1 unknown key `nmae`; did you mean `name`? <name>"},
};

/* The same from a JSON file. */
static const struct mistake json_mistakes[] = {
    {"[1]", "1:1 a configuration is an object"},
    {"", "1:1 not valid JSON: text ends too early"},
    {"{\"name\":\"a\"} x", "1:14 not valid JSON: more text after the value"},
    {"{\"name\":\"a\\u0000\"}", "1:9 this string is no text (half a surrogate pair, or a NUL)"},
    {"{\"name\":\"\\ud800\"}", "1:9 this string is no text (half a surrogate pair, or a NUL)"},
    {"{\"systems\":{\"a\":[{\"b\":1}]}}", "1:17 systems.a: a map of keys is due here, not a list"},
    {"{\"systems\":\n  {\"a\":{\"url\":\"tcp://h\"}}}", "2:15 systems.a.url: `tcp://h` needs a port"},
};

static void add_said(const struct config_report *report, struct buffer *out) {
    for (size_t i = 0; i < report->problem_count; i++) {
        const struct config_problem *problem = report->problems[i];
        if (problem->is_warning)
            continue;
        buffer_add_format(out, "%s%u:%u ", out->size ? "\n" : "", problem->place.line, problem->place.column);
        if (!problem->is_whole && problem->path.size)
            buffer_add_format(out, "%.*s: ", SLICE_ARG(problem->path));
        buffer_add(out, problem->message);
        if (problem->nearest.size)
            buffer_add_format(out, " <%.*s>", SLICE_ARG(problem->nearest));
    }
    buffer_add_byte(out, 0);
}

static bool says(const struct mistake *mistake, const char *path) {
    static const char *const variables[] = {"BARE", "30", "ODD", "\xff", "KEY16", "0123456789abcdef", "KEY15", "0123456789abcde", "LINES", "a\nb", "WHSEC", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL};
    const struct text_file files[] = {{path, mistake->text, false}, {"/odd", "\xff", false}, {0}};
    struct text_source source;
    struct config_report report;
    struct config *config = NULL;
    struct buffer out;
    struct config_options options = {.source = text_source_init(&source, files, variables)};
    config_report_init(&report);
    buffer_init(&out, 1 << 16);
    enum status status = config_validate(&options, slice_from(path), &config, &report);
    config_report_sort(&report);
    add_said(&report, &out);
    bool fine = status == STATUS_BAD_CONFIG && strcmp((const char *)out.data, mistake->said) == 0;
    if (!fine)
        print_error("for:  %s\nsaid: %s\nnot:  %s\n\n", mistake->text, out.data, mistake->said);
    config_free(config);
    buffer_done(&out);
    config_report_done(&report);
    return fine;
}

static void each_mistake_has_its_words_and_its_place(void **state) {
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        wrong += !says(&mistakes[i], "main.yaml");
    for (size_t i = 0; i < sizeof json_mistakes / sizeof json_mistakes[0]; i++)
        wrong += !says(&json_mistakes[i], "main.json");
    assert_int_equal(wrong, 0);
}

/* Keys of any length, anchors of any number: both end at a named bound. */
static void bounds_of_a_file_are_named(void **state) {
    static char text[16000];
    (void)state;
    memcpy(text, "? ", 2);
    memset(text + 2, 'k', 1025);
    snprintf(text + 1027, sizeof text - 1027, "\n: 1");
    assert_true(says(&(struct mistake){text, "1:3 a key of more than 1024 bytes"}, "main.yaml"));
    memcpy(text, "{\"", 2);
    snprintf(text + 1027, sizeof text - 1027, "\":1}");
    assert_true(says(&(struct mistake){text, "1:2 a key of more than 1024 bytes"}, "main.json"));
    size_t used = 0;
    for (unsigned i = 0; i <= 256; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "k%u: &a%u 1\n", i, i);
    assert_true(says(&(struct mistake){text, "257:7 more than 256 anchors in one file"}, "main.yaml"));
    used = 0;
    for (unsigned i = 0; i < 70; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "{a: ");
    assert_true(says(&(struct mistake){text, "1:257 more than 64 values inside each other"}, "main.yaml"));
    used = (size_t)snprintf(text, sizeof text, "{\"a\":");
    memset(text + used, '[', 100);
    text[used + 100] = '\0';
    assert_true(says(&(struct mistake){text, "1:69 not valid JSON: nested too deeply"}, "main.json"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_mistake_has_its_words_and_its_place),
                                       cmocka_unit_test(bounds_of_a_file_are_named)};
    return cmocka_run_group_tests_name("config/mistakes", tests, NULL, NULL);
}
