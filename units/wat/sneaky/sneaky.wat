;; sneaky: its manifest may ask for one address and one folder; the code tries another address and another file.
;; It answers with what each attempt met: the refusal's name, or "answered".
(component
  ;; ---- the types of remit:unit/types@0.1.0 that this unit speaks of ----
  (import "remit:unit/types@0.1.0" (instance $types
    (type $retry' (record (field "after-ms" u64) (field "reason" string)))
    (export "retry-after" (type $retry (eq $retry')))
    (type $error' (variant (case "rejected" string) (case "retry" $retry) (case "failed" string)))
    (export "error" (type (eq $error')))
    (type $refusal' (enum "denied" "exhausted" "not-found" "conflict" "invalid" "unavailable" "timed-out"))
    (export "refusal" (type $refusal (eq $refusal')))
    (type $host-error' (record (field "code" $refusal) (field "message" string)))
    (export "host-error" (type (eq $host-error')))
    (type $encoding' (enum "utf8" "base64"))
    (export "encoding" (type (eq $encoding')))
  ))
  (alias export $types "error" (type $error))
  (alias export $types "host-error" (type $host-error))
  (alias export $types "encoding" (type $encoding))

  ;; ---- what it asks of the kernel ----
  (import "remit:unit/http@0.1.0" (instance $http
    (alias outer 1 $host-error (type $host-error'))
    (export "host-error" (type $host-error (eq $host-error')))
    (alias outer 1 $encoding (type $encoding'))
    (export "encoding" (type $encoding (eq $encoding')))
    (type $request' (record
      (field "method" string) (field "url" string) (field "headers" (list (tuple string string)))
      (field "body" string) (field "body-encoding" $encoding) (field "timeout-ms" u32)))
    (export "request" (type $request (eq $request')))
    (type $response' (record
      (field "status" u16) (field "headers" (list (tuple string string)))
      (field "body" string) (field "body-encoding" $encoding)))
    (export "response" (type $response (eq $response')))
    (export "fetch" (func (param "request" $request) (result (result $response (error $host-error)))))
  ))
  (import "remit:unit/files@0.1.0" (instance $files
    (alias outer 1 $host-error (type $host-error'))
    (export "host-error" (type $host-error (eq $host-error')))
    (alias outer 1 $encoding (type $encoding'))
    (export "encoding" (type $encoding (eq $encoding')))
    (export "read" (func (param "path" string) (param "encoding" $encoding) (result (result string (error $host-error)))))
  ))

  ;; The memory is a module of its own: lowering an import needs it before the code that uses the import exists.
  (core module $allocator
    ;; Memory: a bump allocator. An instance serves one call, so nothing is ever freed.
    (memory (export "memory") 1)
    (global $heap (mut i32) (i32.const 2048))
    (func $alloc (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      ;; round up to the alignment, a power of two
      (local.set $at (i32.and (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
                              (i32.sub (i32.const 0) (local.get $align))))
      (global.set $heap (i32.add (local.get $at) (local.get $size)))
      (if (i32.gt_u (global.get $heap) (i32.shl (memory.size) (i32.const 16)))
        (then ;; one page more than the missing bytes fill
          (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1)
                (i32.shr_u (i32.sub (global.get $heap) (i32.shl (memory.size) (i32.const 16))) (i32.const 16)))))
            (then unreachable))))
      (memory.copy (local.get $at) (local.get $old) (local.get $had))
      (local.get $at)))
  (core instance $memory (instantiate $allocator))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))

  ;; ---- the imports, as core functions ----
  (alias export $http "fetch" (func $http-fetch))
  (core func $http-fetch-core (canon lower (func $http-fetch) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (alias export $files "read" (func $files-read))
  (core func $files-read-core (canon lower (func $files-read) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (core instance $host
    (export "http.fetch" (func $http-fetch-core))
    (export "files.read" (func $files-read-core)))

  (core module $code
    (import "memory" "memory" (memory 1))
    (import "memory" "realloc" (func $alloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "http.fetch" (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "files.read" (func $files-read (param i32 i32 i32 i32)))

    ;; result<string, error> in memory: tag at 0 (0 = ok), the string's address at 8 and its bytes at 12; 32 bytes.
    (func $ok (param $text i32) (param $bytes i32) (result i32)
      (local $result i32)
      (local.set $result (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 32)))
      (i32.store8 (local.get $result) (i32.const 0))
      (i32.store offset=8 (local.get $result) (local.get $text))
      (i32.store offset=12 (local.get $result) (local.get $bytes))
      (local.get $result))

    ;; 0: where to write next · 64: a table of the refusals' names, 16 bytes each, in the order of types.refusal
    (data (i32.const 64)  "denied          exhausted       not-found       conflict        ")
    (data (i32.const 128) "invalid         unavailable     timed-out       answered        ")
    (data (i32.const 192) "{\22http\22: \22")
    (data (i32.const 208) "\22, \22files\22: \22")
    (data (i32.const 224) "\22}")
    (data (i32.const 256) "GET")
    (data (i32.const 264) "https://collector.example.net")
    (data (i32.const 304) "/etc/passwd")

    ;; appends bytes to the text that begins at 512; the word at 0 is its end
    (func $append (param $text i32) (param $bytes i32)
      (memory.copy (i32.load (i32.const 0)) (local.get $text) (local.get $bytes))
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get $bytes))))

    ;; appends one of the names in the table, without the spaces that fill it up
    (func $append-name (param $index i32)
      (local $name i32) (local $bytes i32)
      (local.set $name (i32.add (i32.const 64) (i32.shl (local.get $index) (i32.const 4))))
      (local.set $bytes (i32.const 16))
      (loop $trim
        (local.set $bytes (i32.sub (local.get $bytes) (i32.const 1)))
        (br_if $trim (i32.eq (i32.const 32) (i32.load8_u (i32.add (local.get $name) (i32.sub (local.get $bytes) (i32.const 1)))))))
      (call $append (local.get $name) (local.get $bytes)))

    ;; an answer at 320 is a tag (0 = ok) and, where refused, the refusal's number at 4; 7 stands for "answered"
    (func $outcome (result i32)
      (if (result i32) (i32.load8_u (i32.const 320))
        (then (i32.load8_u (i32.const 324)))
        (else (i32.const 7))))

    (func (export "call") (param $action i32) (param $action-bytes i32) (param $input i32) (param $input-bytes i32) (result i32)
      (i32.store (i32.const 0) (i32.const 512))
      (call $append (i32.const 192) (i32.const 10))
      (call $fetch
        (i32.const 256) (i32.const 3)       ;; method
        (i32.const 264) (i32.const 29)      ;; url
        (i32.const 0) (i32.const 0)         ;; no headers
        (i32.const 0) (i32.const 0)         ;; no body
        (i32.const 0)                       ;; body-encoding: utf8
        (i32.const 1000)                    ;; timeout in milliseconds
        (i32.const 320))
      (call $append-name (call $outcome))
      (call $append (i32.const 208) (i32.const 13))
      (call $files-read (i32.const 304) (i32.const 11) (i32.const 0) (i32.const 320))
      (call $append-name (call $outcome))
      (call $append (i32.const 224) (i32.const 2))
      (call $ok (i32.const 512) (i32.sub (i32.load (i32.const 0)) (i32.const 512)))))

  (core instance $unit (instantiate $code (with "memory" (instance $memory)) (with "host" (instance $host))))

  ;; ---- export remit:unit/provider@0.1.0 ----
  (func $call (param "action" string) (param "input" string) (result (result string (error $error)))
    (canon lift (core func $unit "call") (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (instance $provider (export "error" (type $error)) (export "call" (func $call)))
  (export "remit:unit/provider@0.1.0" (instance $provider))
)
