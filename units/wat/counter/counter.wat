;; counter: keeps a count in its state and emits counter.changed.
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
  ))
  (alias export $types "error" (type $error))
  (alias export $types "host-error" (type $host-error))

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
  (alias export $state "get" (func $state-get))
  (core func $state-get-core (canon lower (func $state-get) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (alias export $state "put" (func $state-put))
  (core func $state-put-core (canon lower (func $state-put) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (alias export $events "emit" (func $events-emit))
  (core func $events-emit-core (canon lower (func $events-emit) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (core instance $host
    (export "state.get" (func $state-get-core))
    (export "state.put" (func $state-put-core))
    (export "events.emit" (func $events-emit-core)))

  (core module $code
    (import "memory" "memory" (memory 1))
    (import "memory" "realloc" (func $alloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "state.get" (func $get (param i32 i32 i32)))
    (import "host" "state.put" (func $put (param i32 i32 i32 i32 i32 i64 i32)))
    (import "host" "events.emit" (func $emit (param i32 i32 i32 i32 i32 i32 i32)))

    ;; result<string, error> in memory: tag at 0 (0 = ok), the string's address at 8 and its bytes at 12; 32 bytes.
    (func $ok (param $text i32) (param $bytes i32) (result i32)
      (local $result i32)
      (local.set $result (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 32)))
      (i32.store8 (local.get $result) (i32.const 0))
      (i32.store offset=8 (local.get $result) (local.get $text))
      (i32.store offset=12 (local.get $result) (local.get $bytes))
      (local.get $result))

    (data (i32.const 64) "count")
    (data (i32.const 80) "counter.changed")
    (data (i32.const 96) "application/json")
    (data (i32.const 112) "{\22count\22: ")
    (data (i32.const 128) "no such action")
    (data (i32.const 144) "the state was not available")

    ;; err(failed(text)): tag 1; the variant at 8 with its case (2) and the string at 16
    (func $failed (param $text i32) (param $bytes i32) (result i32)
      (local $result i32)
      (local.set $result (call $ok (i32.const 0) (i32.const 0)))
      (i32.store8 (local.get $result) (i32.const 1))
      (i32.store8 offset=8 (local.get $result) (i32.const 2))
      (i32.store offset=16 (local.get $result) (local.get $text))
      (i32.store offset=20 (local.get $result) (local.get $bytes))
      (local.get $result))

    ;; the number that these decimal digits write
    (func $number (param $text i32) (param $bytes i32) (result i32)
      (local $value i32)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $bytes)))
          (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 10))
                                     (i32.sub (i32.load8_u (local.get $text)) (i32.const 48))))
          (local.set $text (i32.add (local.get $text) (i32.const 1)))
          (local.set $bytes (i32.sub (local.get $bytes) (i32.const 1)))
          (br $next)))
      (local.get $value))

    ;; writes a number's digits from 271 backwards; gives the address of the first
    (func $digits (param $value i32) (result i32)
      (local $at i32)
      (local.set $at (i32.const 272))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
        (local.set $value (i32.div_u (local.get $value) (i32.const 10)))
        (br_if $next (local.get $value)))
      (local.get $at))

    ;; writes {"count": N} to 288 and gives its length; the digits stand from $from to 272
    (func $document (param $from i32) (result i32)
      (local $bytes i32)
      (local.set $bytes (i32.sub (i32.const 272) (local.get $from)))
      (memory.copy (i32.const 288) (i32.const 112) (i32.const 10))
      (memory.copy (i32.const 298) (local.get $from) (local.get $bytes))
      (i32.store8 (i32.add (i32.const 298) (local.get $bytes)) (i32.const 125))
      (i32.add (i32.const 11) (local.get $bytes)))

    ;; The actions differ in their first letter: "read", "increment", and "spoil", which does as "increment" does and then traps.
    (func (export "call") (param $action i32) (param $action-bytes i32) (param $input i32) (param $input-bytes i32) (result i32)
      (local $letter i32) (local $count i32) (local $version i64) (local $from i32) (local $bytes i32)
      (local.set $letter (i32.load8_u (local.get $action)))

      ;; state.get answers at 320: tag; option at 328 (1 = some); the entry's value at 336 and 340, its version at 344
      (call $get (i32.const 64) (i32.const 5) (i32.const 320))
      (if (i32.load8_u (i32.const 320)) (then (return (call $failed (i32.const 144) (i32.const 27)))))
      (if (i32.load8_u (i32.const 328))
        (then
          (local.set $count (call $number (i32.load (i32.const 336)) (i32.load (i32.const 340))))
          (local.set $version (i64.load (i32.const 344)))))
      (if (i32.eq (local.get $letter) (i32.const 114))  ;; r
        (then (return (call $ok (i32.const 288) (call $document (call $digits (local.get $count)))))))
      (if (i32.and (i32.ne (local.get $letter) (i32.const 105)) (i32.ne (local.get $letter) (i32.const 115)))  ;; i, s
        (then (return (call $failed (i32.const 128) (i32.const 14)))))

      (local.set $from (call $digits (i32.add (local.get $count) (i32.const 1))))
      (local.set $bytes (call $document (local.get $from)))
      ;; the version that was read must still be current: some(version), where 0 means that the key must not exist
      (call $put (i32.const 64) (i32.const 5) (local.get $from) (i32.sub (i32.const 272) (local.get $from))
                 (i32.const 1) (local.get $version) (i32.const 320))
      (if (i32.load8_u (i32.const 320)) (then (return (call $failed (i32.const 144) (i32.const 27)))))
      ;; whether the event may be emitted is the host's to say, and not a reason to fail
      (call $emit (i32.const 80) (i32.const 15) (i32.const 96) (i32.const 16) (i32.const 288) (local.get $bytes) (i32.const 320))
      (if (i32.eq (local.get $letter) (i32.const 115)) (then unreachable))
      (call $ok (i32.const 288) (local.get $bytes))))

  (core instance $unit (instantiate $code (with "memory" (instance $memory)) (with "host" (instance $host))))

  ;; ---- export remit:unit/provider@0.1.0 ----
  (func $call (param "action" string) (param "input" string) (result (result string (error $error)))
    (canon lift (core func $unit "call") (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (instance $provider (export "error" (type $error)) (export "call" (func $call)))
  (export "remit:unit/provider@0.1.0" (instance $provider))
)
