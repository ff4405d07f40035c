/* What the encoders share: one value as it will leave, be it of the message or of the overlay. Internal to this room. */
#ifndef MESSAGE_ENCODE_H
#define MESSAGE_ENCODE_H

#include "message/encoding.h"
#include "message/store.h"

struct leaving {
    struct slice name;
    uint8_t known;
    uint8_t type; /* enum attribute_type */
    uint8_t form; /* enum value_form */
    int32_t number;
    struct slice bytes;
};

/* Walks all attributes that leave: those of the message in order with replacements in place, then what the overlay
 * adds. Start with *position = 0; false at the end. */
bool leaving_next(const struct message *message, const struct overlay *overlay, unsigned *position,
                  struct leaving *ret_leaving);
/* Canonical string form into `room` or pointing into the message; data NULL: binary, longer than the room. */
struct slice leaving_canonical(const struct leaving *leaving, char *room, size_t room_size);

/* The set of known attributes that the event has. */
static inline uint64_t message_present(const struct message *message) {
    uint64_t present = 0;
    for (unsigned i = 0; i < message->value_count; i++)
        if (message->values[i].known != ATTRIBUTE_OTHER)
            present |= ATTRIBUTE_BIT(message->values[i].known);
    return present;
}

/* JSON data that came without `datacontenttype` gets it spelled out where absence means something else
 * (JSON format section 3.1). */
bool encode_adds_json_type(const struct message *message, const struct overlay *overlay);
/* datacontenttype as it leaves; empty: none. */
struct slice encode_content_type(const struct message *message, const struct overlay *overlay);

#endif
