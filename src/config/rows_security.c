/* Keys of `security`: who peers are, what they may, what we present. */
#include "base/assert.h"
#include "config/rows.h"

#define P ROW_PLANNED

static const struct config_row rows[] = {
    {"", ROW_GROUP, 0, NULL, "Who peers are, what they may, what we present."},
    {"identities", ROW_NAMED, 0, NULL, "Who they are; an identity acts as one system."},
    {"certificates", ROW_NAMED, 0, NULL, "Our certificates by name; files are watched."},
    {"certificates.*.cert", ROW_PATH, ROW_REQUIRED, NULL, "The chain, PEM: the certificate first, then its issuers."},
    {"certificates.*.key", ROW_PATH, ROW_REQUIRED, NULL, "Its key, PEM."},
    {"authorities", ROW_NAMED, 0, NULL, "Authorities by name."},
    {"authorities.*", ROW_PATH, 0, NULL, "Their certificates, PEM."},
    {"credentials", ROW_NAMED, 0, NULL, "What we present, by name; each is of one kind."},
    {"credentials.*.header.name", ROW_TEXT, ROW_REQUIRED, NULL, "A header field of each request, on http and ws."},
    {"credentials.*.header.value", ROW_TEXT, ROW_SECRET | ROW_REQUIRED, NULL, "Its value."},
    {"credentials.*.bearer", ROW_TEXT, ROW_SECRET, NULL, "A bearer token, on http, ws and intertie: also a key of another intertie."},
    {"credentials.*.basic.user", ROW_TEXT, ROW_REQUIRED, NULL, "A user name, on http and ws."},
    {"credentials.*.basic.password", ROW_TEXT, ROW_SECRET | ROW_REQUIRED, NULL, "Its password."},
    {"credentials.*.webhook.secret", ROW_TEXT, ROW_SECRET | ROW_LIST | ROW_REQUIRED, NULL,
     "Signs what is posted, as Standard Webhooks: `whsec_` and 24 to 64 bytes in base64; several for rotation."},
    {"credentials.*.hmac.secret", ROW_TEXT, ROW_SECRET | ROW_LIST | ROW_REQUIRED, NULL,
     "A shared secret of 16 bytes or more; several for rotation: the first signs, all are believed."},
    {"credentials.*.oauth2.token_url", ROW_HTTP_URL, P, NULL, "Where tokens come from."},
    {"credentials.*.oauth2.client_id", ROW_TEXT, P, NULL, "Who we are there."},
    {"credentials.*.oauth2.client_secret", ROW_TEXT, P | ROW_SECRET, NULL, "Our secret there."},
    {"issuers", ROW_NAMED, P, NULL, "Who may issue tokens."},
    {"roles", ROW_NAMED, P, NULL, "Allow and deny by name."},
    {"audit", ROW_GROUP, P, NULL, "A log of who did what."},
    {"keyring", ROW_GROUP, P, NULL, "Keys for sealed payloads."},
};

const struct config_rows rows_security = {"security", "Security", rows, COUNT_OF(rows)};

static const struct config_row identity[] = {
    {"", ROW_GROUP, 0, NULL, "An identity. It always takes its own system's messages; all else must be allowed."},
    {"system", ROW_REFERENCE, 0, NULL, "Whom it acts as.", .values = "systems"},
    {"keys", ROW_NAMED, 0, NULL, "Its keys by name; several for rotation."},
    {"allow", ROW_RULE, ROW_LIST, NULL,
     "`send`, `call` or `subscribe`, then `system/X` (messages with a target) or `type/X` (without); X may end in `*`."},
    {"deny", ROW_RULE, ROW_LIST, NULL, "The same; it wins over `allow`."},
    {"max_priority", ROW_PRIORITY, 0, "5", "Higher claims are lowered and counted.", .least = 1, .most = 5,
     .field = ROW_FIELD(config_identity, max_priority)},
    {"certificate", ROW_GROUP, 0, NULL, "Known by a client certificate."},
    {"certificate.san", ROW_TEXT, ROW_LIST, NULL, "A name in it: a DNS name, a URI such as `spiffe://acme.example/erp`, an email or IP address; of several any."},
    {"token", ROW_GROUP, P, NULL, "Known by a token."},
    {"token.issuer", ROW_REFERENCE, P, NULL, "From this issuer.", .values = "security.issuers"},
    {"token.subject", ROW_TEXT, P, NULL, "With this subject."},
    {"roles", ROW_REFERENCE, P | ROW_LIST, NULL, "What it may, by name.", .values = "security.roles"},
    {"rate", ROW_GROUP, 0, NULL, "How much it may send."},
    {"rate.messages", ROW_RATE, 0, NULL, "Messages, replies aside.", .field = ROW_FIELD(config_identity, rate.messages)},
    {"rate.bytes", ROW_BYTE_RATE, 0, NULL, "Their bytes: data and attributes as they came.", .field = ROW_FIELD(config_identity, rate.bytes)},
    {"rate.burst", ROW_COUNT, 0, "(one second's worth)", "So much at once: messages, or bytes where only they have a rate.", .least = 1, .field = ROW_FIELD(config_identity, rate.burst)},
    {"rate.by", ROW_ENUM, 0, "all", "What it is counted for: each of them alone, or all together.", .values = "identity|system|address|all", .field = ROW_FIELD(config_identity, rate.by)},
};

const struct config_rows rows_identity = {"security.identities.*", "Identities", identity, COUNT_OF(identity)};

static const struct config_row identity_key[] = {
    {"", ROW_GROUP, 0, NULL, "A key, as `intertie keys new` prints it."},
    {"hash", ROW_HASH, ROW_REQUIRED, NULL, "`sha256:` and the SHA-256 of the key in hexadecimal digits."},
    {"expires", ROW_DATE, 0, NULL, "Not valid from then on: a day (UTC), or a day and time."},
};

const struct config_rows rows_identity_key = {"security.identities.*.keys.*", "Keys of an identity", identity_key, COUNT_OF(identity_key)};
