/* The problem document writer. */
#include "protocol/http1/problem.h"

#include "message/uuid.h"

static void write_type(struct json_write *write, const char *reason, struct slice public_url) {
    char type[512];
    struct buffer text;
    buffer_init_fixed(&text, type, sizeof type);
    if (public_url.size <= sizeof type / 2)
        buffer_add(&text, public_url);
    buffer_add_text(&text, "/problems/");
    buffer_add_text(&text, reason);
    json_write_name(write, SLICE_OF("type"));
    json_write_string(write, buffer_slice(&text));
}

void problem_write(struct json_write *write, const struct problem *problem, struct slice public_url) {
    const struct status_row *row = status_row(problem->status);
    json_write_object(write);
    write_type(write, row->reason, public_url);
    json_write_member_text(write, "title", row->title);
    json_write_member_u64(write, "status", row->http);
    json_write_member_text(write, "reason", row->reason);
    if (problem->detail.size)
        json_write_member(write, "detail", problem->detail);
    if (problem->receipt) {
        char id[UUID_TEXT_SIZE];
        uuid_text(problem->receipt, id);
        json_write_member(write, "id", slice_make(id, sizeof id));
    }
    json_write_object_end(write);
}

const char *problem_phrase(unsigned code) {
    switch (code) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 508: return "Loop Detected";
    default: return code < 200 ? "Informational" : code < 300 ? "Success" : code < 400 ? "Redirection" : "Error";
    }
}
