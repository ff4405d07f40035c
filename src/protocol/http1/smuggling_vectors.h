/* Requests and answers that two readers have been known to read differently, each with the one reading that is ours.
 * For tests only: smuggling_test.c runs them through both roles, tests/live/differential.py (which reads this file) sends
 * them to the running program, alone and beside other proxies.
 *
 * Columns of a request: its name, the section of RFC 9110 or 9112, its bytes, what becomes of it, the status of the
 * answer, the data of the message that is taken. Another request, SMUGGLING_TAIL, follows each at once. */
#ifndef PROTOCOL_HTTP1_SMUGGLING_VECTORS_H
#define PROTOCOL_HTTP1_SMUGGLING_VECTORS_H

#define SMUGGLING_TAIL \
    "POST /v1/systems/tail/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ntail"

/* CLOSED: refused, nothing after it is read. ANSWERED: refused, the tail is the next request. TAKEN: it is a message, the
 * tail is the next request. LAST: it is a message, nothing after it is read. */

#define POST "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
#define OLD "POST /v1/messages HTTP/1.0\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
#define LINE(line) line "\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx"
#define CHUNKS "Transfer-Encoding: chunked\r\n\r\n"
#define END "0\r\n\r\n"

#define SMUGGLING_REQUESTS(X) \
    /* What holds. */ \
    X("plain", "9112 6.3", POST "Content-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("chunks", "9112 7.1", POST CHUNKS "2\r\nbl\r\n3\r\nink\r\n" END, TAKEN, 202, "blink") \
    X("no-body", "9112 6.3", POST "\r\n", TAKEN, 202, "") \
    X("body-looks-like-a-request", "9112 6.3", POST "Content-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n", TAKEN, 202, \
      "GET / HTTP/1.1\\r\\n\\r\\n") \
    X("chunk-looks-like-the-end", "9112 7.1", POST CHUNKS "7\r\n\r\n" END "\r\n" END, TAKEN, 202, "\\r\\n0\\r\\n\\r\\n") \
    /* Line ends and controls. */ \
    X("lf-after-request-line", "9112 2.2", "POST /v1/messages HTTP/1.1\nHost: localhost\r\n\r\n", CLOSED, 400, "") \
    X("lf-everywhere", "9112 2.2", "POST /v1/messages HTTP/1.1\nHost: localhost\n\n", CLOSED, 400, "") \
    X("lf-after-field", "9112 2.2", POST "X: a\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("lf-ends-head", "9112 2.2", POST "X: a\r\n\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("cr-in-value", "9112 2.2", POST "X: a\rContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("cr-in-request-line", "9112 2.2", "POST /v1/messages\r HTTP/1.1\r\nHost: localhost\r\n\r\n", CLOSED, 400, "") \
    X("cr-cr-lf", "9112 2.2", POST "X: a\r\r\n\r\n", CLOSED, 400, "") \
    X("cr-before-length", "9112 2.2", POST "\rContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("cr-after-empty-line", "9112 2.2", POST "Content-Length: 0\r\n\r\r\n", CLOSED, 400, "") \
    X("nul-in-value", "9110 5.5", POST "Content-Length: 5\0\r\n\r\nblink", CLOSED, 400, "") \
    X("nul-in-name", "9110 5.1", POST "Content-\0Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("escape-in-value", "9110 5.5", POST "X: \033\r\n\r\n", CLOSED, 400, "") \
    X("delete-in-value", "9110 5.5", POST "X: \177\r\n\r\n", CLOSED, 400, "") \
    /* Names. */ \
    X("space-before-colon", "9112 5.1", POST "Content-Length : 5\r\n\r\nblink", CLOSED, 400, "") \
    X("tab-before-colon", "9112 5.1", POST "Transfer-Encoding\t: chunked\r\n\r\n" END, CLOSED, 400, "") \
    X("space-before-coding-colon", "9112 5.1", POST "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n" END, CLOSED, 400, "") \
    X("space-before-first-field", "9112 2.2", "POST /v1/messages HTTP/1.1\r\n Host: localhost\r\n\r\n", CLOSED, 400, "") \
    X("space-line-before-length", "9112 2.2", "POST /v1/messages HTTP/1.1\r\n \r\nHost: localhost\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("no-colon", "9112 5", POST "Content-Length 5\r\n\r\nblink", CLOSED, 400, "") \
    X("no-name", "9112 5", POST ": 5\r\n\r\n", CLOSED, 400, "") \
    X("name-with-comma", "9110 5.1", POST "Content-Length, X: 5\r\n\r\n", CLOSED, 400, "") \
    X("name-quoted", "9110 5.1", POST "\"Content-Length\": 5\r\n\r\n", CLOSED, 400, "") \
    X("name-with-high-byte", "9110 5.1", POST "Content-Length\240: 5\r\n\r\n", CLOSED, 400, "") \
    X("name-with-vertical-tab", "9110 5.1", POST "\013Transfer-Encoding: chunked\r\n\r\n" END, CLOSED, 400, "") \
    X("name-underscored", "9110 5.1", POST "Content_Length: 9\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("name-dotted", "9110 5.1", POST "Transfer.Encoding: chunked\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    /* Folding. */ \
    X("folded-length", "9112 5.2", POST "Content-Length:\r\n 5\r\n\r\nblink", CLOSED, 400, "") \
    X("folded-coding", "9112 5.2", POST "Transfer-Encoding:\r\n\tchunked\r\n\r\n" END, CLOSED, 400, "") \
    X("folded-other", "9112 5.2", POST "X: a\r\n Content-Length: 9\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("folded-empty", "9112 5.2", POST "X: a\r\n \r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    /* Both framings. */ \
    X("cl-te", "9112 6.1", POST "Content-Length: 5\r\n" CHUNKS END, CLOSED, 400, "") \
    X("te-cl", "9112 6.1", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" END, CLOSED, 400, "") \
    X("cl-te-case", "9112 6.1", POST "content-length: 5\r\ntransfer-ENCODING: Chunked\r\n\r\n" END, CLOSED, 400, "") \
    X("cl-zero-te", "9112 6.1", POST "Content-Length: 0\r\n" CHUNKS END, CLOSED, 400, "") \
    X("cl-te-unknown", "9112 6.1", POST "Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\nblink", CLOSED, 400, "") \
    X("cl-te-empty", "9112 6.1", POST "Content-Length: 5\r\nTransfer-Encoding:\r\n\r\nblink", CLOSED, 400, "") \
    X("cl-te-identity", "9112 6.1", POST "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nblink", CLOSED, 400, "") \
    X("cl-te-twice", "9112 6.1", POST "Content-Length: 5\r\nTransfer-Encoding: x\r\n" CHUNKS END, CLOSED, 400, "") \
    /* Content-Length. */ \
    X("length-empty", "9110 8.6", POST "Content-Length:\r\n\r\nblink", CLOSED, 400, "") \
    X("length-plus", "9110 8.6", POST "Content-Length: +5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-minus", "9110 8.6", POST "Content-Length: -5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-minus-zero", "9110 8.6", POST "Content-Length: -0\r\n\r\n", CLOSED, 400, "") \
    X("length-hex", "9110 8.6", POST "Content-Length: 0x5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-is-never-octal", "9110 8.6", POST "Content-Length: 010\r\n\r\n0123456789", TAKEN, 202, "0123456789") \
    X("length-underscore", "9110 8.6", POST "Content-Length: 1_0\r\n\r\n0123456789", CLOSED, 400, "") \
    X("length-two-numbers", "9110 8.6", POST "Content-Length: 5 5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-letter", "9110 8.6", POST "Content-Length: 5Z\r\n\r\nblink", CLOSED, 400, "") \
    X("length-fraction", "9110 8.6", POST "Content-Length: 5.0\r\n\r\nblink", CLOSED, 400, "") \
    X("length-power", "9110 8.6", POST "Content-Length: 5e0\r\n\r\nblink", CLOSED, 400, "") \
    X("length-quoted", "9110 8.6", POST "Content-Length: \"5\"\r\n\r\nblink", CLOSED, 400, "") \
    X("length-semicolon", "9110 8.6", POST "Content-Length: 5;a\r\n\r\nblink", CLOSED, 400, "") \
    X("length-wraps-64", "9110 8.6", POST "Content-Length: 18446744073709551621\r\n\r\nblink", CLOSED, 400, "") \
    X("length-wraps-32", "9110 8.6", POST "Content-Length: 4294967301\r\n\r\nblink", CLOSED, 413, "") \
    X("length-20-digits", "9110 8.6", POST "Content-Length: 00000000000000000005\r\n\r\nblink", CLOSED, 400, "") \
    X("length-19-digits", "9110 8.6", POST "Content-Length: 0000000000000000005\r\n\r\nblink", TAKEN, 202, "blink") \
    X("length-list-equal", "9110 8.6", POST "Content-Length: 5, 5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-list-different", "9110 8.6", POST "Content-Length: 5, 0\r\n\r\nblink", CLOSED, 400, "") \
    X("length-list-trailing", "9110 8.6", POST "Content-Length: 5,\r\n\r\nblink", CLOSED, 400, "") \
    X("length-twice-equal", "9112 6.3", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-twice-different", "9112 6.3", POST "Content-Length: 0\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-twice-first-empty", "9112 6.3", POST "Content-Length:\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("length-next-line", "9110 5.5", POST "Content-Length: \2055\r\n\r\nblink", CLOSED, 400, "") \
    X("length-no-break-space", "9110 5.5", POST "Content-Length: 5\240\r\n\r\nblink", CLOSED, 400, "") \
    X("length-surrounded", "9110 5.5", POST "Content-Length:\t 5\t \r\n\r\nblink", TAKEN, 202, "blink") \
    /* Transfer-Encoding. */ \
    X("coding-leading-comma", "9110 5.6.1", POST "Transfer-Encoding: ,chunked\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-trailing-comma", "9110 5.6.1", POST "Transfer-Encoding: chunked,\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-chunked-chunked", "9112 6.1", POST "Transfer-Encoding: chunked, chunked\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-twice", "9112 6.1", POST "Transfer-Encoding: chunked\r\n" CHUNKS END, CLOSED, 400, "") \
    X("coding-twice-identity", "9112 6.1", POST "Transfer-Encoding: identity\r\n" CHUNKS END, CLOSED, 400, "") \
    X("coding-identity", "9112 7", POST "Transfer-Encoding: identity\r\n\r\n", CLOSED, 400, "") \
    X("coding-chunked-identity", "9112 6.3", POST "Transfer-Encoding: chunked, identity\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-xchunked", "9112 6.1", POST "Transfer-Encoding: xchunked\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-chunke", "9112 6.1", POST "Transfer-Encoding: chunke\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-parameter", "9112 7", POST "Transfer-Encoding: chunked;a=b\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-quoted", "9112 7", POST "Transfer-Encoding: \"chunked\"\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-vertical-tab", "9110 5.5", POST "Transfer-Encoding: \013chunked\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-form-feed", "9110 5.5", POST "Transfer-Encoding: chunked\014\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-no-break-space", "9110 5.5", POST "Transfer-Encoding: chunked\240\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-nul", "9110 5.5", POST "Transfer-Encoding: chunked\0\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-empty", "9112 6.1", POST "Transfer-Encoding:\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-in-1.0", "9112 6.1", OLD CHUNKS END, CLOSED, 400, "") \
    X("coding-in-1.0-with-length", "9112 6.1", OLD "Content-Length: 5\r\n" CHUNKS END, CLOSED, 400, "") \
    X("coding-gzip", "9112 6.1", POST "Transfer-Encoding: gzip\r\n\r\n", CLOSED, 501, "") \
    X("coding-gzip-chunked", "9112 6.1", POST "Transfer-Encoding: gzip, chunked\r\n\r\n" END, CLOSED, 501, "") \
    X("coding-chunked-gzip", "9112 6.3", POST "Transfer-Encoding: chunked, gzip\r\n\r\n" END, CLOSED, 400, "") \
    X("coding-upper-case", "9112 7", POST "TRANSFER-ENCODING: CHUNKED\r\n\r\n" END, TAKEN, 202, "") \
    X("te-is-no-coding", "9110 10.1.4", POST "TE: chunked\r\nConnection: TE\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    /* Chunks. */ \
    X("chunk-size-empty", "9112 7.1", POST CHUNKS "\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-hex-prefix", "9112 7.1", POST CHUNKS "0x5\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-plus", "9112 7.1", POST CHUNKS "+5\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-minus", "9112 7.1", POST CHUNKS "-0\r\n\r\n", CLOSED, 400, "") \
    X("chunk-size-underscore", "9112 7.1", POST CHUNKS "0_5\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-leading-space", "9112 7.1", POST CHUNKS " 5\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-trailing-space", "9112 7.1", POST CHUNKS "5 \r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-trailing-tab", "9112 7.1", POST CHUNKS "5\t\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-space-extension", "9112 7.1.1", POST CHUNKS "5 ;a\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-wraps-64", "9112 7.1", POST CHUNKS "10000000000000005\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-16-digits", "9112 7.1", POST CHUNKS "0000000000000005\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-15-digits", "9112 7.1", POST CHUNKS "000000000000005\r\nblink\r\n" END, TAKEN, 202, "blink") \
    X("chunk-size-huge", "9112 7.1", POST CHUNKS "fffffffffffffff\r\nblink\r\n" END, CLOSED, 413, "") \
    X("chunk-size-wraps-32", "9112 7.1", POST CHUNKS "100000005\r\nblink\r\n" END, CLOSED, 413, "") \
    X("chunk-size-letter", "9112 7.1", POST CHUNKS "5g\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-size-nul", "9112 7.1", POST CHUNKS "5\0\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-line-lf", "9112 7.1", POST CHUNKS "5\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-line-cr-x", "9112 7.1", POST CHUNKS "5\rXblink\r\n" END, CLOSED, 400, "") \
    X("chunk-data-short", "9112 7.1", POST CHUNKS "4\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-data-long", "9112 7.1", POST CHUNKS "6\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-data-ends-lf", "9112 7.1", POST CHUNKS "5\r\nblink\n" END, CLOSED, 400, "") \
    X("chunk-data-ends-cr-x", "9112 7.1", POST CHUNKS "5\r\nblink\rX" END, CLOSED, 400, "") \
    X("chunk-data-ends-xx", "9112 7.1", POST CHUNKS "5\r\nblinkXX" END, CLOSED, 400, "") \
    X("chunk-extension", "9112 7.1.1", POST CHUNKS "5;a=\"b;c\"\r\nblink\r\n" END, TAKEN, 202, "blink") \
    X("chunk-extension-lf", "9112 7.1.1", POST CHUNKS "5;a\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-extension-cr", "9112 7.1.1", POST CHUNKS "5;a\rb\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-extension-nul", "9112 7.1.1", POST CHUNKS "5;\0\r\nblink\r\n" END, CLOSED, 400, "") \
    X("chunk-extension-quoted-line", "9112 7.1.1", POST CHUNKS "5;a=\"\r\nblink\r\n" END, TAKEN, 202, "blink") \
    X("chunk-last-size-zeros", "9112 7.1", POST CHUNKS "5\r\nblink\r\n000\r\n\r\n", TAKEN, 202, "blink") \
    X("chunk-last-without-end", "9112 7.1", POST CHUNKS "5\r\nblink\r\n0\r\n", CLOSED, 400, "") \
    X("chunk-last-ends-lf", "9112 7.1", POST CHUNKS "5\r\nblink\r\n0\r\n\n", CLOSED, 400, "") \
    X("chunk-last-cr-x", "9112 7.1", POST CHUNKS "5\r\nblink\r\n0\r\n\rX", CLOSED, 400, "") \
    X("trailer-dropped", "9112 7.1.2", POST CHUNKS "5\r\nblink\r\n0\r\nContent-Length: 9\r\nce-id: 1\r\n\r\n", TAKEN, 202, "blink") \
    X("trailer-no-colon", "9112 7.1.2", POST CHUNKS "0\r\nX\r\n\r\n", CLOSED, 400, "") \
    X("trailer-space-before-colon", "9112 7.1.2", POST CHUNKS "0\r\nX : y\r\n\r\n", CLOSED, 400, "") \
    X("trailer-folded", "9112 7.1.2", POST CHUNKS "0\r\nX: y\r\n z\r\n\r\n", CLOSED, 400, "") \
    X("trailer-lf", "9112 7.1.2", POST CHUNKS "0\r\nX: y\n\r\n", CLOSED, 400, "") \
    X("trailer-is-a-request", "9112 7.1.2", POST CHUNKS "0\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n", CLOSED, 400, "") \
    /* Bodies on any method. */ \
    X("get-with-body", "9110 9.3.1", "GET /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nblink", ANSWERED, 405, "") \
    X("get-with-chunks", "9110 9.3.1", "GET /v1/messages HTTP/1.1\r\nHost: localhost\r\n" CHUNKS "5\r\nblink\r\n" END, ANSWERED, 405, "") \
    X("head-with-body", "9110 9.3.2", "HEAD /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nblink", ANSWERED, 405, "") \
    X("delete-with-body", "9110 9.3.5", "DELETE /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nblink", ANSWERED, 405, "") \
    X("options-with-body", "9110 9.3.7", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nblink", ANSWERED, 204, "") \
    X("unknown-method-with-body", "9110 9.1", "BREW /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nblink", ANSWERED, 405, "") \
    X("trace-with-body", "9110 9.3.8", "TRACE /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nblink", ANSWERED, 405, "") \
    X("get-with-both", "9112 6.1", "GET /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n" CHUNKS END, CLOSED, 400, "") \
    X("refused-body-chunk-broken", "9112 7.1", "GET /v1/messages HTTP/1.1\r\nHost: localhost\r\n" CHUNKS "x\r\n", CLOSED, 405, "") \
    /* Host and target. */ \
    X("host-missing", "9112 3.2", "POST /v1/messages HTTP/1.1\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("host-twice", "9112 3.2", POST "Host: localhost\r\n\r\n", CLOSED, 400, "") \
    X("host-user", "9110 4.2.4", "POST /v1/messages HTTP/1.1\r\nHost: localhost@a\r\n\r\n", CLOSED, 400, "") \
    X("host-list", "9112 3.2", "POST /v1/messages HTTP/1.1\r\nHost: localhost, a\r\n\r\n", CLOSED, 400, "") \
    X("host-space", "9112 3.2", "POST /v1/messages HTTP/1.1\r\nHost: localhost a\r\n\r\n", CLOSED, 400, "") \
    X("host-slash", "9112 3.2", "POST /v1/messages HTTP/1.1\r\nHost: localhost/v1\r\n\r\n", CLOSED, 400, "") \
    X("host-port-letters", "9112 3.2", "POST /v1/messages HTTP/1.1\r\nHost: localhost:a\r\n\r\n", CLOSED, 400, "") \
    X("absolute-form", "9112 3.2.2", LINE("POST http://localhost/v1/messages HTTP/1.1"), TAKEN, 202, "x") \
    X("absolute-form-user", "9112 3.2.2", LINE("POST http://u@localhost/v1/messages HTTP/1.1"), CLOSED, 400, "") \
    X("absolute-form-backslash", "9112 3.2.2", LINE("POST http://localhost\\v1/messages HTTP/1.1"), CLOSED, 400, "") \
    X("target-relative", "9112 3.2.1", LINE("POST v1/messages HTTP/1.1"), CLOSED, 400, "") \
    X("target-asterisk-post", "9112 3.2.4", LINE("POST * HTTP/1.1"), CLOSED, 400, "") \
    X("target-authority-post", "9112 3.2.3", LINE("POST localhost:80 HTTP/1.1"), CLOSED, 400, "") \
    X("target-space", "9112 3.2", LINE("POST /v1/messages HTTP/1.1 HTTP/1.1"), CLOSED, 400, "") \
    X("target-fragment", "9112 3.2", LINE("POST /v1/messages#a HTTP/1.1"), CLOSED, 400, "") \
    X("target-control", "9112 3.2", LINE("POST /v1/\001messages HTTP/1.1"), CLOSED, 400, "") \
    X("target-nul", "9112 3.2", LINE("POST /v1/messages\0 HTTP/1.1"), CLOSED, 400, "") \
    X("target-high-byte", "9112 3.2", LINE("POST /v1/messages\240 HTTP/1.1"), CLOSED, 400, "") \
    X("target-bad-escape", "9110 4.2.3", LINE("POST /v1/messages?%zz HTTP/1.1"), CLOSED, 400, "") \
    X("target-cut-escape", "9110 4.2.3", LINE("POST /v1/messages?%0 HTTP/1.1"), CLOSED, 400, "") \
    X("target-escaped-slash", "9110 4.2.3", LINE("POST /v1%2fmessages HTTP/1.1"), ANSWERED, 404, "") \
    X("target-escaped-nul", "9110 4.2.3", LINE("POST /v1/messages%00 HTTP/1.1"), ANSWERED, 404, "") \
    X("target-escaped-line-end", "9110 4.2.3", LINE("POST /v1/messages%0d%0a HTTP/1.1"), ANSWERED, 404, "") \
    X("target-double-slash", "9110 4.2.3", LINE("POST //v1/messages HTTP/1.1"), ANSWERED, 404, "") \
    X("target-dots", "9110 4.2.3", LINE("POST /a/../v1/messages HTTP/1.1"), TAKEN, 202, "x") \
    X("target-escaped-dots", "9110 4.2.3", LINE("POST /a/%2e%2e/v1/messages HTTP/1.1"), TAKEN, 202, "x") \
    X("method-lower-case", "9110 9.1", LINE("post /v1/messages HTTP/1.1"), ANSWERED, 405, "") \
    X("method-no-token", "9110 9.1", LINE("PO(ST /v1/messages HTTP/1.1"), CLOSED, 400, "") \
    X("method-leading-space", "9112 3", LINE(" POST /v1/messages HTTP/1.1"), CLOSED, 400, "") \
    X("line-two-spaces", "9112 3", LINE("POST  /v1/messages HTTP/1.1"), CLOSED, 400, "") \
    X("line-tab", "9112 3", LINE("POST\t/v1/messages HTTP/1.1"), CLOSED, 400, "") \
    X("line-space-at-end", "9112 3", LINE("POST /v1/messages HTTP/1.1 "), CLOSED, 400, "") \
    /* Versions. */ \
    X("version-none", "9112 3", "GET /v1/messages\r\n\r\n", CLOSED, 400, "") \
    X("version-0.9", "9112 2.3", LINE("POST /v1/messages HTTP/0.9"), CLOSED, 505, "") \
    X("version-1.2", "9112 2.3", LINE("POST /v1/messages HTTP/1.2"), CLOSED, 505, "") \
    X("version-1.10", "9112 2.3", LINE("POST /v1/messages HTTP/1.10"), CLOSED, 505, "") \
    X("version-01.1", "9112 2.3", LINE("POST /v1/messages HTTP/01.1"), CLOSED, 505, "") \
    X("version-1", "9112 2.3", LINE("POST /v1/messages HTTP/1"), CLOSED, 505, "") \
    X("version-lower-case", "9112 2.3", LINE("POST /v1/messages http/1.1"), CLOSED, 400, "") \
    X("version-2-preface", "9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", CLOSED, 400, "") \
    /* What stands before. */ \
    X("one-empty-line", "9112 2.2", "\r\n" POST "Content-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("two-empty-lines", "9112 2.2", "\r\n\r\n" POST "Content-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("empty-lf-line", "9112 2.2", "\n" POST "Content-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("nul-before", "9112 2.2", "\0" POST "Content-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    /* HTTP/1.0 and Connection. */ \
    X("old-ends", "9112 9.3", OLD "Content-Length: 5\r\n\r\nblink", LAST, 202, "blink") \
    X("old-without-length", "9112 6.3", OLD "\r\nblink", LAST, 202, "") \
    X("old-kept", "9112 9.3", OLD "Connection: keep-alive\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("old-close-wins", "9112 9.3", OLD "Connection: keep-alive\r\nConnection: close\r\nContent-Length: 5\r\n\r\nblink", LAST, 202, "blink") \
    X("close", "9112 9.6", POST "Connection: close\r\nContent-Length: 5\r\n\r\nblink", LAST, 202, "blink") \
    X("close-in-list", "9112 9.6", POST "Connection: x, Close ,y\r\nContent-Length: 5\r\n\r\nblink", LAST, 202, "blink") \
    X("connection-names-length", "9110 7.6.1", POST "Connection: Content-Length\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("connection-names-coding", "9110 7.6.1", POST "Connection: Transfer-Encoding\r\n" CHUNKS "5\r\nblink\r\n" END, TAKEN, 202, "blink") \
    /* Upgrades, expectations, tunnels. */ \
    X("upgrade-h2c", "9113 3.1", POST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n", TAKEN, 202, "") \
    X("upgrade-websocket-post", "9110 7.8", POST "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("expect-other", "9110 10.1.1", POST "Expect: 100-continue, x\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 417, "") \
    X("expect-with-body-there", "9110 10.1.1", POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("expect-twice", "9110 10.1.1", POST "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 400, "") \
    X("expect-refused", "9110 10.1.1", "GET /v1/messages HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nblink", CLOSED, 405, "") \
    X("connect", "9110 9.3.6", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", ANSWERED, 405, "") \
    X("connect-path", "9110 9.3.6", "CONNECT /v1/messages HTTP/1.1\r\nHost: localhost\r\n\r\n", CLOSED, 400, "") \
    /* Singletons and what another proxy may have meant. */ \
    X("content-type-twice", "9110 5.3", POST "Content-Type: application/cloudevents+json\r\n\r\n", CLOSED, 400, "") \
    X("authorization-twice", "9110 5.3", POST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", CLOSED, 400, "") \
    X("event-attribute-twice", "9110 5.3", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nce-specversion: 1.0\r\nce-id: 1\r\nCE-ID: 2\r\n" \
      "ce-source: /a\r\nce-type: t\r\nContent-Length: 5\r\n\r\nblink", ANSWERED, 400, "") \
    X("method-override-ignored", "9110 9.1", POST "X-HTTP-Method-Override: GET\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink") \
    X("original-url-ignored", "9110 7.1", POST "X-Original-URL: /v1/systems/tail/messages\r\nContent-Length: 5\r\n\r\nblink", TAKEN, 202, "blink")

/* Columns of an answer: name, section, bytes, what becomes of the exchange. The peer sends each after the request, in one
 * piece. KEPT: it is the answer, and the connection serves the next exchange. ENDS: it is the answer, and the connection
 * is not used again. DOUBT: it is none; the connection closes and nobody is told an outcome. */

#define DONE "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define HEAD "HTTP/1.1 202 Accepted\r\n"

#define SMUGGLING_ANSWERS(X) \
    X("plain", "9112 6.3", DONE, KEPT) \
    X("body", "9112 6.3", HEAD "Content-Length: 5\r\n\r\nblink", KEPT) \
    X("chunks", "9112 7.1", HEAD CHUNKS "5\r\nblink\r\n" END, KEPT) \
    X("trailers", "9112 7.1.2", HEAD CHUNKS "0\r\nContent-Length: 9\r\n\r\n", KEPT) \
    X("204", "9112 6.3", "HTTP/1.1 204 No Content\r\n\r\n", KEPT) \
    X("interim-first", "9110 15.2", "HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" DONE, KEPT) \
    X("body-looks-like-an-answer", "9112 6.3", HEAD "Content-Length: 44\r\n\r\n" DONE, KEPT) \
    /* A second answer waits for the next request. */ \
    X("two-answers", "9112 9.2", DONE DONE, ENDS) \
    X("answer-and-interim", "9112 9.2", DONE "HTTP/1.1 100 Continue\r\n\r\n", ENDS) \
    X("answer-and-line-end", "9112 9.2", DONE "\r\n", ENDS) \
    X("answer-and-nul", "9112 9.2", DONE "\0", ENDS) \
    X("204-and-body", "9112 6.3", "HTTP/1.1 204 No Content\r\n\r\n" DONE, ENDS) \
    X("304-and-body", "9112 6.3", "HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n" DONE, ENDS) \
    X("length-too-short", "9112 6.3", HEAD "Content-Length: 4\r\n\r\nblink", ENDS) \
    X("chunks-and-more", "9112 7.1", HEAD CHUNKS END DONE, ENDS) \
    X("until-close", "9112 6.3", HEAD "\r\n" DONE, ENDS) \
    X("close", "9112 9.6", HEAD "Connection: close\r\nContent-Length: 0\r\n\r\n" DONE, ENDS) \
    X("old", "9112 9.3", "HTTP/1.0 202 Accepted\r\nContent-Length: 0\r\n\r\n" DONE, ENDS) \
    /* What can't be framed. */ \
    X("cl-te", "9112 6.1", HEAD "Content-Length: 5\r\n" CHUNKS END, DOUBT) \
    X("te-cl", "9112 6.1", HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" END, DOUBT) \
    X("length-twice-equal", "9112 6.3", HEAD "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("length-twice-different", "9112 6.3", HEAD "Content-Length: 0\r\nContent-Length: 5\r\n\r\nblink", DOUBT) \
    X("length-list", "9110 8.6", HEAD "Content-Length: 0, 5\r\n\r\nblink", DOUBT) \
    X("length-plus", "9110 8.6", HEAD "Content-Length: +0\r\n\r\n", DOUBT) \
    X("length-minus", "9110 8.6", HEAD "Content-Length: -1\r\n\r\n", DOUBT) \
    X("length-hex", "9110 8.6", HEAD "Content-Length: 0x0\r\n\r\n", DOUBT) \
    X("length-empty", "9110 8.6", HEAD "Content-Length:\r\n\r\n", DOUBT) \
    X("length-wraps", "9110 8.6", HEAD "Content-Length: 18446744073709551616\r\n\r\n", DOUBT) \
    X("coding-in-1.0", "9112 6.1", "HTTP/1.0 202 Accepted\r\n" CHUNKS END, DOUBT) \
    X("coding-identity", "9112 7", HEAD "Transfer-Encoding: identity\r\n\r\n", DOUBT) \
    X("coding-twice", "9112 6.1", HEAD "Transfer-Encoding: chunked\r\n" CHUNKS END, DOUBT) \
    X("coding-list", "9112 6.1", HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n" END, DOUBT) \
    X("coding-xchunked", "9112 6.1", HEAD "Transfer-Encoding: xchunked\r\n\r\n" END, DOUBT) \
    X("coding-gzip", "9112 6.1", HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n" END, DOUBT) \
    X("coding-space-before-colon", "9112 5.1", HEAD "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("204-chunked", "9112 6.1", "HTTP/1.1 204 No Content\r\n" CHUNKS END, DOUBT) \
    X("204-length", "9110 8.6", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nblink", DOUBT) \
    X("interim-chunked", "9112 6.1", "HTTP/1.1 100 Continue\r\n" CHUNKS END DONE, DOUBT) \
    X("interim-length", "9110 8.6", "HTTP/1.1 100 Continue\r\nContent-Length: 45\r\n\r\n" DONE DONE, DOUBT) \
    X("switch", "9110 15.2.2", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" DONE, DOUBT) \
    /* Lines. */ \
    X("lf-status-line", "9112 2.2", "HTTP/1.1 202 Accepted\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("lf-field", "9112 2.2", HEAD "X: a\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("cr-in-value", "9112 2.2", HEAD "X: a\rb\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("nul-in-value", "9110 5.5", HEAD "X: \0\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("folded", "9112 5.2", HEAD "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("folded-length", "9112 5.2", HEAD "Content-Length:\r\n 0\r\n\r\n", DOUBT) \
    X("space-before-first-field", "9112 2.2", HEAD " X: a\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("no-colon", "9112 5", HEAD "X\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("empty-line-first", "9112 4", "\r\n" DONE, DOUBT) \
    X("version-2", "9112 2.3", "HTTP/2 202 Accepted\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("version-1.2", "9112 2.3", "HTTP/1.2 202 Accepted\r\nContent-Length: 0\r\n\r\n", DOUBT) \
    X("no-http", "9112 4", "ICY 200 OK\r\n\r\n", DOUBT) \
    X("status-short", "9112 4", "HTTP/1.1 20 A\r\n\r\n", DOUBT) \
    X("status-long", "9112 4", "HTTP/1.1 2020 A\r\n\r\n", DOUBT) \
    X("status-sign", "9112 4", "HTTP/1.1 +20 A\r\n\r\n", DOUBT) \
    X("status-099", "9110 15", "HTTP/1.1 099 A\r\n\r\n", DOUBT) \
    X("status-600", "9110 15", "HTTP/1.1 600 A\r\n\r\n", DOUBT) \
    /* The status was read, so the outcome is known; the rest of the answer is broken. */ \
    X("chunk-size-broken", "9112 7.1", HEAD CHUNKS "x\r\n", ENDS) \
    X("chunk-size-prefix", "9112 7.1", HEAD CHUNKS "0x0\r\n\r\n", ENDS) \
    X("chunk-data-long", "9112 7.1", HEAD CHUNKS "4\r\nblink\r\n" END, ENDS) \
    X("chunk-line-lf", "9112 7.1", HEAD CHUNKS "5\nblink\r\n" END, ENDS) \
    X("trailer-broken", "9112 7.1.2", HEAD CHUNKS "0\r\n" DONE, ENDS)

#endif
