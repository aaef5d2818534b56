/* Says who left last, and what a page says. */
#include "remit.h"

static remit_text left(void) {
    remit_entry_reply kept = remit_get(REMIT_TEXT("left"));
    return kept.failed || !kept.ok.found ? REMIT_TEXT("\"nobody\"") : kept.ok.entry.value;
}

remit_answer remit_call(remit_text action, remit_text input) {
    (void)input;
    if (remit_same(action, REMIT_TEXT("who"))) return remit_ok(left());
    remit_http_reply page = remit_fetch(REMIT_TEXT("GET"), REMIT_TEXT("https://page.example/a"), 0, 0, REMIT_TEXT(""), 10000);
    if (page.failed) return remit_failed(page.error.message);
    remit_buffer output = {0};
    REMIT_ADD(&output, "{\"page\":");
    remit_add_string(&output, page.ok.body);
    REMIT_ADD(&output, ",\"left\":");
    remit_add(&output, left());
    REMIT_ADD(&output, "}");
    return remit_ok(remit_written(&output));
}

remit_answer remit_handle(const remit_event *event) {
    remit_number_reply kept = remit_put(REMIT_TEXT("left"), event->data, REMIT_ANY_VERSION);
    return kept.failed ? remit_failed(kept.error.message) : remit_ok(REMIT_TEXT("null"));
}
