/* One thread, one loop, one engine: what sockets report becomes inputs, the turn's end carries out actions. */
#include <stdio.h>

#include "engine/outcome.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "runtime/inner.h"

#define ROUNDS_MAX 16 /* of finish and carry out in one turn; what is left comes in the next */
#define PUBLISH_NS (200 * NS_PER_MS)
#define SWEEP_NS (500 * NS_PER_MS)
#define MAIL_SLOTS 256
#define LEAVE_NS NS_PER_S /* to hear that we go, after the last was told */

static const struct engine_calls calls;

/* -- inputs -- */

/* One reading of the clocks per turn. */
struct now worker_now(struct worker *worker) {
    if (!worker->has_now) {
        worker->now = platform_now();
        worker->has_now = true;
    }
    return worker->now;
}

/* Something happened: what is published is old in a moment. A worker at rest publishes once more, then sleeps. */
static void touch(struct worker *worker) {
    if (worker->publish_at.ns == MONO_NEVER.ns)
        worker->publish_at = mono_after(worker_now(worker).mono, PUBLISH_NS);
}

void worker_input(struct worker *worker, struct engine_input *input) {
    if (worker->input_log)
        input_log_input(worker, input);
    engine_input(worker->engine, input, worker_now(worker));
    if (worker->input_log)
        input_log_after(worker, input);
    worker->is_pending = true;
    touch(worker);
}

void worker_post(struct worker *worker, struct post *post) {
    inbox_put(&worker->inbox, post);
    loop_wake(worker->loop);
}

/* -- mail -- */

/* Parcels that wait are linked by their gauge, which a parcel has no use for: to hand one over takes no memory. */
static void put(struct worker *worker, uint32_t to) {
    struct outbox *outbox = &worker->outboxes[to];
    struct worker *receiver = &worker->runtime->workers[to];
    bool moved = false;
    while (outbox->count) {
        struct block *parcel = outbox->first, *next = (struct block *)(void *)parcel->gauge;
        parcel->gauge = NULL; /* the receiver's from here on */
        if (!mailbox_put(&receiver->mail[worker->index], parcel)) {
            parcel->gauge = (uint64_t *)(void *)next;
            break;
        }
        outbox->first = next;
        outbox->count--;
        moved = true;
    }
    if (moved)
        loop_wake(receiver->loop);
}

static void append(struct outbox *outbox, struct block *parcel) {
    parcel->gauge = NULL;
    if (outbox->count++)
        outbox->last->gauge = (uint64_t *)(void *)parcel;
    else
        outbox->first = parcel;
    outbox->last = parcel;
}

static void free_parcels(struct outbox *outbox) {
    for (struct block *parcel = outbox->count ? outbox->first : NULL, *next; parcel; parcel = next) {
        next = (struct block *)(void *)parcel->gauge;
        parcel->gauge = NULL;
        block_unref(parcel);
    }
    *outbox = (struct outbox){0};
}

/* First in, first out, so what found the other's mailbox full goes before what is new. The engines' windows bound it. */
static void mail_send(struct worker *worker, struct engine_actions *actions) {
    for (uint32_t i = 0; i < actions->mail_count; i++) {
        append(&worker->outboxes[actions->mail[i].to], actions->mail[i].parcel);
        actions->mail[i].parcel = NULL;
    }
    for (uint32_t to = 0; to < worker->runtime->worker_count; to++) {
        if (worker->outboxes[to].count)
            put(worker, to);
        if (worker->outboxes[to].count)
            worker->due = mono_min(worker->due, mono_after(worker->now.mono, NS_PER_MS));
    }
}

static void mail_receive(struct worker *worker) {
    for (uint32_t from = 0; from < worker->runtime->worker_count; from++) {
        struct block *parcel;
        while ((parcel = mailbox_take(&worker->mail[from]))) {
            struct engine_input input = {.kind = INPUT_MAIL, .from = from, .size = parcel->size,
                                         .bytes = slice_make(parcel->data, parcel->size)};
            worker_input(worker, &input);
            block_unref(parcel);
        }
    }
}

/* -- the turn -- */

static void carry_out(struct worker *worker, const struct net_action *action) {
    struct link *link = link_find(worker, action->connection);
    switch (action->kind) {
    case NET_FLUSH:
        if (link)
            link_flush(link);
        break;
    case NET_READ:
        if (link)
            link_read(link, action->on);
        break;
    case NET_DIAL:
        dial_begin(worker, action->connection, action->place);
        break;
    case NET_CLOSE:
        if (link)
            link_close(link, action->linger, action->reset);
        break;
    }
}

static void finish(struct worker *worker) {
    struct engine_actions actions;
    worker->is_pending = false;
    if (worker->input_log)
        input_log_finish(worker);
    engine_finish(worker->engine, worker_now(worker), &actions);
    if (worker->input_log)
        input_log_turn(worker, &actions);
    worker->due = actions.due;
    mail_send(worker, &actions);
    for (uint32_t i = 0; i < actions.net_count; i++)
        carry_out(worker, &actions.net[i]); /* what follows from the inputs that it gives is in the next list */
}

/* Accepted work that is under way on connections, as the drain sees it. */
static bool is_quiet(struct worker *worker) {
    bool may_cut = worker_now(worker).mono.ns - worker->drain_at.ns > NS_PER_S;
    if (!engine_is_quiet(worker->engine))
        return false;
    struct net *net = engine_net(worker->engine);
    for (struct list_node *node = list_first(&net->open); node; node = list_next(&net->open, node)) {
        const struct connection *c = LIST_ENTRY(node, struct connection, node);
        if (c->listener == ENGINE_ADMIN_LISTENER || c->status < CONNECTION_OPEN)
            continue;
        if (chain_unsent(&c->out) > 0 || (c->partial && !may_cut))
            return false;
    }
    return true;
}

static bool is_anybody_there(struct worker *worker) {
    struct net *net = engine_net(worker->engine);
    for (struct list_node *node = list_first(&net->open); node; node = list_next(&net->open, node)) {
        const struct connection *c = LIST_ENTRY(node, struct connection, node);
        if (c->listener != UINT32_MAX && c->listener != ENGINE_ADMIN_LISTENER && !c->protocol->is_datagram)
            return true;
    }
    return false;
}

static void look_whether_gone(struct worker *worker, bool quiet) {
    struct mono until = worker->leave_at;
    engine_spreads_until(worker->engine, &until);
    bool is_late = mono_due(mono_after(until, LEAVE_NS), worker_now(worker).mono);
    if (atomic_load_explicit(&worker->is_gone, memory_order_relaxed) || !quiet || (is_anybody_there(worker) && !is_late))
        return;
    atomic_store(&worker->is_gone, true);
    loop_wake(worker->runtime->loop);
}

static void look_whether_quiet(struct worker *worker) {
    bool quiet = is_quiet(worker);
    if (worker->is_leaving)
        look_whether_gone(worker, quiet);
    if (quiet != atomic_load_explicit(&worker->is_quiet, memory_order_relaxed)) {
        atomic_store(&worker->is_quiet, quiet);
        loop_wake(worker->runtime->loop);
    }
}

static bool serves(struct worker *worker, const struct generation *generation) {
    struct net *net = engine_net(worker->engine);
    for (struct list_node *node = list_first(&net->open); node; node = list_next(&net->open, node)) {
        const struct connection *c = LIST_ENTRY(node, struct connection, node);
        if (c->setup->declared == &generation->config->extensions)
            return true;
    }
    return false;
}

static void let_go(struct worker *worker, struct generation *generation) {
    if (atomic_fetch_sub(&generation->users, 1) == 1)
        loop_wake(worker->runtime->loop);
}

/* Connections keep the setup that they were opened with: its generation goes when the last of them has gone. */
static void sweep(struct worker *worker) {
    unsigned kept = 0;
    for (unsigned i = 0; i < worker->old_count; i++) {
        if (serves(worker, worker->old[i]))
            worker->old[kept++] = worker->old[i];
        else
            let_go(worker, worker->old[i]);
    }
    worker->old_count = kept;
    worker->sweep_at = kept ? mono_after(worker_now(worker).mono, SWEEP_NS) : MONO_NEVER;
}

static void set_timer(struct worker *worker) {
    struct mono at = mono_min(worker->due, worker->publish_at);
    at = mono_min(at, mono_min(worker->accept_again, worker->sweep_at));
    at = mono_min(at, mono_min(worker->full_at, link_linger_due(worker)));
    at = mono_min(at, deadlines_next(&worker->dials));
    bool is_done = atomic_load_explicit(worker->is_leaving ? &worker->is_gone : &worker->is_quiet, memory_order_relaxed);
    if (worker->is_draining && !is_done)
        at = mono_min(at, mono_after(worker->now.mono, 100 * NS_PER_MS));
    loop_timer_at(worker->loop, at);
}

/* What the workers hold together is bounded: each tells what it holds, and its engine what the others do. */
static void share_memory(struct worker *worker) {
    const struct runtime *runtime = worker->runtime;
    if (runtime->worker_count == 1 || !worker->generation || worker->generation->config->memory_max == CONFIG_UNLIMITED)
        return;
    uint64_t elsewhere = 0;
    atomic_store_explicit(&worker->memory, engine_memory(worker->engine), memory_order_relaxed);
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        if (i != worker->index)
            elsewhere += atomic_load_explicit(&runtime->workers[i].memory, memory_order_relaxed);
    if (elsewhere == worker->memory_elsewhere)
        return;
    worker->memory_elsewhere = elsewhere;
    struct engine_input input = {.kind = INPUT_MEMORY, .size = elsewhere};
    worker_input(worker, &input);
}

void worker_turn(struct worker *worker) {
    struct mono now = worker_now(worker).mono;
    share_memory(worker);
    dial_tick(worker);
    for (int round = 0; round < ROUNDS_MAX && (round == 0 || worker->is_pending); round++)
        finish(worker);
    if (worker->is_pending)
        loop_again(worker->loop);
    link_linger_over(worker);
    if (mono_due(worker->full_at, now))
        link_full_look(worker);
    if (mono_due(worker->accept_again, now))
        gate_resume(worker);
    if (mono_due(worker->sweep_at, now))
        sweep(worker);
    if (worker->is_draining)
        look_whether_quiet(worker);
    if (mono_due(worker->publish_at, now)) {
        packet_overflows(worker);
        view_publish(worker);
        worker->publish_at = MONO_NEVER;
    }
    pen_flush(&worker->pen);
}

static void on_turn(void *user) {
    struct worker *worker = user;
    worker_turn(worker);
    set_timer(worker);
    worker->has_now = false;
}

static void on_timer(void *user) {
    (void)user; /* the turn looks at all that may be due */
}

static void on_wake(void *user) {
    struct worker *worker = user;
    inbox_run(&worker->inbox, worker);
    mail_receive(worker);
}

/* -- what engines tell -- */

static void counted(void *user, const struct engine_count *count) {
    struct worker *worker = user;
    if (worker->input_log)
        outcome_counted(input_log_outcome(worker), count);
    tally_ending(&worker->tally, count);
    touch(worker);
    if (count->ending <= ENDING_REPLIED && pen_wants(&worker->pen, LOG_ROOM_ENGINE, LOG_LEVEL_DEBUG))
        tell_count(worker, count);
}

static void retried(void *user, uint32_t system, const struct engine_retry *retry) {
    struct worker *worker = user;
    if (worker->input_log)
        outcome_retried(input_log_outcome(worker), system, retry);
    tally_retried(&worker->tally, system, retry);
}

static void checked(void *user, uint32_t system, bool is_good) {
    struct worker *worker = user;
    tally_checked(&worker->tally, system, is_good);
}

static void endpoint_changed(void *user, const struct engine_endpoint_view *endpoint) {
    struct worker *worker = user;
    tell_endpoint(worker, endpoint);
    touch(worker);
}

static void connection_changed(void *user, const struct connection *connection, bool opened) {
    struct worker *worker = user;
    if (worker->input_log)
        outcome_connection(input_log_outcome(worker), connection, opened);
    tally_connection(&worker->tally, connection, opened);
    tell_connection(worker, connection, opened);
    touch(worker);
}

static void exchanged(void *user, const struct engine_exchange *exchange) {
    struct worker *worker = user;
    if (worker->input_log)
        outcome_exchanged(input_log_outcome(worker), exchange);
    tally_exchange(&worker->tally, exchange);
    tell_exchange(worker, exchange);
    touch(worker);
}

static void request(void *user, struct connection *connection, uint64_t token, const struct protocol_request *request) {
    struct worker *worker = user;
    const struct runtime_admin *admin = worker->runtime->options.admin;
    touch(worker);
    if (!admin || connection->listener != ENGINE_ADMIN_LISTENER) {
        connection_settle(connection, token, token, STATUS_NOT_FOUND, 0);
        return;
    }
    if (worker->input_log)
        input_log_asked(worker, false);
    worker->is_asked = true;
    admin->request(admin->user, worker->runtime, connection, token, request);
    worker->is_asked = false;
    if (worker->input_log)
        input_log_asked(worker, true);
}

static void ended(void *user, const struct engine_report *report) {
    struct worker *worker = user;
    if (worker->input_log)
        outcome_ended(input_log_outcome(worker), report);
    tell_ending(worker, report);
}

static void logged(void *user, const struct engine_log *log) {
    tell_log(user, log);
}

static void dropped(void *user, const struct connection *connection, const char *rule) {
    struct worker *worker = user;
    tally_datagram_dropped(&worker->tally, connection->setup->name, rule, 1);
}

static const struct engine_calls calls = {
    .counted = counted, .ended = ended, .logged = logged, .retried = retried, .request = request, .connection = connection_changed,
    .dropped = dropped, .endpoint = endpoint_changed, .checked = checked,
    .exchanged = exchanged};

/* -- configuration and drain -- */

static struct gate *gate_find(struct worker *worker, const struct place *place) {
    for (struct list_node *node = list_first(&worker->gates); node; node = list_next(&worker->gates, node)) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        if (gate->place == place)
            return gate;
    }
    return NULL;
}

/* Said of the listening socket, it costs nothing for each that is accepted. */
static void keep_alive(int fd, const struct config *config, size_t index) {
    if (index < config->listener_count && config->listeners[index].url.scheme != CONFIG_SCHEME_UDP)
        link_keep_alive(fd, &config->listeners[index].keepalive);
}

static void open_gates(struct worker *worker, const struct generation *generation, struct worker_change *change) {
    for (size_t i = 0; i < generation->place_count; i++) {
        struct place *place = generation->places[i];
        uint32_t index = place->is_admin ? ENGINE_ADMIN_LISTENER : (uint32_t)i;
        struct gate *gate = gate_find(worker, place);
        if (gate) {
            gate->index = index;
            keep_alive(gate->fd, generation->config, i);
            if (place->is_datagram && generation->reopen[i])
                gate_reopen(gate);
        } else if (place->fds[worker->index] >= 0) {
            keep_alive(place->fds[worker->index], generation->config, i);
            gate_open(worker, change->gates[i], place, index);
            change->gates[i] = NULL;
        }
    }
}

/* Those whose listener is gone. Before the engine learns of the new plan, so that their names still mean something. */
static void close_gates(struct worker *worker, const struct generation *next) {
    for (struct list_node *node = list_first(&worker->gates); node;) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        bool stays = false;
        node = list_next(&worker->gates, node);
        for (size_t i = 0; i < next->place_count && !stays; i++)
            stays = next->places[i] == gate->place;
        if (!stays)
            gate_empty(gate);
    }
}

void worker_change_free(struct worker_change *change) {
    if (!change)
        return;
    engine_change_free(change->engine);
    tls_worker_free(change->tls);
    for (size_t i = 0; i < change->gate_count; i++)
        memory_free(change->gates[i]);
    memory_free(change);
}

struct worker_change *worker_change_new(const struct generation *generation) {
    struct worker_change *change = memory_new(sizeof *change + generation->place_count * sizeof change->gates[0]);
    if (!change)
        return NULL;
    change->gate_count = generation->place_count;
    change->engine = engine_change_new(generation->plan);
    bool ok = change->engine != NULL && secure_worker_new(generation, &change->tls);
    for (size_t i = 0; ok && i < change->gate_count; i++)
        ok = (change->gates[i] = memory_new(sizeof *change->gates[i])) != NULL;
    if (ok)
        return change;
    worker_change_free(change);
    return NULL;
}

void worker_configure(struct worker *worker, struct generation *generation, struct worker_change *change) {
    if (worker->generation) {
        worker_turn(worker); /* what the old plan began is carried out by its own places */
        close_gates(worker, generation);
        worker_turn(worker);
    }
    if (worker->generation)
        tally_publish(&worker->tally, worker->engine, worker_now(worker).mono); /* its counts by listener begin anew */
    if (worker->input_log)
        input_log_config(worker, generation);
    struct engine_input input = {.kind = INPUT_CONFIG, .plan = generation->plan, .change = change->engine};
    change->engine = NULL;
    secure_worker_swap(worker, change->tls);
    change->tls = NULL;
    worker_input(worker, &input);
    tally_configure(&worker->tally, generation->plan);
    tally_endpoints(&worker->tally, worker->engine);
    loop_busy_poll(worker->loop, generation->config->busy_poll_ns);
    struct generation *old = worker->generation;
    worker->generation = generation;
    if (!worker->is_draining)
        open_gates(worker, generation, change);
    worker_change_free(change);
    if (old) {
        ASSERT(worker->old_count < COUNT_OF(worker->old)); /* reload_run() refuses before */
        worker->old[worker->old_count++] = old;
        worker->sweep_at = worker_now(worker).mono;
    }
    touch(worker);
}

void worker_drain(struct worker *worker) {
    if (worker->is_draining)
        return;
    worker_turn(worker);
    for (struct list_node *node = list_first(&worker->gates); node;) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        node = list_next(&worker->gates, node);
        if (!gate->place->is_admin && !gate->place->is_datagram)
            gate_empty(gate);
    }
    for (struct list_node *node = list_first(&worker->gates); node;) {
        struct gate *gate = LIST_ENTRY(node, struct gate, node);
        node = list_next(&worker->gates, node);
        if (gate->link)
            link_read(gate->link, false); /* replies still go out by it */
    }
    worker_turn(worker);
    worker->is_draining = true;
    worker->drain_at = worker_now(worker).mono;
    struct engine_input input = {.kind = INPUT_DRAIN};
    worker_input(worker, &input);
}

void worker_leave(struct worker *worker) {
    struct engine_input input = {.kind = INPUT_DRAIN};
    worker->is_leaving = true;
    worker->leave_at = worker_now(worker).mono;
    worker_input(worker, &input);
}

/* -- life -- */

static enum status no_memory(struct fault *fault) {
    return fault_set(fault, STATUS_NO_MEMORY, 0, "no memory for a worker");
}

enum status worker_init(struct worker *worker, struct runtime *runtime, uint32_t index, struct fault *fault) {
    struct loop_owner owner = {worker, on_turn, on_timer, on_wake};
    worker->runtime = runtime;
    worker->index = index;
    inbox_init(&worker->inbox);
    list_init(&worker->gates);
    list_init(&worker->lingering);
    list_init(&worker->full);
    worker->full_at = MONO_NEVER;
    deadlines_init(&worker->dials);
    worker->due = worker->publish_at = worker->sweep_at = worker->accept_again = MONO_NEVER;
    struct engine_options options = {
        .worker = index, .workers = runtime->worker_count, .secret = runtime->secret, .calls = &calls, .user = worker,
        .cut_through = true, .memo = true};
    if (!entropy_seed(&options.seed))
        return fault_set(fault, STATUS_IO_ERROR, 0, "the kernel gives no random bytes");
    enum status status = input_log_new(worker, &options, fault);
    if (status != STATUS_OK)
        return status;
    worker->block = memory_alloc(READ_BLOCK_SIZE);
    worker->mail = memory_array(runtime->worker_count, sizeof *worker->mail);
    worker->outboxes = memory_array(runtime->worker_count, sizeof *worker->outboxes);
    worker->loop = loop_new(&owner);
    worker->engine = engine_new(&options);
    bool ok = worker->block && worker->mail && worker->outboxes && worker->loop && worker->engine && tally_init(&worker->tally) &&
              pen_init(&worker->pen, &runtime->journal) && view_init(&worker->view);
    for (uint32_t i = 0; ok && runtime->worker_count > 1 && i < runtime->worker_count; i++)
        ok = i == index || mailbox_init(&worker->mail[i], MAIL_SLOTS);
    return ok ? STATUS_OK : no_memory(fault);
}

static void drop_links(struct worker *worker) {
    for (uint32_t i = 0; i < worker->link_count; i++)
        if (worker->links[i])
            link_free(worker->links[i]);
    while (worker->lingering.count)
        link_free(LIST_ENTRY(list_first(&worker->lingering), struct link, node));
    memory_free(worker->links);
    worker->links = NULL;
    worker->link_count = 0;
}

/* The engine ends first, so that what it held is told of; its last answers were flushed by the drain. */
void worker_done(struct worker *worker) {
    worker->pen.is_direct = true;
    if (worker->engine)
        input_log_end(worker);
    input_log_free(worker);
    if (worker->engine) {
        while (worker->gates.count)
            gate_close(LIST_ENTRY(list_first(&worker->gates), struct gate, node));
        drop_links(worker);
        struct tls_worker *tls = engine_net(worker->engine)->worker.tls;
        engine_free(worker->engine);
        tls_worker_free(tls);
    }
    for (uint32_t i = 0; worker->mail && i < worker->runtime->worker_count; i++) {
        struct block *parcel;
        while (worker->mail[i].slots && (parcel = mailbox_take(&worker->mail[i])))
            block_unref(parcel);
        if (worker->mail[i].slots)
            mailbox_done(&worker->mail[i]);
    }
    for (uint32_t i = 0; worker->outboxes && i < worker->runtime->worker_count; i++)
        free_parcels(&worker->outboxes[i]);
    memory_free(worker->outboxes);
    loop_free(worker->loop);
    memory_free(worker->mail);
    memory_free(worker->block);
    if (worker->pen.journal)
        pen_flush(&worker->pen);
    pen_done(&worker->pen);
    tally_done(&worker->tally);
    view_done(&worker->view);
    inbox_done(&worker->inbox);
}

static void run(void *user) {
    struct worker *worker = user;
    loop_run(worker->loop);
}

enum status worker_start(struct worker *worker) {
    char name[THREAD_NAME_MAX + 1];
    snprintf(name, sizeof name, "worker-%u", (unsigned)worker->index);
    loop_again(worker->loop); /* its first turn dials and publishes */
    enum status status = thread_start(&worker->thread, name, run, worker);
    worker->is_running = status == STATUS_OK;
    return status;
}
