// One guest for all hosts: gives its input back ("echo"), or asks the host again and again, for a text ("ask") or for
// a number ("now").
// Built as the core of a component (Remit, wasmtime's own bindings) and, with -DEXTISM, as a plugin of Extism.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(from, name) __attribute__((import_module(from), import_name(name)))

static u32 number(const u8 *at, u32 size) {
  u32 value = 0;
  for (u32 i = 0; i < size; i++) value = value * 10 + (at[i] - '0');
  return value;
}

#ifndef EXTISM

IMPORT("host", "read") void host_read(const u8 *name, u32 size, u32 *answer);
IMPORT("host", "now") u64 host_now(void);

static u32 result[8], answer[8];

// provider.call: "e…" is echo; "n…" wants a number and anything else a text, as often as the input says.
EXPORT("call") u32 *call(const u8 *action, u32 action_size, const u8 *input, u32 size) {
  (void)action_size;
  if (action[0] != 'e')
    for (u32 left = number(input, size); left; left--)
      if (action[0] == 'n') host_now();
      else host_read((const u8 *)"name", 4, answer);
  *(u8 *)result = 0;
  result[2] = (u32)input;
  result[3] = size;
  return result;
}

#else

IMPORT("extism:host/env", "input_length") u64 input_length(void);
IMPORT("extism:host/env", "input_load_u8") u8 input_load_u8(u64 at);
IMPORT("extism:host/env", "input_load_u64") u64 input_load_u64(u64 at);
IMPORT("extism:host/env", "output_set") void output_set(u64 at, u64 size);
IMPORT("extism:host/env", "alloc") u64 ext_alloc(u64 size);
IMPORT("extism:host/env", "free") void ext_free(u64 at);
IMPORT("extism:host/env", "length") u64 ext_length(u64 at);
IMPORT("extism:host/env", "load_u8") u8 load_u8(u64 at);
IMPORT("extism:host/env", "load_u64") u64 load_u64(u64 at);
IMPORT("extism:host/env", "store_u8") void store_u8(u64 at, u8 value);
IMPORT("extism:host/env", "store_u64") void store_u64(u64 at, u64 value);
IMPORT("extism:host/user", "read") u64 host_read(u64 name);
IMPORT("extism:host/user", "now") u64 host_now(void);

static u64 words[8192];

static u32 input(void) {
  u32 size = (u32)input_length(), at = 0;
  for (; at + 8 <= size; at += 8) words[at / 8] = input_load_u64(at);
  for (; at < size; at++) ((u8 *)words)[at] = input_load_u8(at);
  return size;
}

static u64 put(const u8 *from, u32 size) {
  u64 to = ext_alloc(size);
  u32 at = 0;
  for (; at + 8 <= size; at += 8) store_u64(to + at, ((const u64 *)from)[at / 8]);
  for (; at < size; at++) store_u8(to + at, from[at]);
  return to;
}

EXPORT("echo") u32 echo(void) {
  u32 size = input();
  output_set(put((u8 *)words, size), size);
  return 0;
}

EXPORT("ask") u32 ask(void) {
  u32 size = input();
  for (u32 left = number((u8 *)words, size); left; left--) {
    u64 name = put((const u8 *)"name", 4);
    u64 text = host_read(name);
    u32 got = (u32)ext_length(text);
    for (u32 at = 0; at < got; at++) ((u8 *)words)[at] = load_u8(text + at);
    ext_free(text);
    ext_free(name);
  }
  output_set(put((u8 *)words, 0), 0);
  return 0;
}

EXPORT("now") u32 now(void) {
  u32 size = input();
  for (u32 left = number((u8 *)words, size); left; left--) host_now();
  output_set(put((u8 *)words, 0), 0);
  return 0;
}

#endif
