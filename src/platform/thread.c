/* Threads, thinly. */
#include "platform/thread.h"

#include <signal.h>
#include <stdio.h>

#include "base/assert.h"

static void *enter(void *argument) {
    struct thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->user);
    return NULL;
}

enum status thread_start(struct thread *thread, const char *name, void (*run)(void *user), void *user) {
    thread->run = run;
    thread->user = user;
    snprintf(thread->name, sizeof thread->name, "%s", name);
    sigset_t all, before;
    sigfillset(&all);
    /* A new thread inherits the mask, so there is no moment in which it could take a signal. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread->id, NULL, enter, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? STATUS_OVERLOADED : STATUS_OK;
}

void thread_join(struct thread *thread) {
    ASSERT(pthread_join(thread->id, NULL) == 0);
}
