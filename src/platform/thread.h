/* Threads, thinly. */
#ifndef PLATFORM_THREAD_H
#define PLATFORM_THREAD_H

#include <pthread.h>

#include "base/status.h"

#define THREAD_NAME_MAX 15 /* the kernel's; longer names are cut */

struct thread {
    pthread_t id;
    void (*run)(void *user);
    void *user;
    char name[THREAD_NAME_MAX + 1];
};

/* Begins run(user). Signals are blocked in the new thread: the main loop's get them. `thread` must stay until
 * joined. OVERLOADED when the system has no room for one more. */
enum status thread_start(struct thread *thread, const char *name, void (*run)(void *user), void *user);
/* Waits until it ended. */
void thread_join(struct thread *thread);

#endif
