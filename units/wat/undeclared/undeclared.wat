;; undeclared: imports the secrets interface, of which its manifest says nothing. It must not be admitted.
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
  (import "remit:unit/secrets@0.1.0" (instance $secrets
    (alias outer 1 $host-error (type $host-error'))
    (export "host-error" (type $host-error (eq $host-error')))
    (export "read" (func (param "name" string) (result (result string (error $host-error)))))
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
  (alias export $secrets "read" (func $secrets-read))
  (core func $secrets-read-core (canon lower (func $secrets-read) (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (core instance $host
    (export "secrets.read" (func $secrets-read-core)))

  (core module $code
    (import "memory" "memory" (memory 1))
    (import "memory" "realloc" (func $alloc (param i32 i32 i32 i32) (result i32)))
    (import "host" "secrets.read" (func $read (param $name i32) (param $name-bytes i32) (param $answer i32)))

    ;; result<string, error> in memory: tag at 0 (0 = ok), the string's address at 8 and its bytes at 12; 32 bytes.
    (func $ok (param $text i32) (param $bytes i32) (result i32)
      (local $result i32)
      (local.set $result (call $alloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 32)))
      (i32.store8 (local.get $result) (i32.const 0))
      (i32.store offset=8 (local.get $result) (local.get $text))
      (i32.store offset=12 (local.get $result) (local.get $bytes))
      (local.get $result))

    ;; Whatever the host answers to reading the secret that the input names, the answer is the input.
    (func (export "call") (param $action i32) (param $action-bytes i32) (param $input i32) (param $input-bytes i32) (result i32)
      (call $read (local.get $input) (local.get $input-bytes) (i32.const 16))
      (call $ok (local.get $input) (local.get $input-bytes))))

  (core instance $unit (instantiate $code (with "memory" (instance $memory)) (with "host" (instance $host))))

  ;; ---- export remit:unit/provider@0.1.0 ----
  (func $call (param "action" string) (param "input" string) (result (result string (error $error)))
    (canon lift (core func $unit "call") (memory $bytes) (realloc $realloc) string-encoding=utf8))
  (instance $provider (export "error" (type $error)) (export "call" (func $call)))
  (export "remit:unit/provider@0.1.0" (instance $provider))
)
