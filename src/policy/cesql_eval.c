/* Runs compiled CESQL: a stack machine without recursion, allocation or backward jumps. */
#include "base/assert.h"
#include "base/text.h"
#include "policy/cesql_ops.h"

/* -- scratch and casts -- */

uint8_t *cesql_scratch(struct cesql_run *run, size_t size) {
    if (size > CESQL_SCRATCH_MAX - run->scratch_used) {
        cesql_raise(run, CESQL_ERROR_GENERIC);
        return NULL;
    }
    uint8_t *at = run->scratch + run->scratch_used;
    run->scratch_used += size;
    return at;
}

bool cesql_text_to_integer(struct slice text, int32_t *ret) {
    int64_t value;
    if (text.size > 1 && text.data[0] == '+' && text.data[1] != '-')
        text = slice_skip(text, 1);
    if (!text_to_i64(text, &value) || value < INT32_MIN || value > INT32_MAX)
        return false;
    *ret = (int32_t)value;
    return true;
}

bool cesql_text_to_boolean(struct slice text, int32_t *ret) {
    *ret = slice_equal_nocase(text, SLICE_OF("true"));
    return *ret || slice_equal_nocase(text, SLICE_OF("false"));
}

static bool cast_to_string(struct cesql_run *run, struct cesql_value *value) {
    if (value->type == CESQL_BOOLEAN) {
        value->text = value->number ? SLICE_OF("true") : SLICE_OF("false");
    } else {
        char digits[TEXT_U64_MAX + 1];
        size_t size = text_from_i64(digits, value->number);
        uint8_t *out = cesql_scratch(run, size);
        if (!out)
            return false;
        memcpy(out, digits, size);
        value->text = slice_make(out, size);
    }
    value->type = CESQL_STRING;
    return true;
}

bool cesql_cast(struct cesql_run *run, struct cesql_value *value, enum cesql_type type) {
    if (value->type == type)
        return true;
    if (type == CESQL_STRING)
        return cast_to_string(run, value);
    if (value->type == CESQL_STRING) {
        bool done = type == CESQL_INTEGER ? cesql_text_to_integer(value->text, &value->number)
                                          : cesql_text_to_boolean(value->text, &value->number);
        if (!done) {
            cesql_raise(run, CESQL_ERROR_CAST);
            return false;
        }
    } else if (type == CESQL_BOOLEAN) {
        value->number = value->number != 0;
    }
    value->type = (uint8_t)type;
    return true;
}

/* -- the stack -- */

static void push(struct cesql_run *run, struct cesql_value value) {
    run->stack[run->top++] = value;
}

static struct cesql_value pop(struct cesql_run *run) {
    return run->stack[--run->top];
}

static struct cesql_value number(enum cesql_type type, int32_t value) {
    return (struct cesql_value){.type = (uint8_t)type, .number = value};
}

/* The zero value of a type, as the result of an operator that couldn't be applied. */
static struct cesql_value zero(enum cesql_type type) {
    return (struct cesql_value){.type = (uint8_t)type, .errored = true, .text = SLICE("")};
}

/* Casts an operand; false when the operator has to answer with its zero value. */
static bool operand(struct cesql_run *run, struct cesql_value *value, enum cesql_type type) {
    return !value->errored && cesql_cast(run, value, type);
}

/* -- attributes -- */

static void push_missing(struct cesql_run *run) {
    cesql_raise(run, CESQL_ERROR_MISSING_ATTRIBUTE);
    push(run, zero(CESQL_BOOLEAN)); /* section 3.2 */
}

/* Section 3.2: Integers and Booleans keep their types, all others are Strings. */
static void push_value(struct cesql_run *run, const struct value *value) {
    if (!value) {
        push_missing(run);
        return;
    }
    int32_t plain;
    if ((value->type == ATTRIBUTE_INTEGER || value->type == ATTRIBUTE_BOOLEAN) &&
        value_number(run->message, value, &plain)) {
        push(run, number(value->type == ATTRIBUTE_INTEGER ? CESQL_INTEGER : CESQL_BOOLEAN, plain));
        return;
    }
    uint8_t *room = run->scratch + run->scratch_used;
    struct slice text = value_canonical(run->message, value, (char *)room, CESQL_SCRATCH_MAX - run->scratch_used);
    if (!text.data) {
        cesql_raise(run, CESQL_ERROR_GENERIC);
        push(run, zero(CESQL_STRING));
        return;
    }
    if (text.data >= room && text.data <= run->scratch + CESQL_SCRATCH_MAX)
        run->scratch_used = (size_t)(text.data - run->scratch) + text.size;
    push(run, (struct cesql_value){.type = CESQL_STRING, .text = text});
}

static void push_attribute(struct cesql_run *run, enum attribute attribute) {
    if (attribute == ATTRIBUTE_PRIORITY)
        push(run, number(CESQL_INTEGER, run->message->priority));
    else if (attribute == ATTRIBUTE_MESSAGETYPE)
        push(run, (struct cesql_value){.type = CESQL_STRING,
                                       .text = message_kind_name((enum message_kind)run->message->kind)});
    else
        push_value(run, message_value(run->message, attribute));
}

/* -- operators -- */

static void negate(struct cesql_run *run) {
    struct cesql_value value = pop(run);
    if (!operand(run, &value, CESQL_INTEGER)) {
        push(run, zero(CESQL_INTEGER));
    } else if (value.number == INT32_MIN) {
        cesql_raise(run, CESQL_ERROR_MATH);
        push(run, zero(CESQL_INTEGER));
    } else {
        push(run, number(CESQL_INTEGER, -value.number));
    }
}

static bool calculate(enum cesql_code code, int64_t left, int64_t right, int64_t *ret) {
    switch ((int)code) {
    case OP_MULTIPLY: *ret = left * right; break;
    case OP_ADD: *ret = left + right; break;
    case OP_SUBTRACT: *ret = left - right; break;
    case OP_DIVIDE:
    case OP_MODULO:
        if (right == 0)
            return false;
        *ret = code == OP_DIVIDE ? left / right : left % right; /* both truncate, as section 3.4.2 wants */
        break;
    default: UNREACHABLE();
    }
    return *ret >= INT32_MIN && *ret <= INT32_MAX;
}

static void arithmetic(struct cesql_run *run, enum cesql_code code) {
    struct cesql_value right = pop(run), left = pop(run);
    int64_t result;
    bool usable = operand(run, &left, CESQL_INTEGER);
    usable = operand(run, &right, CESQL_INTEGER) && usable;
    if (usable && calculate(code, left.number, right.number, &result)) {
        push(run, number(CESQL_INTEGER, (int32_t)result));
        return;
    }
    if (usable)
        cesql_raise(run, CESQL_ERROR_MATH);
    push(run, zero(CESQL_INTEGER));
}

/* Of one type. */
static bool equal(const struct cesql_value *a, const struct cesql_value *b) {
    return a->type == CESQL_STRING ? slice_equal(a->text, b->text) : a->number == b->number;
}

/* Section 3.7: `=` is ambiguous, so the left operand is cast to the type of the right one. */
static void equality(struct cesql_run *run, bool negated) {
    struct cesql_value right = pop(run), left = pop(run);
    if (right.errored || !operand(run, &left, right.type))
        push(run, zero(CESQL_BOOLEAN));
    else
        push(run, number(CESQL_BOOLEAN, equal(&left, &right) != negated));
}

static void order(struct cesql_run *run, enum cesql_code code) {
    struct cesql_value right = pop(run), left = pop(run);
    bool usable = operand(run, &left, CESQL_INTEGER);
    if (!operand(run, &right, CESQL_INTEGER) || !usable) {
        push(run, zero(CESQL_BOOLEAN));
        return;
    }
    bool result = code == OP_LESS         ? left.number < right.number
                  : code == OP_LESS_EQUAL ? left.number <= right.number
                  : code == OP_GREATER    ? left.number > right.number
                                          : left.number >= right.number;
    push(run, number(CESQL_BOOLEAN, result));
}

/* The top as a Boolean, in place. */
static struct cesql_value *truth(struct cesql_run *run) {
    struct cesql_value *value = &run->stack[run->top - 1];
    if (!operand(run, value, CESQL_BOOLEAN))
        *value = zero(CESQL_BOOLEAN);
    return value;
}

static void exclusive_or(struct cesql_run *run) {
    struct cesql_value right = *truth(run);
    run->top--;
    struct cesql_value left = *truth(run);
    run->top--;
    if (left.errored || right.errored)
        push(run, zero(CESQL_BOOLEAN));
    else
        push(run, number(CESQL_BOOLEAN, left.number != right.number));
}

/* True when the left operand of AND (decisive 0) or OR (decisive 1) is the result: it stays. An operand in error makes
 * the operator's zero value, whatever the right one is. */
static bool decides(struct cesql_run *run, int32_t decisive) {
    const struct cesql_value *value = truth(run);
    if (value->errored || value->number == decisive)
        return true;
    run->top--;
    return false;
}

static void like(struct cesql_run *run, struct slice pattern, bool negated) {
    struct cesql_value value = pop(run);
    if (!operand(run, &value, CESQL_STRING)) {
        push(run, zero(CESQL_BOOLEAN));
        return;
    }
    bool matches = cesql_pattern_matches(pattern, value.text, &run->work);
    if (run->work == 0) {
        cesql_raise(run, CESQL_ERROR_GENERIC);
        push(run, zero(CESQL_BOOLEAN));
        return;
    }
    push(run, number(CESQL_BOOLEAN, matches != negated));
}

/* -- IN: elements are cast to the type of the left operand (section 3.4.5) -- */

static void in_set(struct cesql_run *run, const struct cesql_op *op) {
    struct cesql_value value = pop(run);
    if (value.errored) {
        push(run, zero(CESQL_BOOLEAN));
        return;
    }
    bool found = false, failed = false;
    for (size_t i = 0; i < op->count && !found; i++) {
        struct cesql_value item = op->items[i];
        size_t used = run->scratch_used;
        if (cesql_cast(run, &item, value.type))
            found = equal(&value, &item);
        else
            failed = true;
        run->scratch_used = used;
    }
    push(run, failed ? zero(CESQL_BOOLEAN) : number(CESQL_BOOLEAN, found != (op->small != 0)));
}

static void in_next(struct cesql_run *run) {
    struct cesql_value item = pop(run);
    struct cesql_value *found = &run->stack[run->top - 1];
    const struct cesql_value *value = &run->stack[run->top - 2];
    if (value->errored || !operand(run, &item, value->type))
        found->errored = true;
    else if (equal(value, &item))
        found->number = 1;
}

static void in_end(struct cesql_run *run, bool negated) {
    struct cesql_value found = pop(run);
    run->top--;
    push(run, found.errored ? zero(CESQL_BOOLEAN) : number(CESQL_BOOLEAN, (found.number != 0) != negated));
}

/* -- calls -- */

static enum cesql_type argument_type(const struct cesql_function_row *row, size_t index) {
    size_t last = strlen(row->arguments) - 1;
    char type = row->arguments[index < last ? index : last];
    return type == 's' ? CESQL_STRING : type == 'i' ? CESQL_INTEGER : CESQL_BOOLEAN;
}

static void call(struct cesql_run *run, const struct cesql_op *op) {
    const struct cesql_function_row *row = cesql_function_row((enum cesql_function)op->small);
    bool usable = true;
    run->top -= op->count;
    struct cesql_value *arguments = &run->stack[run->top];
    for (size_t i = 0; i < op->count; i++)
        usable = operand(run, &arguments[i], argument_type(row, i)) && usable;
    struct cesql_value result = zero((enum cesql_type)row->type);
    if (usable) {
        result.errored = false;
        cesql_call(run, op, arguments, &result);
    }
    push(run, result);
}

/* -- the machine -- */

/* One operation; returns the index of the next. */
static size_t step(struct cesql_run *run, const struct cesql_op *op, size_t next) {
    const struct message *message = run->message;
    switch ((enum cesql_code)op->code) {
    case OP_INTEGER: push(run, number(CESQL_INTEGER, op->number)); break;
    case OP_IN_BEGIN:
    case OP_BOOLEAN: push(run, number(CESQL_BOOLEAN, op->number)); break;
    case OP_TEXT: push(run, (struct cesql_value){.type = CESQL_STRING, .text = op->text}); break;
    case OP_ATTRIBUTE: push_attribute(run, (enum attribute)op->small); break;
    case OP_NAMED: push_value(run, message_find(message, op->text)); break;
    case OP_EXISTS: push(run, number(CESQL_BOOLEAN, message_has(message, (enum attribute)op->small))); break;
    case OP_EXISTS_NAMED: push(run, number(CESQL_BOOLEAN, message_find(message, op->text) != NULL)); break;
    case OP_NOT: {
        struct cesql_value *value = truth(run);
        value->number = !value->errored && !value->number;
        break;
    }
    case OP_NEGATE: negate(run); break;
    case OP_MULTIPLY:
    case OP_DIVIDE:
    case OP_MODULO:
    case OP_ADD:
    case OP_SUBTRACT: arithmetic(run, (enum cesql_code)op->code); break;
    case OP_EQUAL: equality(run, false); break;
    case OP_UNEQUAL: equality(run, true); break;
    case OP_LESS:
    case OP_LESS_EQUAL:
    case OP_GREATER:
    case OP_GREATER_EQUAL: order(run, (enum cesql_code)op->code); break;
    case OP_AND_LEFT: return decides(run, 0) ? op->target : next;
    case OP_OR_LEFT: return decides(run, 1) ? op->target : next;
    case OP_TRUTH: (void)truth(run); break;
    case OP_XOR: exclusive_or(run); break;
    case OP_LIKE: like(run, op->text, op->small != 0); break;
    case OP_IN_SET: in_set(run, op); break;
    case OP_IN_NEXT: in_next(run); break;
    case OP_IN_END: in_end(run, op->small != 0); break;
    case OP_CALL: call(run, op); break;
    }
    return next;
}

static void start(struct cesql_run *run, const struct cesql *cesql, const struct message *message, struct now now,
                  uint8_t *scratch) {
    run->cesql = cesql;
    run->message = message;
    run->now = now;
    run->scratch = scratch;
    run->scratch_used = 0;
    run->work = CESQL_WORK_MAX;
    run->errors = 0;
    run->data_ready = false;
    run->data = slice_make(NULL, 0);
    run->top = 0;
    memset(run->found, CESQL_FOUND_UNKNOWN, sizeof run->found);
}

static void proceed(struct cesql_run *run) {
    const struct cesql *cesql = run->cesql;
    for (size_t i = 0; i < cesql->count && !(run->errors && run->stop_early);)
        i = step(run, &cesql->ops[i], i + 1);
}

bool cesql_matches(const struct cesql *cesql, const struct message *message, struct now now) {
    uint8_t scratch[CESQL_SCRATCH_MAX];
    struct cesql_run run;
    start(&run, cesql, message, now, scratch);
    run.stop_early = true;
    proceed(&run);
    return !run.errors && run.stack[0].type == CESQL_BOOLEAN && run.stack[0].number;
}

void cesql_evaluate(const struct cesql *cesql, const struct message *message, struct now now,
                    uint8_t scratch[static CESQL_SCRATCH_MAX], struct cesql_result *ret) {
    struct cesql_run run;
    start(&run, cesql, message, now, scratch);
    run.stop_early = false;
    proceed(&run);
    ASSERT(run.top == 1);
    const struct cesql_value *value = &run.stack[0];
    *ret = (struct cesql_result){(enum cesql_type)value->type, value->number, value->text, run.errors};
}

struct cesql_reads cesql_reads(const struct cesql *cesql) {
    return cesql->reads;
}

const char *cesql_error_name(enum cesql_error error) {
    static const char *const names[CESQL_ERROR_COUNT] = {
        [CESQL_ERROR_PARSE] = "parse",
        [CESQL_ERROR_MATH] = "math",
        [CESQL_ERROR_CAST] = "cast",
        [CESQL_ERROR_MISSING_ATTRIBUTE] = "missingAttribute",
        [CESQL_ERROR_MISSING_FUNCTION] = "missingFunction",
        [CESQL_ERROR_FUNCTION_EVALUATION] = "functionEvaluation",
        [CESQL_ERROR_GENERIC] = "generic",
    };
    return names[error];
}
