/* Stream v1, both roles, and the choice by the first byte; with RUN_BEGUN the handshake is done. */
#include "protocol_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const struct slice hello = SLICE("\xf5its\1\0\0\0"
                                            "\0\0\0\x2e\1\0\0\0{\"enc\":[\"json\"],\"auth\":{\"token\":\"itk_secret\"}}");
    static const struct slice welcome = SLICE("\xf5its\1\0\0\0"
                                              "\0\0\0\x0e\2\0\0\0{\"enc\":\"json\"}");
    if (size == 0)
        return 0;
    if (bytes[0] & RUN_DIALLED)
        run(&protocol_stream1, welcome, bytes, size);
    else
        run(bytes[0] & RUN_BEGUN ? &protocol_stream1 : &protocol_stream, hello, bytes, size);
    return 0;
}
