;; desk: says who left last, and what a page says.
(component
  ;; ---- the types of remit:unit/types@0.1.0 that this unit speaks of ----
  (import "remit:unit/types@0.1.0" (instance $types
    (type $retry' (record (field "after-ms" u64) (field "reason" string)))
    (export "retry-after" (type $retry (eq $retry')))
    (type $error' (variant (case "rejected" string) (case "retry" $retry) (case "failed" string)))
    (export "error" (type (eq $error')))
    (type $event' (record
      (field "id" string) (field "topic" string) (field "source" string) (field "subject" string) (field "time-ms" u64)
      (field "content-type" string) (field "data" string) (field "correlation-id" string) (field "causation-id" string)
      (field "reply-to" string) (field "hops" u32) (field "priority" u8) (field "trace-parent" string)
      (field "attempt" u32)))
    (export "event" (type (eq $event')))
    (type $refusal' (enum "denied" "exhausted" "not-found" "conflict" "invalid" "unavailable" "timed-out"))
    (export "refusal" (type $refusal (eq $refusal')))
    (type $host-error' (record (field "code" $refusal) (field "message" string)))
    (export "host-error" (type (eq $host-error')))
    (type $encoding' (enum "utf8" "base64"))
    (export "encoding" (type (eq $encoding')))
  ))
  (alias export $types "error" (type $error))
  (alias export $types "event" (type $event))
  (alias export $types "host-error" (type $host-error))
  (alias export $types "encoding" (type $encoding))

  ;; ---- what it asks of the kernel ----
  (import "remit:unit/state@0.1.0" (instance $state
    (alias outer 1 $host-error (type $host-error'))
    (export "host-error" (type $host-error (eq $host-error')))
    (type $entry' (record (field "value" string) (field "version" u64)))
    (export "entry" (type $entry (eq $entry')))
    (export "get" (func (param "key" string) (result (result (option $entry) (error $host-error)))))
    (export "put" (func (param "key" string) (param "value" string) (param "expected" (option u64))
      (result (result u64 (error $host-error)))))
  ))
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

  ;; The memory is a module of its own: lowering an import needs it before the code that uses the import exists.
  (core module $allocator
    ;; Memory: a bump allocator. An instance serves one call, so nothing is ever freed.
    (memory (export "memory") 1)
    (global $heap (mut i32) (i32.const 4096))
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
  (alias export $state "get" (func $state-get))
  (core func $state-get-core (canon lower (func $state-get) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (alias export $state "put" (func $state-put))
  (core func $state-put-core (canon lower (func $state-put) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (alias export $http "fetch" (func $http-fetch))
  (core func $http-fetch-core (canon lower (func $http-fetch) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (core instance $host
    (export "state.get" (func $state-get-core))
    (export "state.put" (func $state-put-core))
    (export "http.fetch" (func $http-fetch-core)))

  (core module $code
    (import "memory" "memory" (memory 1))
    (import "memory" "realloc" (func $alloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "state.get" (func $get (param i32 i32 i32)))
    (import "host" "state.put" (func $put (param i32 i32 i32 i32 i32 i64 i32)))
    (import "host" "http.fetch" (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))

    ;; 0: where to write next · 320: what the host answers · from 512: the output
    (data (i32.const 64) "left")
    (data (i32.const 72) "null")
    (data (i32.const 200) "\22nobody\22")
    (data (i32.const 80) "GET")
    (data (i32.const 96) "https://page.example/a")
    (data (i32.const 128) "{\22page\22:\22")
    (data (i32.const 144) "\22,\22left\22:")
    (data (i32.const 160) "}")
    (data (i32.const 176) "nobody answers")

    ;; result<string, error>: tag at 0, the text at 8 and 12; where failed, case 2 at 8 and the text at 16 and 20
    (func $answer (param $failed i32) (param $text i32) (param $bytes i32) (result i32)
      (local $result i32) (local $place i32)
      (local.set $result (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 32)))
      (local.set $place (i32.add (local.get $result) (i32.shl (local.get $failed) (i32.const 3))))
      (i32.store8 (local.get $result) (local.get $failed))
      (if (local.get $failed) (then (i32.store8 offset=8 (local.get $result) (i32.const 2))))
      (i32.store offset=8 (local.get $place) (local.get $text))
      (i32.store offset=12 (local.get $place) (local.get $bytes))
      (local.get $result))

    (func $append (param $text i32) (param $bytes i32)
      (memory.copy (i32.load (i32.const 0)) (local.get $text) (local.get $bytes))
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (local.get $bytes))))

    ;; appends who left, JSON as the event said it, or nobody; option at 328, the value at 336 and 340
    (func $append-left
      (call $get (i32.const 64) (i32.const 4) (i32.const 320))
      (if (i32.and (i32.eqz (i32.load8_u (i32.const 320))) (i32.load8_u (i32.const 328)))
        (then (call $append (i32.load (i32.const 336)) (i32.load (i32.const 340))))
        (else (call $append (i32.const 200) (i32.const 8)))))

    ;; The actions differ in their first letter: "who" and "look".
    (func (export "call") (param $action i32) (param $action-bytes i32) (param $input i32) (param $input-bytes i32) (result i32)
      (i32.store (i32.const 0) (i32.const 512))
      (if (i32.eq (i32.load8_u (local.get $action)) (i32.const 119))  ;; w
        (then (call $append-left))
        (else
          (call $fetch (i32.const 80) (i32.const 3) (i32.const 96) (i32.const 22) (i32.const 0) (i32.const 0)
                       (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 10000) (i32.const 320))
          (if (i32.load8_u (i32.const 320)) (then (return (call $answer (i32.const 1) (i32.const 176) (i32.const 14)))))
          (call $append (i32.const 128) (i32.const 9))
          (call $append (i32.load (i32.const 336)) (i32.load (i32.const 340)))  ;; the body of the response
          (call $append (i32.const 144) (i32.const 9))
          (call $append-left)
          (call $append (i32.const 160) (i32.const 1))))
      (call $answer (i32.const 0) (i32.const 512) (i32.sub (i32.load (i32.const 0)) (i32.const 512))))

    ;; The event comes as an address: its data at 48 and 52.
    (func (export "handle") (param $event i32) (result i32)
      (call $put (i32.const 64) (i32.const 4) (i32.load offset=48 (local.get $event)) (i32.load offset=52 (local.get $event))
                 (i32.const 0) (i64.const 0) (i32.const 320))
      (call $answer (i32.load8_u (i32.const 320)) (i32.const 72) (i32.const 4))))

  (core instance $unit (instantiate $code (with "memory" (instance $memory)) (with "host" (instance $host))))

  ;; ---- exports ----
  (func $call (param "action" string) (param "input" string) (result (result string (error $error)))
    (canon lift (core func $unit "call") (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (instance $provider (export "error" (type $error)) (export "call" (func $call)))
  (export "remit:unit/provider@0.1.0" (instance $provider))
  (func $handle (param "event" $event) (result (result string (error $error)))
    (canon lift (core func $unit "handle") (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (instance $handler (export "error" (type $error)) (export "event" (type $event)) (export "handle" (func $handle)))
  (export "remit:unit/handler@0.1.0" (instance $handler))
)
