/* acme/prompt-guard: looks for what people write to make an assistant forget whom it works for.
 *
 * The text is first made plain: letters small, fullwidth ones ordinary, invisible characters dropped (and noted),
 * everything between words one space. Each phrase is then looked for at each word. Time is linear in the text. */
#include "remit.h"

typedef struct {
    const char *rule, *phrase; /* words; "*" stands for up to three others */
    int weight;
} pattern;

static const pattern PHRASES[] = {
    {"override", "ignore * previous instructions", 5},
    {"override", "ignore * above instructions", 5},
    {"override", "ignore your * instructions", 5},
    {"override", "disregard * instructions", 5},
    {"override", "disregard * rules", 5},
    {"override", "forget everything * before", 5},
    {"override", "forget * previous instructions", 5},
    {"override", "new instructions follow", 4},
    {"override", "override * safety", 5},
    {"reveal", "reveal * system prompt", 5},
    {"reveal", "print * system prompt", 5},
    {"reveal", "repeat * system prompt", 5},
    {"reveal", "show * hidden instructions", 5},
    {"persona", "you are now * assistant", 3},
    {"persona", "pretend * no restrictions", 4},
    {"persona", "do anything now", 4},
    {"persona", "developer mode", 3},
    {"persona", "jailbreak", 4},
    {"exfiltrate", "send * conversation to", 5},
    {"exfiltrate", "send * api key", 5},
    {"exfiltrate", "forward * password", 5},
    {"secrecy", "do not tell the user", 4},
    {"secrecy", "without telling the user", 4},
};

/* What chat formats put around a turn: in text that was read, nobody needs it. Matched in the text as it is. */
static const char *const MARKERS[] = {"<|im_start|>", "<|im_end|>", "[INST]", "<<SYS>>", "<|system|>", "### System:"};

enum { ROLE_MARKER = 4, HIDDEN = 3, MOST_FINDINGS = 16, MOST_BETWEEN = 3 };

typedef struct {
    const char *rules[MOST_FINDINGS];
    int64_t score;
    size_t count;
    remit_buffer json;
} findings;

static remit_text named(const char *rule) { return (remit_text){rule, strlen(rule)}; }

static void find(findings *found, const char *rule, int weight) {
    for (size_t index = 0; index < found->count; index++)
        if (remit_same(named(found->rules[index]), named(rule))) return;
    if (found->count == MOST_FINDINGS) return;
    if (found->count) REMIT_ADD(&found->json, ",");
    found->rules[found->count++] = rule;
    found->score += weight;
    REMIT_ADD(&found->json, "{\"rule\":");
    remit_add_string(&found->json, named(rule));
    REMIT_ADD(&found->json, ",\"weight\":");
    remit_add_integer(&found->json, weight);
    REMIT_ADD(&found->json, "}");
}

/* How many bytes of an invisible character stand here: zero-width and bidirectional marks, the soft hyphen, tags. */
static size_t invisible(const unsigned char *at, size_t left) {
    if (left >= 2 && at[0] == 0xc2 && at[1] == 0xad) return 2;
    if (left >= 3 && at[0] == 0xe2 && at[1] == 0x80 && ((at[2] >= 0x8b && at[2] <= 0x8f) || (at[2] >= 0xaa && at[2] <= 0xae))) return 3;
    if (left >= 3 && at[0] == 0xe2 && at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf) return 3;
    if (left >= 3 && at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf) return 3;
    if (left >= 4 && at[0] == 0xf3 && at[1] == 0xa0 && (at[2] == 0x80 || at[2] == 0x81)) return 4;
    return 0;
}

/* The fullwidth form of a letter (U+FF21 to U+FF5A) as the letter, or 0. */
static char fullwidth(const unsigned char *at, size_t left) {
    if (left < 3 || at[0] != 0xef) return 0;
    if (at[1] == 0xbc && at[2] >= 0xa1 && at[2] <= 0xba) return (char)('a' + at[2] - 0xa1);
    if (at[1] == 0xbd && at[2] >= 0x81 && at[2] <= 0x9a) return (char)('a' + at[2] - 0x81);
    return 0;
}

/* Words with one space between; `hidden` counts what was dropped. Never longer than the text and one byte. */
static remit_text plain(remit_text text, size_t *hidden) {
    char *made = remit_alloc_aligned(text.size + 1, 1), *to = made;
    for (size_t index = 0; index < text.size;) {
        const unsigned char *at = (const unsigned char *)text.at + index;
        size_t left = text.size - index, dropped = invisible(at, left);
        if (dropped) {
            (*hidden)++;
            index += dropped;
            continue;
        }
        char letter = fullwidth(at, left);
        index += letter ? 3 : 1;
        if (!letter) letter = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
        bool word = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || (unsigned char)letter >= 0x80;
        if (word) *to++ = letter;
        else if (letter != '\'' && to > made && to[-1] != ' ') *to++ = ' ';
    }
    return (remit_text){made, (size_t)(to - made)};
}

static const char *past_word(const char *at, const char *end) {
    while (at < end && *at != ' ') at++;
    return at < end ? at + 1 : end;
}

/* Whether the phrase stands at this word. Goes as deep as the phrase has stars. */
static bool stands(const char *at, const char *end, const char *phrase) {
    while (*phrase) {
        if (*phrase == '*') {
            for (int between = 0; between <= MOST_BETWEEN && at < end; between++, at = past_word(at, end))
                if (stands(at, end, phrase + 2)) return true;
            return false;
        }
        while (*phrase && *phrase != ' ')
            if (at >= end || *at++ != *phrase++) return false;
        if (at < end && *at++ != ' ') return false;
        if (*phrase) phrase++;
    }
    return true;
}

static bool contains(remit_text text, remit_text part) {
    for (size_t at = 0; at + part.size <= text.size; at++)
        if (text.at[at] == part.at[0] && remit_same((remit_text){text.at + at, part.size}, part)) return true;
    return false;
}

static int64_t parameter(const char *name, int64_t otherwise) {
    int64_t value;
    return remit_integer(remit_member(remit_parameters(), name), &value) ? value : otherwise;
}

static remit_answer judge(remit_text input) {
    remit_text text;
    if (!remit_member_string(input, "text", &text)) return remit_rejected(REMIT_TEXT("there is no text"));
    size_t hidden = 0;
    remit_text words = plain(text, &hidden);
    const char *end = words.at + words.size;
    findings found = {0};
    for (const char *at = words.at; at < end; at = past_word(at, end))
        for (size_t index = 0; index < sizeof PHRASES / sizeof *PHRASES; index++)
            if (*at == *PHRASES[index].phrase && stands(at, end, PHRASES[index].phrase))
                find(&found, PHRASES[index].rule, PHRASES[index].weight);
    for (size_t index = 0; index < sizeof MARKERS / sizeof *MARKERS; index++)
        if (contains(text, named(MARKERS[index]))) find(&found, "role-marker", ROLE_MARKER);
    if (hidden) find(&found, "hidden", HIDDEN);

    remit_buffer output = {0};
    REMIT_ADD(&output, "{\"verdict\":");
    bool block = found.score >= parameter("block", 6), flag = found.score >= parameter("flag", 3);
    remit_add_string(&output, block ? REMIT_TEXT("block") : flag ? REMIT_TEXT("flag") : REMIT_TEXT("allow"));
    REMIT_ADD(&output, ",\"score\":");
    remit_add_integer(&output, found.score);
    REMIT_ADD(&output, ",\"findings\":[");
    if (found.count) remit_add(&output, remit_written(&found.json));
    REMIT_ADD(&output, "]}");
    return remit_ok(remit_written(&output));
}

remit_answer remit_call(remit_text action, remit_text input) {
    if (remit_same(action, REMIT_TEXT("judge"))) return judge(input);
    return remit_rejected(REMIT_TEXT("there is no such action"));
}
