/* The admin surface: HTTP on the loopback listener and the Unix socket of a running router. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "runtime/runtime.h"

/* Fills what runtime_start() needs to answer requests there. */
void admin_surface(struct runtime_admin *ret_admin);

#endif
