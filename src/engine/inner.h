/* The engine's own state: what its files share. Nobody outside includes this but tests. */
#ifndef ENGINE_INNER_H
#define ENGINE_INNER_H

#include "base/map.h"
#include "base/assert.h"
#include "base/memory.h"
#include "engine/choice.h"
#include "engine/consent.h"
#include "engine/dedupe.h"
#include "engine/engine.h"
#include "engine/found.h"
#include "engine/leave.h"
#include "engine/probing.h"
#include "engine/rate.h"
#include "engine/room.h"
#include "engine/trace.h"
#include "policy/idempotency.h"
#include "policy/lanes.h"
#include "policy/result.h"
#include "policy/standby.h"
#include "policy/retry.h"
#include "security/verdict.h"

struct recipient;
struct session;
struct proxy;

/* Takers that a delivery would rather not have (again): ids of outlets, 0: none. The oldest makes place for the next. */
#define AVOID_MAX 4
struct avoid {
    uint32_t outlets[AVOID_MAX];
};

/* One message for one recipient, from its acceptance to its ending. Each state is a list. */
enum delivery_state {
    DELIVERY_QUEUED,  /* in a lane */
    DELIVERY_BLOCKED, /* behind another of its partition key */
    DELIVERY_SENT,    /* in a session's flights */
    DELIVERY_REMOTE,  /* with another worker that has the session */
    DELIVERY_ASKED,   /* delivered; its reply is due */
    DELIVERY_FOREIGN, /* another worker's, waits for room on the session that it is for */
    DELIVERY_ANSWER,  /* a reply that waits for room on the asker's connection */
    DELIVERY_LATER,   /* an attempt failed; the next has its time */
};

struct delivery {
    struct list_node node;
    struct message *message; /* kept; one reference is ours */
    struct recipient *recipient;
    struct session *session; /* SENT, ANSWER: where */
    struct session *asker;   /* who waits for the reply; NULL: nobody (any more) here */
    struct list_node asker_node;
    uint64_t asker_token;
    struct later *later; /* its reply is kept to be fetched; NULL: it is not */
    struct timer timer;
    struct mono received;
    uint64_t trace;          /* what becomes of it is recorded under that name; 0: not (yet) */
    struct mono request_due, hedge_due; /* asks: when the reply must be there; when another is asked, too */
    struct mono step_due;    /* LATER: when it is tried again. SENT, ASKED: when this attempt is given up, where that is set */
    uint32_t route;          /* plan_route_mark() of the route that it took; 0: its target alone */
    int64_t attempt_ns;      /* how long one attempt may take, as its route says; 0: as its system says */
    uint32_t from, sent_to;  /* sending system, or CONFIG_NONE; outlet of the last attempt, where that may be hedged */
    uint32_t worker;         /* REMOTE: who has it */
    uint64_t mail_id;        /* REMOTE: its name in the mail */
    struct avoid avoid;      /* who had it before */
    struct member *member;   /* REMOTE, FOREIGN: the session as a taker; NULL once it arrived */
    uint32_t origin;         /* foreign: whose it is */
    uint64_t origin_id;
    bool foreign, homed; /* `homed`: foreign, and in our lanes: retried here */
    uint8_t state, attempt; /* 1 at the first send */
    uint8_t attempts; /* asks: so many at most */
    bool timed; /* asks: what is silent for `attempt_ns` is given up while another attempt is left */
    uint8_t moves, redriven; /* from one system of a `failover` to another; so often it was a dead letter before */
    struct delivery *twin; /* hedge.c: the other of two attempts that are under way; NULL: there is one */
    bool is_mirror, is_hedge; /* a copy of which its sender hears nothing; an attempt beside another's */
    bool is_dead_letter; /* for the system that gets them: it ends here, and keeps what intertie wrote */
    bool retrying, asks; /* `retrying`: it counts against the retry budget of its recipient */
    uint8_t priority;
    struct map *pending_map;
    bool pending, key_head; /* in its system's map of pending replies; it holds its partition key */
    struct key_lane *key;
};

/* One partition key that has something unsettled. */
struct key_lane {
    struct slice name; /* recipient's bytes, priority and key; own memory behind it */
    struct list blocked;
    struct delivery *head;
};

/* A message that nobody could take yet: its sender hasn't been told. */
struct waiter {
    struct list_node node;         /* in the full recipient's list */
    struct list_node session_node; /* in the sender's */
    struct message *message;
    struct session *session;
    struct recipient *recipient;
    uint64_t token;
    struct timer timer;
    struct mono received;
    uint64_t trace;    /* as a delivery's */
    struct mono until; /* when its sender is told no */
    uint32_t from, pick, generation; /* engine->pick, when that plan was in force */
    struct dedupe_claim claim;
};

/* A place that takes messages for a recipient: all connections of one endpoint, or one dialled-in session. */
struct outlet {
    struct list_node node; /* in recipient->ready while a member has room, else unlinked */
    struct list ready;     /* members with room */
    struct recipient *recipient;
    struct endpoint *endpoint; /* NULL: a session */
    struct member *member;     /* a session's own; an endpoint's: NULL */
    uint32_t id;               /* of this engine, never used again; not 0 */
    uint32_t slot;             /* in its recipient's choice */
    struct load load;          /* as it says itself */
    uint32_t in_flight;
};

/* One connection (or another worker's session) as a taker for one recipient. */
struct member {
    struct session *session; /* NULL: remote */
    struct recipient *recipient;
    struct outlet *outlet;
    struct list_node ready_node; /* in outlet->ready */
    uint32_t sub;
    uint32_t in_flight;
    uint32_t limit;
    bool own_outlet;
    struct list_node session_node; /* in session->members */
    struct list_node recipient_node;
    /* remote */
    uint32_t worker;
    uint64_t handle;
    uint64_t remote_bytes; /* under way to it */
};

struct recipient {
    /* what each message looks at */
    struct list outlets_ready;
    struct choice *choice; /* NULL: turns over `outlets_ready` */
    uint64_t waiting; /* in `waiters` */
    uint64_t queued, in_flight, queued_bytes;
    uint64_t queue_messages_max, queue_bytes_max;
    uint64_t later_bytes;
    struct room room;
    struct list waiters[PRIORITY_COUNT];
    struct list later; /* those that wait for their next attempt: no queue, for what comes after them needn't wait */
    uint64_t retrying, mirrored; /* deliveries that count against the retry budget; that are copies of mirrors */
    uint32_t system; /* index in plan */
    bool slow;       /* a subscription: its copies are dropped until half empty */
    bool is_subscription;
    bool gone; /* removed; freed when empty */

    struct slice name; /* of its system */
    struct lanes lanes;
    struct list queue[PRIORITY_COUNT]; /* index priority - 1 */
    struct list sent, asked, members;
    struct map keys;
    struct list proxies; /* exchanges that wait for a connection of their own */
    uint64_t streams;    /* those, and those that have one */
    struct timer sweep; /* when the next queued message expires or waits too long */
    struct list_node pump_node;
    uint64_t endings[ENDING_COUNT];
    struct wall holding_since;
    /* a subscription's */
    struct list_node node; /* in engine->subscriptions */
    struct arena arena;
    const struct cesql *filter;
    uint32_t identity;
    struct slice filter_text;
    struct slice group;
};

struct endpoint {
    const struct plan_endpoint *plan;
    struct outlet outlet;
    struct system *system;
    struct found *found; /* NULL: it is written down */
    uint32_t position; /* in system->endpoints */
    uint32_t connections, open; /* dialling and open; open */
    struct mono next_dial;
    struct timer redial;
    struct timer age;  /* when to look for connections that have served long enough */
    uint32_t retiring; /* of the open ones: they take nothing more */
    uint32_t failures;
    struct mono last_failed;
    bool removed;
    uint64_t results[RESULT_COUNT]; /* what attempts at it came to */
    struct fitness fitness;
    struct probing probing;
    struct protocol_consent consent; /* what its connections share */
    struct pace pace;                /* as that allows, this worker's share */
    struct timer paced;              /* when the next may go */
};

struct system {
    const struct config_system *config;
    uint32_t index;
    struct slice name; /* own copy */
    struct recipient recipient;
    struct endpoint **endpoints;
    size_t endpoint_count;
    size_t dial_cursor;
    uint32_t sessions;
    struct map pending; /* id of a request -> its delivery */
    uint64_t received;
    bool hears_load; /* some of its takers say how busy they are */
    struct message *heartbeat;
    struct wall heartbeat_at;
    struct standby standby; /* whether it can take what is to be sent, where a `failover` names it */
    struct mono standby_seen;
    bool removed;
};

/* A message on its way out of one connection: a ring by outbound token. */
struct flight {
    uint64_t end; /* chain.added after it */
    struct delivery *delivery; /* NULL: cut-through, its bytes stand in the chain */
    struct member *member;     /* NULL: an answer */
    struct mono sent;
    union {
        struct wall expiry; /* cut-through: what its bytes don't tell */
        uint64_t origin_id; /* foreign */
    };
    union {
        uint32_t from;
        uint32_t origin; /* foreign: whose it is */
    };
    uint8_t priority;
    bool foreign; /* cut-through of another worker, which keeps it until it hears of it */
    bool acked; /* settled by the peer, before others that were sent earlier */
    bool tried; /* it was on its way on an earlier connection */
    bool over;  /* nothing is owed any more: replied, given up */
    uint32_t size;
};

#define MEMOS_MAX 256 /* of one worker; they are of those connections that speak */
#define MEMO_BYTES 320
#define MEMO_ATTRIBUTES 12
#define MEMO_SUBSCRIPTIONS 64

/* Dead letters of this worker. */
struct dead_store {
    struct list letters; /* the oldest first */
    uint64_t bytes;
    uint64_t messages_max, bytes_max; /* this worker's share */
    int64_t keep_ns;
    uint64_t redrives; /* of them wait to be sent again */
    struct mono next;  /* the first of those */
    struct timer timer;
};

/* Where a message goes. */
struct routing {
    enum status status; /* OK, or why nowhere */
    const struct plan_target *targets;
    uint32_t target_count;
    int32_t route; /* index, -1: by its target */
    bool to_all;
    uint8_t way; /* enum config_way: of `targets` all are meant, or one that ways.h chooses */
    bool is_cut; /* more subscriptions match than it has room for: each time that is told */
    uint32_t subscription_count;
    struct recipient *subscriptions[MEMO_SUBSCRIPTIONS];
};

struct memo {
    struct list_node node;  /* in engine->memos */
    struct session *owner;  /* NULL: nobody's any more */
    bool was_used;          /* since memo_oldest() last passed it */
    uint32_t generation; /* of engine->generation; 0: empty */
    uint8_t count;
    uint8_t kind;
    uint16_t sizes[MEMO_ATTRIBUTES];
    uint8_t attributes[MEMO_ATTRIBUTES];
    uint16_t used;
    uint32_t from;
    uint32_t route; /* message->route */
    uint8_t priority;
    struct routing routing;
    uint8_t bytes[MEMO_BYTES];
};

/* What a connection has only while it takes messages or while one of its own is under way. */
struct session_work {
    struct session *session;
    struct list asked;   /* deliveries whose reply it waits for */
    struct list answers; /* replies that wait for room on it */
    struct list foreign; /* other workers' deliveries for it that wait for room */
    struct list waiters;
    struct list holds; /* messages that others go before, or that another worker has to say something about */
    struct list rated;   /* its messages that wait for a rate's home: rate.h */
    struct claim *claim; /* its open exchange runs once; NULL: it does not say */
    struct poll_wait *wait; /* its open exchange waits for messages; NULL: it does not */
    uint64_t announced;  /* handle by which other workers know it: that of the connection it had then */
    struct timer acks;   /* when the oldest flight has waited too long for its ack */
};

#define SPARE_FLIGHTS 8
#define SPARE_FLIGHTS_MAX 1024 /* capacity of a ring that is kept */

/* One connection as the engine sees it. */
struct session {
    struct connection *connection;
    struct engine *engine;
    struct endpoint *endpoint;   /* dialled */
    const struct plan_listener *listener;
    uint32_t system;             /* whom it acts as; CONFIG_NONE */
    uint32_t identity;           /* index, or SECURITY_NONE: anonymous */
    bool serving;
    bool is_there; /* dialled: it greeted, where that is due */
    bool is_leaving; /* it was told to go: the worker drains */
    bool retiring; /* dialled: it has served long enough, takes nothing more, and closes when what it has is over */
    struct session_work *work; /* engine->no_work while it holds nothing */
    struct list members;
    uint64_t settled_first, settled_last; /* tokens accepted, not yet told; 0: none */
    struct list_node settle_node;
    struct flight *flights; /* ring */
    uint32_t flight_first, flight_count, flight_capacity;
    uint64_t flight_base;   /* token of the first */
    uint64_t flight_next;   /* token of the next */
    struct memo *memo; /* borrowed; NULL: none (any more) */
    struct proxy *proxy; /* the exchange that it streams; NULL: none */
    uint64_t streamed;   /* dialled: such exchanges, so far */
    uint64_t received;
};

struct engine {
    struct engine_options options;
    struct net net;
    const struct plan *plan;
    uint32_t generation; /* changes with the plan and the set of subscriptions */
    struct now now;
    struct rng rng;
    struct system **systems; /* by plan index */
    size_t system_count;
    struct list subscriptions;
    uint64_t subscription_reads;
    bool subscription_memo_ok;
    struct list polls; /* peers that fetch: poll.h */
    struct list proxies; /* exchanges that are streamed: proxy.c */
    struct list asks;  /* acks that other workers look at */
    uint64_t asked;    /* so many */
    struct idempotency once; /* keys whose home is here */
    uint64_t claimed;        /* so many */
    struct deduping deduping;
    struct rates rates;
    struct list unsettled;   /* claims that ended when no letter to their homes had room */
    struct replies {   /* that are fetched: replies.h */
        struct map by_receipt;
        struct list open, kept, gone; /* the oldest first */
        struct list fetches; /* requests of ours that another worker looks at */
        uint64_t fetched;    /* so many */
        uint32_t waiting;    /* fetches that wait here for a reply that is due */
        uint64_t bytes;
    } replies;
    struct list probings; /* endpoints that are being asked */
    struct list pumps, settles;
    struct list found_before; /* of endpoints that were found, where nothing but connections may use them */
    struct map moved; /* announced handle -> session that isn't on that connection any more */
    struct list memos; /* those of nobody first, then in the order of their last check */
    struct deadlines deadlines;
    struct delivery *spare_deliveries;
    struct session_work no_work;     /* shared, always empty */
    struct session_work *spare_work; /* one, or NULL */
    struct flight_ring { /* of sessions that fell silent */
        struct flight *flights;
        uint32_t capacity;
    } spare_flights[SPARE_FLIGHTS];
    uint32_t spare_flight_count, spare_count;
    struct hedge_late *hedge_late; /* NULL: there was no hedge yet */
    struct engine_totals totals;
    uint64_t *received_by; /* by the plan's listener index; the last one: dialled connections */
    uint32_t outlet_ids;    /* the last that was given */
    struct block_pool kept; /* messages that outlive their turn */
    uint64_t elsewhere_bytes; /* what other workers hold */
    uint64_t memory_max;   /* limits.memory; UINT64_MAX: unlimited */
    struct chains *chains; /* what middleware keeps; chain.h */
    struct routing routing; /* scratch */
    struct recipient delayed; /* whose waiters are kept back on purpose: fault.c */
    bool again; /* a waiter has its turn: others that wait aren't before it */
    uint64_t ours; /* flight_ours() of the message that is being placed */
    uint32_t mark, pick; /* plan_route_mark() of its route; of several targets 1 + the index of the chosen, 0: all */
    struct dead_store dead;
    struct { /* about the attempt that has just failed: what its ending may have to tell */
        enum status status; /* OK: none has */
        uint16_t code;
        struct slice words, endpoint; /* borrowed until the call ends */
    } said;
    char detail[200];       /* words for the refusal that is being told */
    bool draining;
    bool is_replaced; /* endpoints were, since the last turn's end: dials may have another place now */
    struct leave leave;
    const struct protocol *taker; /* of the connection whose flight or reply is being counted; else NULL */
    struct post *post; /* mail */
    struct tracing tracing;
};

#include "engine/attempt.h"
#include "engine/exchange.h"
#include "engine/shed.h"
#include "engine/trace_hook.h"

/* router.c */
void router_find(struct engine *engine, const struct session *session, const struct message *message, uint32_t from,
                 struct routing *ret_routing);

bool router_skips(const struct engine *engine, const struct routing *routing, uint32_t system, uint32_t from);

/* intake.c */
void intake_message(void *connection, uint64_t token, struct message *message, uint64_t reply_to);
/* One that was held before it was taken. */
void intake_again(struct engine *engine, struct session *session, uint64_t token, struct message *message);

/* memo.c */
bool memo_hits(const struct engine *engine, const struct session *session, const struct message *message);
void memo_keep(struct engine *engine, struct session *session, const struct message *message, uint32_t from,
               const struct routing *routing);
void memo_forget(struct session *session); /* what decided has changed */
void memo_leave(struct engine *engine, struct session *session);
void memo_done(struct engine *engine);

/* offer.c */
enum offer { OFFER_TAKEN, OFFER_LATER, OFFER_REFUSED };
enum offer offer_message(struct engine *engine, struct session *session, uint64_t token, const struct message *message,
                         const struct routing *routing, uint32_t from, struct mono received,
                         struct recipient **ret_full, enum status *ret_status);
void offer_wait(struct engine *engine, struct session *session, uint64_t token, const struct message *message,
                uint32_t from, struct recipient *full, int64_t limit_ns);
void offer_again(struct engine *engine, struct recipient *recipient);
void waiter_free(struct engine *engine, struct waiter *waiter);
void waiter_late(struct engine *engine, struct waiter *waiter);

/* recipient.c */
void recipient_init(struct recipient *recipient, uint32_t system, struct slice name, uint64_t messages, uint64_t bytes,
                    uint64_t seed);
void recipient_done(struct engine *engine, struct recipient *recipient);
bool recipient_has_room(const struct recipient *recipient, size_t size);
/* Somebody can take a message now. */
bool recipient_is_ready(struct engine *engine, struct recipient *recipient);
/* Who takes this message (NULL: an exchange that is streamed): one of those that are ready, rather none of `avoid` (NULL: any will do). NULL: nobody is ready. */
struct member *recipient_pick(struct engine *engine, struct recipient *recipient, const struct message *message,
                              const struct avoid *avoid);
void avoid_add(struct avoid *avoid, const struct outlet *outlet);
bool avoid_has(const struct avoid *avoid, const struct outlet *outlet);
void recipient_queue(struct engine *engine, struct delivery *delivery, bool first);
void recipient_unqueue(struct delivery *delivery);
void recipient_pump(struct engine *engine, struct recipient *recipient);
void recipient_wake(struct engine *engine, struct recipient *recipient);
void recipient_sweep(struct engine *engine, struct recipient *recipient);
struct member *member_new(struct engine *engine, struct session *session, struct recipient *recipient,
                          struct endpoint *endpoint, uint32_t sub, uint32_t limit);
/* It took something: it, and its endpoint, come behind the others. */
void member_took(struct engine *engine, struct member *member);
void member_new_remote(struct engine *engine, struct recipient *recipient, uint32_t worker, uint64_t handle, uint32_t sub,
                       uint32_t limit);
void member_free(struct engine *engine, struct member *member);
/* It can take something and isn't linked among those that are ready, or the other way round. */
void member_moves(struct engine *engine, struct member *member);
void key_release(struct engine *engine, struct delivery *delivery);

/* flight.c */
uint64_t flight_ours(const struct message *message);
enum status member_send(struct engine *engine, struct member *member, const struct message *message,
                        struct delivery *delivery, uint8_t attempt, uint32_t from);
enum status flight_send(struct engine *engine, struct member *member, const struct message *message,
                        struct delivery *delivery, uint8_t attempt, uint32_t from);
enum status flight_pass(struct engine *engine, struct member *member, const struct message *message, uint8_t attempt,
                        uint32_t from, uint32_t origin, uint64_t origin_id);
enum status flight_answer(struct engine *engine, struct session *session, const struct message *message,
                          const struct overlay *overlay, uint64_t reply_to);
void flight_progress(struct engine *engine, struct session *session);
void flight_outcome(void *connection, uint64_t first, uint64_t last, struct protocol_outcome outcome);
void flight_abandon(struct engine *engine, struct session *session);
/* The ring of a session that has no flight goes to the spare ones. */
void flights_give(struct engine *engine, struct session *session);
struct flight *flight_find(struct session *session, uint64_t token);
void flight_forget(struct session *session, struct delivery *delivery);
/* The same, and its exchange is cancelled. Where that was, NULL: not known any more. */
const struct outlet *flight_give_up(struct session *session, struct delivery *delivery);
void foreign_flush(struct engine *engine, struct session *session);
/* The kernel refused the first datagram that is unsent: it is dead, for that reason. */
void flight_refused(struct engine *engine, struct session *s, enum status status);
void flight_acks_late(struct engine *engine, struct session *session);

/* reply.c */
bool reply_take(struct engine *engine, struct session *session, const struct message *reply, uint64_t reply_to,
                uint32_t from);
void reply_give(struct engine *engine, struct delivery *delivery, const struct message *reply);
void reply_fail(struct engine *engine, struct delivery *delivery, enum status status);
void reply_flush(struct engine *engine, struct session *session);
void reply_forget_asker(struct engine *engine, struct session *session);
bool reply_expect(struct engine *engine, struct delivery *delivery);
void reply_unexpect(struct delivery *delivery);
/* What a reply lacks to be understood by who asked; `target` may be empty. */
void reply_complete(const struct message *reply, struct slice cause, struct slice flow, struct slice target,
                    struct overlay *overlay);

/* ending.c */
struct delivery *delivery_new(struct engine *engine, struct recipient *recipient, const struct message *message);
void delivery_free(struct engine *engine, struct delivery *delivery);
void delivery_end(struct engine *engine, struct delivery *delivery, enum engine_ending ending, enum status status);
void ending_count(struct engine *engine, struct recipient *recipient, enum engine_ending ending, enum status status,
                  uint8_t priority, int64_t duration_ns);
void ending_count_run(struct engine *engine, struct recipient *recipient, enum engine_ending ending, enum status status,
                      uint8_t priority, int64_t duration_ns, uint64_t times);
/* No ending yet: it is sent again because of that; or why it is not. */
void ending_retried(struct engine *engine, const struct recipient *recipient, enum retry_fate fate, enum status status,
                    enum retry_why why);
/* It is dead (an ending DEAD would be told of it): kept, forwarded or dropped as its policy says; which ending that is. */
enum engine_ending ending_dead(struct engine *engine, const struct message *message, const struct config_policy *policy,
                               const struct dead_facts *facts);
void ending_tell(struct engine *engine, const struct message *message, struct recipient *recipient, uint32_t from,
                 enum engine_ending ending, enum status status, uint8_t attempt, int64_t duration_ns);
/* What waited for room is refused. */
void ending_waiter(struct engine *engine, const struct waiter *waiter, enum status status, int64_t duration_ns);
void timer_set(struct engine *engine, struct timer *timer, struct mono at);
void delivery_late(struct engine *engine, struct delivery *delivery);

/* resume.c */
bool session_keep(void *connection, struct slice name);
bool session_resume(void *connection, struct slice name);
void session_parked(void *user, struct connection *connection, struct now now);
void session_adopted(void *user, struct connection *connection, struct connection *parked, struct now now);
/* Ends one that waits, for another of the same peer; false when there is none. */
bool session_make_place(struct engine *engine, const struct session *session);
/* By the handle that other workers know; NULL: it is over. */
struct session *session_by_handle(struct engine *engine, uint64_t handle);
void session_moved_done(struct engine *engine, struct session *session);

/* session.c */
void session_opened(void *user, struct connection *connection, struct now now);
void session_rested(void *user, struct connection *connection, struct now now);
void session_work_init(struct session_work *work, struct session *session);
/* Before anything is put into session->work's lists. False when memory is out. */
bool session_work(struct session *session);
void session_progress(void *user, struct connection *connection, struct now now);
void session_closed(void *user, struct connection *connection, struct now now);
enum status session_hello(void *connection, const struct protocol_hello *hello, struct slice *ret_system);
enum status session_subscribe(void *connection, const struct protocol_subscription *subscription,
                              struct message_fault *fault);
void session_unsubscribe(void *connection, uint32_t sub);
void session_accept(struct engine *engine, struct session *session, uint64_t token);
void session_refuse(struct engine *engine, struct session *session, uint64_t token, enum status status,
                    uint32_t retry_ms);
void session_cancelled(void *connection, uint64_t token);
void session_invalid(void *connection, const struct message_fault *fault);
void session_dropped(void *connection, const char *rule);
void session_room(void *connection);
void session_request(void *connection, uint64_t token, const struct protocol_request *request);
size_t session_detail(void *connection, uint64_t token, enum status status, char *out, size_t room);
void session_settle_all(struct engine *engine);
void session_look(struct engine *engine, struct session *session);
/* Offers the session as an endpoint of its system. */
enum status session_serve(struct engine *engine, struct session *session, uint32_t window);

void subscription_end(struct engine *engine, struct recipient *recipient);
void subscription_reads(struct engine *engine);

/* admission.c */
/* The identity that the peer's certificate names, where its listener takes certificates; SECURITY_NONE: none. */
uint32_t security_shown(const struct engine *engine, const struct connection *c);
bool session_is_known(void *user, const struct connection *connection);
enum status security_admit(struct engine *engine, struct session *session, const struct protocol_hello *hello,
                           uint32_t *ret_system);
struct verdict security_verdict(const struct engine *engine, const struct session *session,
                                const struct message *message);

struct recipient *subscription_find(struct engine *engine, const struct session *session, struct slice group);
struct recipient *subscription_new(struct engine *engine, const struct session *session,
                                   const struct protocol_subscription *subscription, struct message_fault *fault);
void member_leave(struct engine *engine, struct member *member);

/* parcel.c */
bool post_new(struct engine *engine);
void post_free(struct engine *engine);
void post_collect(struct engine *engine, struct engine_actions *ret_actions);

/* mail.c */
void mail_presence(struct engine *engine, const struct member *member, bool present);
enum status mail_deliver(struct engine *engine, struct member *member, struct delivery *delivery);
uint32_t mail_home(const struct engine *engine, const struct recipient *recipient, const struct message *message);
enum status mail_go_home(struct engine *engine, struct delivery *delivery, uint32_t home);
void mail_forget(struct engine *engine, struct delivery *delivery);
void mail_landed(struct engine *engine, struct delivery *delivery);
bool mail_has_room(const struct member *member);
void mail_tell(struct engine *engine, uint32_t to, uint64_t id, enum engine_ending ending, enum status status,
               bool unsent);
void mail_failed(struct engine *engine, uint32_t to, uint64_t id, const struct attempt_failure *failure);
void mail_outcome(struct engine *engine, struct delivery *delivery, enum engine_ending ending, enum status status,
                  bool unsent);
void mail_reply(struct engine *engine, const struct delivery *delivery, const struct message *reply);
bool mail_seek(struct engine *engine, const struct message *reply, uint32_t from, uint32_t hops);
void mail_read(struct engine *engine, uint32_t from, struct slice parcel);

/* `limit` 0: the session takes nothing for now, and what others have sent for it goes back to them. */
void mail_pause(struct engine *engine, struct session *session, uint32_t limit);

/* endpoint.c */
struct endpoint *endpoint_new(struct system *system, const struct plan_endpoint *plan);
uint64_t endpoint_takes(const struct endpoint *endpoint);
/* What the world knows it by. */
uint64_t endpoint_place(const struct engine *engine, const struct endpoint *endpoint);
void endpoint_want(struct engine *engine, struct system *system);
/* One more connection, if it may have one and none is under way. */
bool endpoint_warm(struct engine *engine, struct endpoint *endpoint);
/* Messages that it can have under way at once. */
uint32_t endpoint_capacity(const struct endpoint *endpoint);
/* It isn't one any more: its connections finish what they have. */
void endpoint_retire(struct engine *engine, struct endpoint *endpoint);
/* Its connections finish what they have and close; `now`: soon. */
void endpoint_empty(struct engine *engine, struct endpoint *endpoint, bool now);
/* An endpoint other than that outlet's is dialled, if none is connected. */
void endpoint_want_other(struct engine *engine, struct system *system, const struct outlet *outlet);
void endpoint_start(struct engine *engine, struct endpoint *endpoint);
void endpoint_opened(struct engine *engine, struct endpoint *endpoint);
/* `was_open`: it was opened; else the dial failed, by a greeting or before. */
void endpoint_closed(struct engine *engine, struct endpoint *endpoint, const struct connection *connection, bool was_open);
void endpoint_redial(struct engine *engine, struct endpoint *endpoint);
void endpoint_free(struct engine *engine, struct endpoint *endpoint);
void fail_askers(struct engine *engine, struct system *system);
bool system_is_hopeless(const struct system *system, struct mono since);

/* So many messages more or less are under way to it. */
static inline void choice_count(struct member *member, int32_t change) {
    member->outlet->in_flight += (uint32_t)change;
    if (member->recipient->choice)
        choice_counts(member->outlet, change);
}

/* facts.c */
/* What an attempt came to, and how long it took (-1: not known). For each attempt that was made at it, once. */
void endpoint_result(struct engine *engine, struct endpoint *endpoint, enum attempt_result result, int64_t latency_ns);

/* pool.c */
void pool_opened(struct engine *engine, struct session *session);
/* It has sent one more: that may have been its last. */
void pool_sent(struct engine *engine, struct session *session);
void pool_retire(struct engine *engine, struct session *session);
void pool_look(struct engine *engine, struct endpoint *endpoint);
/* Fewer connections than are to be kept open. */
bool pool_is_short(const struct endpoint *endpoint);

/* configure.c */
void system_free(struct engine *engine, struct system *system);
enum status configure(struct engine *engine, const struct plan *plan, struct engine_change *change);

static inline struct system *engine_system(const struct engine *engine, uint32_t index) {
    return index < engine->system_count ? engine->systems[index] : NULL;
}

#include "engine/taker.h"

#endif
