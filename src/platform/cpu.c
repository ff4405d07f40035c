/* Processor cores that this process may use. */
#include "platform/cpu.h"

#include <pthread.h>
#include <sched.h>

unsigned cpu_usable(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1; /* more cores than the mask holds */
    int count = CPU_COUNT(&set);
    return count > 0 ? (unsigned)count : 1;
}

bool cpu_pin(unsigned index) {
    cpu_set_t set, one;
    CPU_ZERO(&set);
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) == 0)
        return false;
    unsigned skip = index % (unsigned)CPU_COUNT(&set);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set) || skip-- > 0)
            continue;
        CPU_SET(cpu, &one);
        return pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0;
    }
    return false;
}
