/* Units for Remit in C: one header, no library, no libc.
 *
 * Define what the manifest promises, and include this file where you do:
 *
 *   remit_answer remit_call(remit_text action, remit_text input);   for [[action]]
 *   remit_answer remit_handle(const remit_event *event);            for [[on]]
 *   remit_answer remit_transform(remit_text context);               for kind = "transform"
 *
 * Texts are UTF-8 with a size and no zero at the end. Whatever is allocated lives until the call ends, and nothing needs
 * to be freed. A build defines REMIT_NARROWED and one REMIT_HAS_... for each interface that unit.toml entitles to: what
 * is not declared is not there to be called. Layouts are those of the Canonical ABI of the component model, for wasm32.
 */
#ifndef REMIT_H
#define REMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef REMIT_NARROWED /* an editor sees everything */
#define REMIT_HAS_LOG
#define REMIT_HAS_PARAMETERS
#define REMIT_HAS_CLOCK
#define REMIT_HAS_RANDOM
#define REMIT_HAS_STATE
#define REMIT_HAS_EVENTS
#define REMIT_HAS_HTTP
#define REMIT_HAS_FILES
#define REMIT_HAS_SECRETS
#define REMIT_HAS_ACTIONS
#define REMIT_HAS_PROVIDER
#define REMIT_HAS_HANDLER
#define REMIT_HAS_TRANSFORMER
#endif

#define REMIT_IMPORT(interface, name) \
    __attribute__((import_module("remit:unit/" interface "@0.1.0"), import_name(name))) extern
#define REMIT_EXPORT(name) __attribute__((weak, export_name(name)))
#define REMIT_WEAK __attribute__((weak))

/* ---- memory: a heap that only grows during a call, and is empty again after it ---- */

extern unsigned char __heap_base;
REMIT_WEAK uintptr_t remit_heap = 0;

static inline void *remit_alloc_aligned(size_t size, size_t align) {
    if (remit_heap == 0) remit_heap = (uintptr_t)&__heap_base;
    uintptr_t start = (remit_heap + align - 1) & ~(uintptr_t)(align - 1), end = start + size;
    if (start < remit_heap || end < start) __builtin_trap();
    size_t pages = __builtin_wasm_memory_size(0);
    if (end > ((uint64_t)pages << 16)) {
        size_t missing = ((uint64_t)end - ((uint64_t)pages << 16) + 0xffff) >> 16;
        if (__builtin_wasm_memory_grow(0, missing) == (size_t)-1) __builtin_trap();
    }
    remit_heap = end;
    return (void *)start;
}

/* Memory until the end of the call. Traps where the unit has no more: the kernel reports it as the unit's fault. */
static inline void *remit_alloc(size_t size) { return remit_alloc_aligned(size, 8); }

REMIT_EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t had, size_t align, size_t size) {
    void *at = remit_alloc_aligned(size, align);
    if (had) __builtin_memcpy(at, old, had < size ? had : size);
    return at;
}

/* ---- text ---- */

typedef struct {
    const char *at;
    size_t size;
} remit_text;

#define REMIT_TEXT(literal) ((remit_text){(literal), sizeof(literal) - 1})

static inline bool remit_same(remit_text one, remit_text other) {
    return one.size == other.size && (one.size == 0 || __builtin_memcmp(one.at, other.at, one.size) == 0);
}

REMIT_WEAK int memcmp(const void *one, const void *other, size_t size) {
    const unsigned char *a = one, *b = other;
    for (; size; size--, a++, b++)
        if (*a != *b) return *a < *b ? -1 : 1;
    return 0;
}

typedef struct {
    char *at;
    size_t size, room;
} remit_buffer;

static inline void remit_add(remit_buffer *to, remit_text text) {
    if (text.size > to->room - to->size) {
        size_t room = to->room * 2 > to->size + text.size ? to->room * 2 : to->size + text.size + 64;
        char *at = remit_alloc_aligned(room, 1);
        if (to->size) __builtin_memcpy(at, to->at, to->size);
        to->at = at, to->room = room;
    }
    if (text.size) __builtin_memcpy(to->at + to->size, text.at, text.size);
    to->size += text.size;
}

#define REMIT_ADD(to, literal) remit_add((to), REMIT_TEXT(literal))

static inline void remit_add_integer(remit_buffer *to, int64_t number) {
    char digits[24], *at = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) *--at = '-';
    remit_add(to, (remit_text){at, (size_t)(digits + sizeof digits - at)});
}

/* A JSON string: quoted and escaped. */
static inline void remit_add_string(remit_buffer *to, remit_text text) {
    REMIT_ADD(to, "\"");
    for (size_t index = 0; index < text.size; index++) {
        unsigned char letter = (unsigned char)text.at[index];
        char escaped[6] = {'\\', 'u', '0', '0', "0123456789abcdef"[letter >> 4], "0123456789abcdef"[letter & 15]};
        char quoted[2] = {'\\', (char)letter};
        if (letter < 0x20) remit_add(to, (remit_text){escaped, 6});
        else if (letter == '"' || letter == '\\') remit_add(to, (remit_text){quoted, 2});
        else remit_add(to, (remit_text){text.at + index, 1});
    }
    REMIT_ADD(to, "\"");
}

static inline remit_text remit_written(const remit_buffer *from) { return (remit_text){from->at, from->size}; }

/* ---- JSON: values are slices of the text that they stand in; a slice of size 0 is "there is none" ---- */

static inline const char *remit_blank(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) at++;
    return at;
}

/* The end of the value that begins here. */
static inline const char *remit_past(const char *at, const char *end) {
    size_t depth = 0;
    bool quoted = false;
    for (; at < end; at++) {
        if (quoted) {
            if (*at == '\\' && at + 1 < end) at++;
            else if (*at == '"') quoted = false;
            if (!quoted && depth == 0) return at + 1;
        } else if (*at == '"') quoted = true;
        else if (*at == '{' || *at == '[') depth++;
        else if (*at == '}' || *at == ']') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && (*at == ',' || *at == ':' || *at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
            return at;
    }
    return end;
}

/* Walks an object or an array:  remit_each it = remit_begin(json); while (remit_next(&it)) ... it.key ... it.value */
typedef struct {
    remit_text key;   /* of an object: the member's name as JSON, quotes included */
    remit_text value; /* JSON */
    const char *at, *end;
    bool object;
} remit_each;

static inline remit_each remit_begin(remit_text json) {
    const char *end = json.at + json.size, *at = remit_blank(json.at, end);
    bool object = at < end && *at == '{', array = at < end && *at == '[';
    return (remit_each){.at = object || array ? at + 1 : end, .end = end, .object = object};
}

static inline bool remit_next(remit_each *it) {
    const char *at = remit_blank(it->at, it->end);
    if (at < it->end && *at == ',') at = remit_blank(at + 1, it->end);
    if (at >= it->end || *at == ']' || *at == '}') return false;
    if (it->object) {
        const char *past = remit_past(at, it->end);
        it->key = (remit_text){at, (size_t)(past - at)};
        at = remit_blank(past, it->end);
        if (at >= it->end || *at != ':') return false;
        at = remit_blank(at + 1, it->end);
    }
    const char *past = remit_past(at, it->end);
    if (past == at) return false;
    it->value = (remit_text){at, (size_t)(past - at)};
    it->at = past;
    return true;
}

static inline int remit_hex(const char *at) {
    int value = 0;
    for (int index = 0; index < 4; index++) {
        char letter = at[index];
        int digit = letter >= '0' && letter <= '9'   ? letter - '0'
                    : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
                    : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                                     : -1;
        if (digit < 0) return 0xfffd;
        value = value * 16 + digit;
    }
    return value;
}

static inline size_t remit_utf8(uint32_t point, char *to) {
    if (point < 0x80) return to[0] = (char)point, 1;
    if (point < 0x800) return to[0] = (char)(0xc0 | point >> 6), to[1] = (char)(0x80 | (point & 63)), 2;
    if (point < 0x10000) {
        to[0] = (char)(0xe0 | point >> 12), to[1] = (char)(0x80 | (point >> 6 & 63)), to[2] = (char)(0x80 | (point & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | point >> 18), to[1] = (char)(0x80 | (point >> 12 & 63));
    to[2] = (char)(0x80 | (point >> 6 & 63)), to[3] = (char)(0x80 | (point & 63));
    return 4;
}

/* The text that a JSON string says. False if the value is none. A lone surrogate becomes U+FFFD. */
static inline bool remit_string(remit_text json, remit_text *text) {
    if (json.size < 2 || json.at[0] != '"' || json.at[json.size - 1] != '"') return false;
    const char *at = json.at + 1, *end = json.at + json.size - 1;
    char *made = remit_alloc_aligned(json.size, 1), *to = made;
    while (at < end) {
        if (*at != '\\' || at + 1 >= end) {
            *to++ = *at++;
            continue;
        }
        char letter = at[1];
        at += 2;
        if (letter == 'u' && end - at >= 4) {
            uint32_t point = (uint32_t)remit_hex(at);
            at += 4;
            if (point >= 0xd800 && point < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
                uint32_t low = (uint32_t)remit_hex(at + 2);
                if (low >= 0xdc00 && low < 0xe000) point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00), at += 6;
            }
            if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
            to += remit_utf8(point, to);
        } else *to++ = letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'r' ? '\r' : letter == 'b' ? '\b' : letter == 'f' ? '\f' : letter;
    }
    *text = (remit_text){made, (size_t)(to - made)};
    return true;
}

/* The whole number that a JSON value is. False if it is none, or does not fit. */
static inline bool remit_integer(remit_text json, int64_t *number) {
    bool negative = json.size && json.at[0] == '-';
    if (json.size == (size_t)negative) return false;
    uint64_t value = 0, most = (uint64_t)INT64_MAX + negative;
    for (size_t index = negative; index < json.size; index++) {
        unsigned digit = (unsigned)(json.at[index] - '0');
        if (digit > 9 || value > (most - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *number = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* A member of an object, as JSON. */
static inline remit_text remit_member(remit_text object, const char *name) {
    remit_text wanted = {name, __builtin_strlen(name)}, key, found = {0, 0};
    remit_each it = remit_begin(object);
    while (it.object && remit_next(&it))
        if (remit_string(it.key, &key) && remit_same(key, wanted)) found = it.value; /* the last one counts */
    return found;
}

REMIT_WEAK size_t strlen(const char *text) {
    const char *end = text;
    while (*end) end++;
    return (size_t)(end - text);
}

/* A member that is a string, as text. False if there is none. */
static inline bool remit_member_string(remit_text object, const char *name, remit_text *text) {
    return remit_string(remit_member(object, name), text);
}

/* ---- what a unit answers ---- */

typedef struct {
    uint8_t failed;
    union {
        remit_text ok;
        struct {
            uint8_t kind;
            union {
                remit_text text;
                struct {
                    uint64_t after_ms;
                    remit_text reason;
                } retry;
            };
        } error;
    };
} remit_answer;

_Static_assert(sizeof(remit_answer) == 32, "result<string, error>");

/* The output, JSON. */
static inline remit_answer remit_ok(remit_text json) { return (remit_answer){.ok = json}; }
/* The input is not one that this unit takes: the caller is at fault. */
static inline remit_answer remit_rejected(remit_text why) {
    return (remit_answer){.failed = 1, .error = {.kind = 0, .text = why}};
}
/* Not now: try again in so many milliseconds. */
static inline remit_answer remit_retry(uint64_t after_ms, remit_text why) {
    return (remit_answer){.failed = 1, .error = {.kind = 1, .retry = {after_ms, why}}};
}
/* The unit could not do it. */
static inline remit_answer remit_failed(remit_text why) {
    return (remit_answer){.failed = 1, .error = {.kind = 2, .text = why}};
}

/* ---- what a unit may ask ---- */

enum { REMIT_DENIED, REMIT_EXHAUSTED, REMIT_NOT_FOUND, REMIT_CONFLICT, REMIT_INVALID, REMIT_UNAVAILABLE, REMIT_TIMED_OUT };

/* Why the host did not do it. A denial is an answer and never a trap. */
typedef struct {
    uint8_t code;
    remit_text message;
} remit_refusal;

typedef struct {
    uint8_t failed;
    union {
        remit_text ok;
        remit_refusal error;
    };
} remit_text_reply;

typedef struct {
    uint8_t failed;
    union {
        uint64_t ok;
        remit_refusal error;
    };
} remit_number_reply;

typedef struct {
    uint8_t failed;
    union {
        uint8_t ok;
        remit_refusal error;
    };
} remit_truth_reply;

typedef struct {
    uint8_t failed;
    union {
        struct {
            remit_text *at;
            size_t count;
        } ok;
        remit_refusal error;
    };
} remit_list_reply;

#ifdef REMIT_HAS_LOG
enum { REMIT_TRACE, REMIT_DEBUG, REMIT_INFO, REMIT_WARN, REMIT_ERROR };
REMIT_IMPORT("log", "write")
void remit_import_log_write(int level, const char *message, size_t size, const char *fields, size_t fields_size);
static inline void remit_log(int level, remit_text message) {
    remit_import_log_write(level, message.at, message.size, "{}", 2);
}
#endif

#ifdef REMIT_HAS_PARAMETERS
REMIT_IMPORT("parameters", "get") void remit_import_parameters_get(remit_text *to);
/* The unit's parameters, a JSON object. */
static inline remit_text remit_parameters(void) {
    remit_text found;
    remit_import_parameters_get(&found);
    return found;
}
#endif

#ifdef REMIT_HAS_CLOCK
/* Milliseconds since the Unix epoch; nanoseconds since some point. */
REMIT_IMPORT("clock", "now-ms") uint64_t remit_now_ms(void);
REMIT_IMPORT("clock", "monotonic-ns") uint64_t remit_monotonic_ns(void);
#endif

#ifdef REMIT_HAS_RANDOM
REMIT_IMPORT("random", "next") uint64_t remit_random(void);
#endif

#ifdef REMIT_HAS_STATE
typedef struct {
    uint8_t failed;
    union {
        struct {
            uint8_t found;
            struct {
                remit_text value;
                uint64_t version;
            } entry;
        } ok;
        remit_refusal error;
    };
} remit_entry_reply;
_Static_assert(sizeof(remit_entry_reply) == 32, "result<option<entry>, host-error>");

#define REMIT_ANY_VERSION UINT64_MAX

REMIT_IMPORT("state", "get") void remit_import_state_get(const char *key, size_t size, remit_entry_reply *to);
REMIT_IMPORT("state", "put")
void remit_import_state_put(const char *key, size_t size, const char *value, size_t value_size, int expects,
                            uint64_t expected, remit_number_reply *to);
REMIT_IMPORT("state", "delete") void remit_import_state_delete(const char *key, size_t size, remit_truth_reply *to);
REMIT_IMPORT("state", "list")
void remit_import_state_list(const char *prefix, size_t size, const char *after, size_t after_size, uint32_t limit,
                             remit_list_reply *to);

static inline remit_entry_reply remit_get(remit_text key) {
    remit_entry_reply reply;
    remit_import_state_get(key.at, key.size, &reply);
    return reply;
}
/* Sets a key; answers its version. `expected`: the version that must be current, 0 for "must not exist". */
static inline remit_number_reply remit_put(remit_text key, remit_text value, uint64_t expected) {
    remit_number_reply reply;
    bool expects = expected != REMIT_ANY_VERSION;
    remit_import_state_put(key.at, key.size, value.at, value.size, expects, expects ? expected : 0, &reply);
    return reply;
}
static inline remit_truth_reply remit_delete(remit_text key) {
    remit_truth_reply reply;
    remit_import_state_delete(key.at, key.size, &reply);
    return reply;
}
static inline remit_list_reply remit_keys(remit_text prefix, remit_text after, uint32_t limit) {
    remit_list_reply reply;
    remit_import_state_list(prefix.at, prefix.size, after.at, after.size, limit, &reply);
    return reply;
}
#endif

#ifdef REMIT_HAS_EVENTS
REMIT_IMPORT("events", "emit")
void remit_import_events_emit(const char *topic, size_t size, const char *type, size_t type_size, const char *data,
                              size_t data_size, remit_text_reply *to);
/* Says that something happened, when the call commits; answers the event's id. `data` is JSON. */
static inline remit_text_reply remit_emit(remit_text topic, remit_text data) {
    remit_text_reply reply;
    remit_import_events_emit(topic.at, topic.size, "application/json", 16, data.at, data.size, &reply);
    return reply;
}
#endif

#ifdef REMIT_HAS_HTTP
typedef struct {
    remit_text name, value;
} remit_header;
typedef struct {
    uint8_t failed;
    union {
        struct {
            uint16_t status;
            const remit_header *headers;
            size_t header_count;
            remit_text body;
            uint8_t base64;
        } ok;
        remit_refusal error;
    };
} remit_http_reply;
REMIT_IMPORT("http", "fetch")
void remit_import_http_fetch(const char *method, size_t size, const char *url, size_t url_size,
                             const remit_header *headers, size_t header_count, const char *body, size_t body_size,
                             int base64, uint32_t timeout_ms, remit_http_reply *to);
static inline remit_http_reply remit_fetch(remit_text method, remit_text url, const remit_header *headers,
                                           size_t header_count, remit_text body, uint32_t timeout_ms) {
    remit_http_reply reply;
    remit_import_http_fetch(method.at, method.size, url.at, url.size, headers, header_count, body.at, body.size, 0,
                            timeout_ms, &reply);
    return reply;
}
#endif

#ifdef REMIT_HAS_FILES
REMIT_IMPORT("files", "read")
void remit_import_files_read(const char *path, size_t size, int base64, remit_text_reply *to);
REMIT_IMPORT("files", "write")
void remit_import_files_write(const char *path, size_t size, const char *content, size_t content_size, int base64,
                              remit_number_reply *to);
static inline remit_text_reply remit_read(remit_text path) {
    remit_text_reply reply;
    remit_import_files_read(path.at, path.size, 0, &reply);
    return reply;
}
static inline remit_number_reply remit_write(remit_text path, remit_text content) {
    remit_number_reply reply;
    remit_import_files_write(path.at, path.size, content.at, content.size, 0, &reply);
    return reply;
}
#endif

#ifdef REMIT_HAS_SECRETS
REMIT_IMPORT("secrets", "read") void remit_import_secrets_read(const char *name, size_t size, remit_text_reply *to);
static inline remit_text_reply remit_secret(remit_text name) {
    remit_text_reply reply;
    remit_import_secrets_read(name.at, name.size, &reply);
    return reply;
}
#endif

#ifdef REMIT_HAS_ACTIONS
REMIT_IMPORT("actions", "call")
void remit_import_actions_call(const char *action, size_t size, const char *input, size_t input_size,
                               remit_text_reply *to);
/* Calls another unit's action, or a plugin's service; input and output are JSON. */
static inline remit_text_reply remit_invoke(remit_text action, remit_text input) {
    remit_text_reply reply;
    remit_import_actions_call(action.at, action.size, input.at, input.size, &reply);
    return reply;
}
#endif

/* ---- what the kernel calls ---- */

static inline remit_answer *remit_kept(remit_answer answer) {
    remit_answer *kept = remit_alloc(sizeof answer);
    *kept = answer;
    return kept;
}

#ifdef REMIT_HAS_PROVIDER
remit_answer remit_call(remit_text action, remit_text input);
REMIT_EXPORT("remit:unit/provider@0.1.0#call")
remit_answer *remit_export_call(const char *action, size_t size, const char *input, size_t input_size) {
    return remit_kept(remit_call((remit_text){action, size}, (remit_text){input, input_size}));
}
REMIT_EXPORT("cabi_post_remit:unit/provider@0.1.0#call")
void remit_export_call_post(remit_answer *answer) { (void)answer, remit_heap = 0; }
#endif

#ifdef REMIT_HAS_HANDLER
typedef struct {
    remit_text id, topic, source, subject;
    uint64_t time_ms;
    remit_text content_type, data, correlation_id, causation_id, reply_to;
    uint32_t hops;
    uint8_t priority;
    remit_text trace_parent;
    uint32_t attempt;
} remit_event;
_Static_assert(sizeof(remit_event) == 104, "event");

remit_answer remit_handle(const remit_event *event);
REMIT_EXPORT("remit:unit/handler@0.1.0#handle") remit_answer *remit_export_handle(const remit_event *event) {
    return remit_kept(remit_handle(event));
}
REMIT_EXPORT("cabi_post_remit:unit/handler@0.1.0#handle")
void remit_export_handle_post(remit_answer *answer) { (void)answer, remit_heap = 0; }
#endif

#ifdef REMIT_HAS_TRANSFORMER
remit_answer remit_transform(remit_text context);
REMIT_EXPORT("remit:unit/transformer@0.1.0#transform")
remit_answer *remit_export_transform(const char *context, size_t size) {
    return remit_kept(remit_transform((remit_text){context, size}));
}
REMIT_EXPORT("cabi_post_remit:unit/transformer@0.1.0#transform")
void remit_export_transform_post(remit_answer *answer) { (void)answer, remit_heap = 0; }
#endif

#endif
