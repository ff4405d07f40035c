/* What libintertie says about itself. */
#include "intertie/intertie.h"

const char *intertie_version(void) {
    return INTERTIE_VERSION;
}
