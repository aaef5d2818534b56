;; react: a handler that does as the data of its event says.
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
  ))
  (alias export $types "error" (type $error))
  (alias export $types "event" (type $event))
  (alias export $types "host-error" (type $host-error))

  ;; ---- what it asks of the kernel ----
  (import "remit:unit/state@0.1.0" (instance $state
    (alias outer 1 $host-error (type $host-error'))
    (export "host-error" (type $host-error (eq $host-error')))
    (export "put" (func (param "key" string) (param "value" string) (param "expected" (option u64))
      (result (result u64 (error $host-error)))))
  ))
  (import "remit:unit/events@0.1.0" (instance $events
    (alias outer 1 $host-error (type $host-error'))
    (export "host-error" (type $host-error (eq $host-error')))
    (export "emit" (func (param "topic" string) (param "content-type" string) (param "data" string)
      (result (result string (error $host-error)))))
  ))

  ;; The memory is a module of its own: lowering an import needs it before the code that uses the import exists.
  (core module $allocator
    ;; Memory: a bump allocator. An instance serves one call, so nothing is ever freed.
    (memory (export "memory") 1)
    (global $heap (mut i32) (i32.const 1024))
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
  (alias export $state "put" (func $state-put))
  (core func $state-put-core (canon lower (func $state-put) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (alias export $events "emit" (func $events-emit))
  (core func $events-emit-core (canon lower (func $events-emit) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (core instance $host
    (export "state.put" (func $state-put-core))
    (export "events.emit" (func $events-emit-core)))

  (core module $code
    (import "memory" "memory" (memory 1))
    (import "memory" "realloc" (func $alloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "state.put" (func $put (param i32 i32 i32 i32 i32 i64 i32)))
    (import "host" "events.emit" (func $emit (param i32 i32 i32 i32 i32 i32 i32)))

    (data (i32.const 64) "react.heard")
    (data (i32.const 80) "loop.turned")
    (data (i32.const 96) "application/json")
    (data (i32.const 128) "as the data says")

    ;; result<string, error> in memory: tag at 0 (0 = ok), the string's address at 8 and its bytes at 12; 32 bytes.
    (func $result (param $tag i32) (result i32)
      (local $result i32)
      (local.set $result (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 32)))
      (i64.store (local.get $result) (i64.const 0))
      (i64.store offset=8 (local.get $result) (i64.const 0))
      (i32.store8 (local.get $result) (local.get $tag))
      (local.get $result))

    ;; err(rejected(text)) and err(failed(text)): tag 1; the variant at 8 with its case and the string at 16
    (func $error (param $case i32) (result i32)
      (local $result i32)
      (local.set $result (call $result (i32.const 1)))
      (i32.store8 offset=8 (local.get $result) (local.get $case))
      (i32.store offset=16 (local.get $result) (i32.const 128))
      (i32.store offset=20 (local.get $result) (i32.const 16))
      (local.get $result))

    ;; err(retry({after-ms: 50, reason})): case 1; the milliseconds at 16 and the string at 24
    (func $again (result i32)
      (local $result i32)
      (local.set $result (call $error (i32.const 1)))
      (i64.store offset=16 (local.get $result) (i64.const 50))
      (i32.store offset=24 (local.get $result) (i32.const 128))
      (i32.store offset=28 (local.get $result) (i32.const 16))
      (local.get $result))

    ;; The event has more fields than fit into parameters, so it comes as an address: id at 0, topic at 8, data at 48,
    ;; reply-to at 72, attempt at 96.
    (func (export "handle") (param $event i32) (result i32)
      (local $letter i32) (local $topic i32)
      (if (i32.gt_u (i32.load offset=52 (local.get $event)) (i32.const 1))
        (then (local.set $letter (i32.load8_u offset=1 (i32.load offset=48 (local.get $event))))))
      (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))  ;; t
      (if (i32.eq (local.get $letter) (i32.const 114)) (then (return (call $error (i32.const 0)))))  ;; r
      (if (i32.eq (local.get $letter) (i32.const 97)) (then (return (call $again))))  ;; a
      (if (i32.eq (local.get $letter) (i32.const 102)) (then (return (call $error (i32.const 2)))))  ;; f
      (if (i32.eq (local.get $letter) (i32.const 108)) (then (loop $ever (br $ever))))  ;; l
      (if (i32.and (i32.eq (local.get $letter) (i32.const 111))  ;; o
                   (i32.eq (i32.load offset=96 (local.get $event)) (i32.const 1)))
        (then (return (call $error (i32.const 2)))))

      (call $put (i32.load (local.get $event)) (i32.load offset=4 (local.get $event))
                 (i32.load offset=48 (local.get $event)) (i32.load offset=52 (local.get $event))
                 (i32.const 0) (i64.const 0) (i32.const 320))
      (local.set $topic (i32.const 64))
      (if (i32.eq (i32.load8_u (i32.load offset=8 (local.get $event))) (i32.const 108))  ;; the topic begins with l
        (then (if (i32.eq (i32.load8_u offset=1 (i32.load offset=8 (local.get $event))) (i32.const 111))
          (then (local.set $topic (i32.const 80))))))
      (call $emit (local.get $topic) (i32.const 11) (i32.const 96) (i32.const 16)
                  (i32.load offset=48 (local.get $event)) (i32.load offset=52 (local.get $event)) (i32.const 320))
      (if (i32.load offset=76 (local.get $event))  ;; somebody waits for an answer
        (then (call $emit (i32.load offset=72 (local.get $event)) (i32.load offset=76 (local.get $event))
                          (i32.const 96) (i32.const 16)
                          (i32.load offset=48 (local.get $event)) (i32.load offset=52 (local.get $event))
                          (i32.const 320))))
      (call $result (i32.const 0))))

  (core instance $unit (instantiate $code (with "memory" (instance $memory)) (with "host" (instance $host))))

  ;; ---- export remit:unit/handler@0.1.0 ----
  (func $handle (param "event" $event) (result (result string (error $error)))
    (canon lift (core func $unit "handle") (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (instance $handler (export "error" (type $error)) (export "event" (type $event)) (export "handle" (func $handle)))
  (export "remit:unit/handler@0.1.0" (instance $handler))
)
