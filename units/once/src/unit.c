/* acme/once: a cache of keys that were seen. Two calls at once cannot both be the first: the kernel's state sees to it. */
#include "remit.h"

enum { SWEPT = 100 };

static int64_t member(remit_text object, const char *name, int64_t otherwise) {
    int64_t value;
    return remit_integer(remit_member(object, name), &value) ? value : otherwise;
}

/* A key of the state from a key of the caller. */
static remit_text place(remit_text key) {
    remit_buffer made = {0};
    REMIT_ADD(&made, "seen/");
    remit_add(&made, key);
    return remit_written(&made);
}

static remit_answer refused(remit_refusal why) {
    if (why.code == REMIT_CONFLICT) return remit_retry(5, REMIT_TEXT("another call has the key"));
    return remit_failed(why.message);
}

static remit_answer first(remit_text input) {
    remit_text key;
    if (!remit_member_string(input, "key", &key) || !key.size) return remit_rejected(REMIT_TEXT("there is no key"));
    int64_t now = (int64_t)remit_now_ms(), ttl = member(input, "ttl_ms", member(remit_parameters(), "ttl_ms", 3600000));
    remit_entry_reply before = remit_get(place(key));
    if (before.failed) return refused(before.error);
    bool stands = before.ok.found && member(before.ok.entry.value, "until", 0) > now;
    int64_t times = 1 + (stands ? member(before.ok.entry.value, "times", 0) : 0);
    int64_t until = stands ? member(before.ok.entry.value, "until", 0) : now + ttl;

    remit_buffer entry = {0}, output = {0};
    REMIT_ADD(&entry, "{\"until\":");
    remit_add_integer(&entry, until);
    REMIT_ADD(&entry, ",\"times\":");
    remit_add_integer(&entry, times);
    REMIT_ADD(&entry, "}");
    remit_number_reply put = remit_put(place(key), remit_written(&entry), before.ok.found ? before.ok.entry.version : 0);
    if (put.failed) return refused(put.error);

    REMIT_ADD(&output, "{\"first\":");
    remit_add(&output, stands ? REMIT_TEXT("false") : REMIT_TEXT("true"));
    REMIT_ADD(&output, ",\"times\":");
    remit_add_integer(&output, times);
    REMIT_ADD(&output, "}");
    return remit_ok(remit_written(&output));
}

/* Forgets what has run out, a hundred at most; `more` says that there may be others. */
static remit_answer sweep(void) {
    int64_t now = (int64_t)remit_now_ms(), gone = 0;
    size_t looked = 0;
    remit_text after = {0, 0};
    for (bool more = true; more && gone < SWEPT;) {
        remit_list_reply keys = remit_keys(REMIT_TEXT("seen/"), after, SWEPT);
        if (keys.failed) return refused(keys.error);
        more = keys.ok.count == SWEPT;
        for (size_t index = 0; index < keys.ok.count && gone < SWEPT; index++, looked++) {
            after = keys.ok.at[index];
            remit_entry_reply entry = remit_get(after);
            if (entry.failed) return refused(entry.error);
            if (!entry.ok.found || member(entry.ok.entry.value, "until", 0) > now) continue;
            remit_truth_reply done = remit_delete(after);
            if (done.failed) return refused(done.error);
            gone++;
        }
        if (looked >= 10 * SWEPT) break;
    }
    remit_buffer output = {0};
    REMIT_ADD(&output, "{\"gone\":");
    remit_add_integer(&output, gone);
    REMIT_ADD(&output, ",\"more\":");
    remit_add(&output, gone == SWEPT || looked >= 10 * SWEPT ? REMIT_TEXT("true") : REMIT_TEXT("false"));
    REMIT_ADD(&output, "}");
    return remit_ok(remit_written(&output));
}

remit_answer remit_call(remit_text action, remit_text input) {
    if (remit_same(action, REMIT_TEXT("first"))) return first(input);
    if (remit_same(action, REMIT_TEXT("sweep"))) return sweep();
    return remit_rejected(REMIT_TEXT("there is no such action"));
}
