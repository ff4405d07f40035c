/* libintertie: connect systems which speak different protocols.
 *
 * In 0.1.0 the library only says its version; routers, endpoints and tests from C are not supported yet. Every name
 * begins with intertie_ or INTERTIE_. */
#ifndef INTERTIE_H
#define INTERTIE_H

#ifdef __cplusplus
extern "C" {
#endif

#define INTERTIE_VERSION_MAJOR 0
#define INTERTIE_VERSION_MINOR 1
#define INTERTIE_VERSION_PATCH 0

/* Marks what the shared library shows to the outside. */
#if defined(__GNUC__)
#define INTERTIE_API __attribute__((visibility("default")))
#else
#define INTERTIE_API
#endif

/* The version of the library that is linked, as "MAJOR.MINOR.PATCH". Static storage, never NULL. Any thread. */
INTERTIE_API const char *intertie_version(void);

#ifdef __cplusplus
}
#endif

#endif
