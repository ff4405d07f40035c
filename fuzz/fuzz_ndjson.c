/* JSON lines, both roles; with RUN_BEGUN the peer said hello and acknowledges. */
#include "protocol_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const struct slice hello =
        SLICE("{\"specversion\":\"1.0\",\"id\":\"h\",\"source\":\"/s\",\"type\":\"intertie.ctl.hello.v1\","
              "\"data\":{\"system\":\"crm\",\"ack\":true,\"auth\":{\"token\":\"itk_secret\"}}}\n");
    run(&protocol_ndjson, hello, bytes, size);
    return 0;
}
