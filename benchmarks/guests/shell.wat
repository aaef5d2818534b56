;; The component around echo.c: memory, allocation and types; the build puts the compiled core in place of $guest.
;; Memory that wasmtime allocates in the guest is given back after each call.
(component
  (import "remit:unit/secrets@0.1.0" (instance $secrets
    (type $refusal0 (enum "denied" "exhausted" "not-found" "conflict" "invalid" "unavailable" "timed-out"))
    (export "refusal" (type $refusal (eq $refusal0)))
    (type $host-error0 (record (field "code" $refusal) (field "message" string)))
    (export "host-error" (type $host-error (eq $host-error0)))
    (export "read" (func (param "name" string) (result (result string (error $host-error)))))))
  (core module $guest
    (import "env" "memory" (memory 1))
    (import "host" "read" (func (param i32 i32 i32)))
    (func (export "call") (param i32 i32 i32 i32) (result i32) (unreachable)))
  (core module $libc
    (memory (export "memory") 4)
    (global $top (mut i32) (i32.const 131072))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
      (local.get $at))
    (func (export "reset") (param i32) (global.set $top (i32.const 131072))))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $mem))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $read (canon lower (func $secrets "read") (memory $mem) (realloc $realloc)))
  (core instance $main (instantiate $guest
    (with "env" (instance (export "memory" (memory $mem))))
    (with "host" (instance (export "read" (func $read))))))
  (type $retry0 (record (field "after-ms" u64) (field "reason" string)))
  (export $retry "retry-after" (type $retry0))
  (type $error0 (variant (case "rejected" string) (case "retry" $retry) (case "failed" string)))
  (export $error "error" (type $error0))
  (func $call (param "action" string) (param "input" string) (result (result string (error $error)))
    (canon lift (core func $main "call") (memory $mem) (realloc $realloc) (post-return (core func $libc "reset"))))
  (instance $provider (export "call" (func $call)))
  (export "remit:unit/provider@0.1.0" (instance $provider)))
