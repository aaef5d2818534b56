//! Units for Remit in Rust: one file, no crates. The build puts it beside your source; say `mod remit_unit;` there.
//!
//! Define what the manifest promises at the root of the crate:
//!
//!     pub fn call(action: &str, input: &str) -> Answer        for [[action]]
//!     pub fn handle(event: &Event) -> Answer                  for [[on]]
//!     pub fn transform(context: &str) -> Answer               for kind = "transform"
//!
//! What unit.toml does not declare is not there to be called. A panic is the unit's fault: it is logged, and ends the
//! call. Layouts are those of the Canonical ABI of the component model, for wasm32.
#![allow(dead_code, clippy::missing_safety_doc)]

use std::alloc::{alloc, handle_alloc_error, realloc, Layout};

/// What a unit answers: its output as JSON, or why there is none.
pub type Answer = Result<String, Error>;

/// How a unit says that it did not succeed.
pub enum Error {
    /// The input is not one that this unit takes: the caller is at fault.
    Rejected(String),
    /// Not now: try again in so many milliseconds.
    Retry(u64, String),
    /// The unit could not do it.
    Failed(String),
}

/// Why the host did not do it. A denial is an answer and never a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Denied,
    Exhausted,
    NotFound,
    Conflict,
    Invalid,
    Unavailable,
    TimedOut,
}

/// A refusal with the host's words.
#[derive(Clone, Debug)]
pub struct Refused {
    pub code: Refusal,
    pub message: String,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        Error::Failed(format!("{:?}: {}", refused.code, refused.message))
    }
}

/// An event as the kernel delivers it; `data` is JSON where the content type says so.
pub struct Event {
    pub id: String,
    pub topic: String,
    pub source: String,
    pub subject: String,
    pub time_ms: u64,
    pub content_type: String,
    pub data: String,
    pub correlation_id: String,
    pub causation_id: String,
    pub reply_to: String,
    pub hops: u32,
    pub priority: u8,
    pub trace_parent: String,
    pub attempt: u32,
}

// ---- memory ----

#[export_name = "cabi_realloc"]
unsafe extern "C" fn cabi_realloc(old: *mut u8, had: usize, align: usize, size: usize) -> *mut u8 {
    if size == 0 {
        return align as *mut u8;
    }
    let layout = Layout::from_size_align_unchecked(if had == 0 { size } else { had }, align);
    let at = if had == 0 { alloc(layout) } else { realloc(old, layout, size) };
    if at.is_null() {
        handle_alloc_error(layout);
    }
    at
}

/// Where a host function writes what it gives: as large as the largest of them, aligned for all.
#[repr(C, align(8))]
struct Area([u8; 40]);

impl Area {
    fn new() -> Area {
        Area([0; 40])
    }
    fn at(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
    unsafe fn byte(&self, offset: usize) -> u8 {
        self.0[offset]
    }
    unsafe fn word(&self, offset: usize) -> u32 {
        (self.0.as_ptr().add(offset) as *const u32).read()
    }
    unsafe fn long(&self, offset: usize) -> u64 {
        (self.0.as_ptr().add(offset) as *const u64).read()
    }
    unsafe fn text(&self, offset: usize) -> String {
        taken(self.word(offset), self.word(offset + 4))
    }
    /// The error of a `result` whose payload begins at `offset`; `None` where it is `ok`.
    unsafe fn refused(&self, offset: usize) -> Option<Refused> {
        if self.byte(0) == 0 {
            return None;
        }
        let code = match self.byte(offset) {
            0 => Refusal::Denied,
            1 => Refusal::Exhausted,
            2 => Refusal::NotFound,
            3 => Refusal::Conflict,
            4 => Refusal::Invalid,
            5 => Refusal::Unavailable,
            _ => Refusal::TimedOut,
        };
        Some(Refused { code, message: self.text(offset + 4) })
    }
    unsafe fn text_or(&self) -> Result<String, Refused> {
        self.refused(4).map_or_else(|| Ok(self.text(4)), Err)
    }
    unsafe fn number_or(&self) -> Result<u64, Refused> {
        self.refused(8).map_or_else(|| Ok(self.long(8)), Err)
    }
    unsafe fn texts_or(&self) -> Result<Vec<String>, Refused> {
        self.refused(4).map_or_else(|| Ok(texts(self.word(4), self.word(8))), Err)
    }
}

/// A text that the host wrote into our memory, which is ours to free.
unsafe fn taken(at: u32, size: u32) -> String {
    if size == 0 {
        return String::new();
    }
    String::from_raw_parts(at as *mut u8, size as usize, size as usize)
}

unsafe fn texts(at: u32, count: u32) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let parts = Vec::from_raw_parts(at as *mut [u32; 2], count as usize, count as usize);
    parts.into_iter().map(|part| taken(part[0], part[1])).collect()
}

// ---- what a unit may ask ----

#[cfg(remit_log)]
pub mod log {
    #[link(wasm_import_module = "remit:unit/log@0.1.0")]
    extern "C" {
        #[link_name = "write"]
        fn write(level: i32, message: *const u8, size: usize, fields: *const u8, fields_size: usize);
    }
    fn line(level: i32, message: &str) {
        unsafe { write(level, message.as_ptr(), message.len(), "{}".as_ptr(), 2) }
    }
    pub fn debug(message: &str) {
        line(1, message)
    }
    pub fn info(message: &str) {
        line(2, message)
    }
    pub fn warn(message: &str) {
        line(3, message)
    }
    pub fn error(message: &str) {
        line(4, message)
    }
}

/// The unit's parameters, a JSON object.
#[cfg(remit_parameters)]
pub fn parameters() -> String {
    #[link(wasm_import_module = "remit:unit/parameters@0.1.0")]
    extern "C" {
        #[link_name = "get"]
        fn get(to: *mut u8);
    }
    let mut area = Area::new();
    unsafe {
        get(area.at());
        area.text(0)
    }
}

#[cfg(remit_clock)]
pub mod clock {
    #[link(wasm_import_module = "remit:unit/clock@0.1.0")]
    extern "C" {
        #[link_name = "now-ms"]
        fn now() -> u64;
    }
    /// Milliseconds since the Unix epoch.
    pub fn now_ms() -> u64 {
        unsafe { now() }
    }
}

#[cfg(remit_random)]
pub mod random {
    #[link(wasm_import_module = "remit:unit/random@0.1.0")]
    extern "C" {
        #[link_name = "next"]
        fn draw() -> u64;
    }
    /// A random number, which a recording repeats.
    pub fn next() -> u64 {
        unsafe { draw() }
    }
}

#[cfg(remit_state)]
pub mod state {
    use super::{Area, Refused};

    #[link(wasm_import_module = "remit:unit/state@0.1.0")]
    extern "C" {
        #[link_name = "get"]
        fn read(key: *const u8, size: usize, to: *mut u8);
        #[link_name = "put"]
        fn write(key: *const u8, size: usize, value: *const u8, value_size: usize, expects: i32, expected: u64, to: *mut u8);
        #[link_name = "delete"]
        fn remove(key: *const u8, size: usize, to: *mut u8);
        #[link_name = "list"]
        fn names(prefix: *const u8, size: usize, after: *const u8, after_size: usize, limit: u32, to: *mut u8);
    }

    /// A key's value and version.
    pub fn get(key: &str) -> Result<Option<(String, u64)>, Refused> {
        let mut area = Area::new();
        unsafe {
            read(key.as_ptr(), key.len(), area.at());
            match area.refused(8) {
                Some(refused) => Err(refused),
                None if area.byte(8) == 0 => Ok(None),
                None => Ok(Some((area.text(16), area.long(24)))),
            }
        }
    }
    /// Sets a key; gives its version. `expected`: the version that must be current, 0 for "must not exist".
    pub fn put(key: &str, value: &str, expected: Option<u64>) -> Result<u64, Refused> {
        let mut area = Area::new();
        unsafe {
            let (expects, version) = (i32::from(expected.is_some()), expected.unwrap_or(0));
            write(key.as_ptr(), key.len(), value.as_ptr(), value.len(), expects, version, area.at());
            area.number_or()
        }
    }
    /// Removes a key; whether it was there.
    pub fn delete(key: &str) -> Result<bool, Refused> {
        let mut area = Area::new();
        unsafe {
            remove(key.as_ptr(), key.len(), area.at());
            area.refused(4).map_or_else(|| Ok(area.byte(4) != 0), Err)
        }
    }
    /// Keys that begin with `prefix`, in order, behind `after`.
    pub fn keys(prefix: &str, after: &str, limit: u32) -> Result<Vec<String>, Refused> {
        let mut area = Area::new();
        unsafe {
            names(prefix.as_ptr(), prefix.len(), after.as_ptr(), after.len(), limit, area.at());
            area.texts_or()
        }
    }
}

/// Says that something happened, when the call commits; gives the event's id. `data` is JSON.
#[cfg(remit_events)]
pub fn emit(topic: &str, data: &str) -> Result<String, Refused> {
    #[link(wasm_import_module = "remit:unit/events@0.1.0")]
    extern "C" {
        #[link_name = "emit"]
        fn say(topic: *const u8, size: usize, kind: *const u8, kind_size: usize, data: *const u8, data_size: usize, to: *mut u8);
    }
    let (mut area, kind) = (Area::new(), "application/json");
    unsafe {
        say(topic.as_ptr(), topic.len(), kind.as_ptr(), kind.len(), data.as_ptr(), data.len(), area.at());
        area.text_or()
    }
}

#[cfg(remit_http)]
pub mod http {
    use super::{taken, Area, Refused};

    /// What a server answered.
    pub struct Response {
        pub status: u16,
        pub headers: Vec<(String, String)>,
        pub body: String,
        /// Whether `body` is base64: the server's was no text.
        pub base64: bool,
    }

    #[link(wasm_import_module = "remit:unit/http@0.1.0")]
    extern "C" {
        #[link_name = "fetch"]
        fn ask(
            method: *const u8, method_size: usize, url: *const u8, url_size: usize, headers: *const [usize; 4], count: usize,
            body: *const u8, body_size: usize, base64: i32, timeout_ms: u32, to: *mut u8,
        );
    }

    /// Sends a request with a text body.
    pub fn fetch(method: &str, url: &str, headers: &[(&str, &str)], body: &str, timeout_ms: u32) -> Result<Response, Refused> {
        let laid: Vec<[usize; 4]> = headers
            .iter()
            .map(|(name, value)| [name.as_ptr() as usize, name.len(), value.as_ptr() as usize, value.len()])
            .collect();
        let mut area = Area::new();
        unsafe {
            ask(
                method.as_ptr(), method.len(), url.as_ptr(), url.len(), laid.as_ptr(), laid.len(), body.as_ptr(), body.len(),
                0, timeout_ms, area.at(),
            );
            if let Some(refused) = area.refused(4) {
                return Err(refused);
            }
            let (at, count) = (area.word(8), area.word(12) as usize);
            let parts = if count == 0 { Vec::new() } else { Vec::from_raw_parts(at as *mut [u32; 4], count, count) };
            let headers = parts.into_iter().map(|part| (taken(part[0], part[1]), taken(part[2], part[3]))).collect();
            Ok(Response { status: area.word(4) as u16, headers, body: area.text(16), base64: area.byte(24) != 0 })
        }
    }
    /// GET a URL within ten seconds.
    pub fn get(url: &str) -> Result<Response, Refused> {
        fetch("GET", url, &[], "", 10_000)
    }
}

#[cfg(remit_files)]
pub mod files {
    use super::{Area, Refused};

    #[link(wasm_import_module = "remit:unit/files@0.1.0")]
    extern "C" {
        #[link_name = "read"]
        fn load(path: *const u8, size: usize, base64: i32, to: *mut u8);
        #[link_name = "write"]
        fn store(path: *const u8, size: usize, content: *const u8, content_size: usize, base64: i32, to: *mut u8);
    }
    /// A file's text.
    pub fn read(path: &str) -> Result<String, Refused> {
        let mut area = Area::new();
        unsafe {
            load(path.as_ptr(), path.len(), 0, area.at());
            area.text_or()
        }
    }
    /// Replaces a file by a text; gives its bytes.
    pub fn write(path: &str, content: &str) -> Result<u64, Refused> {
        let mut area = Area::new();
        unsafe {
            store(path.as_ptr(), path.len(), content.as_ptr(), content.len(), 0, area.at());
            area.number_or()
        }
    }
}

/// A secret, by its name.
#[cfg(remit_secrets)]
pub fn secret(name: &str) -> Result<String, Refused> {
    #[link(wasm_import_module = "remit:unit/secrets@0.1.0")]
    extern "C" {
        #[link_name = "read"]
        fn read(name: *const u8, size: usize, to: *mut u8);
    }
    let mut area = Area::new();
    unsafe {
        read(name.as_ptr(), name.len(), area.at());
        area.text_or()
    }
}

/// Calls another unit's action, or a plugin's service; input and output are JSON.
#[cfg(remit_actions)]
pub fn invoke(action: &str, input: &str) -> Result<String, Refused> {
    #[link(wasm_import_module = "remit:unit/actions@0.1.0")]
    extern "C" {
        #[link_name = "call"]
        fn ask(action: *const u8, size: usize, input: *const u8, input_size: usize, to: *mut u8);
    }
    let mut area = Area::new();
    unsafe {
        ask(action.as_ptr(), action.len(), input.as_ptr(), input.len(), area.at());
        area.text_or()
    }
}

// ---- JSON, as far as a unit without crates needs it: values are slices of the text that they stand in ----

pub mod json {
    /// A JSON string: quoted and escaped.
    pub fn quoted(text: &str) -> String {
        let mut made = String::with_capacity(text.len() + 2);
        made.push('"');
        for letter in text.chars() {
            match letter {
                '"' | '\\' => made.extend(['\\', letter]),
                letter if (letter as u32) < 0x20 => made.push_str(&format!("\\u{:04x}", letter as u32)),
                letter => made.push(letter),
            }
        }
        made.push('"');
        made
    }

    /// A member of an object, as JSON: the last one of that name.
    pub fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
        let mut rest = object.trim_start().strip_prefix('{')?;
        let mut found = None;
        loop {
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            if rest.is_empty() || rest.starts_with('}') {
                return found;
            }
            let (key, past) = rest.split_at(past_value(rest));
            rest = past.trim_start().strip_prefix(':')?.trim_start();
            let (value, past) = rest.split_at(past_value(rest));
            if value.is_empty() {
                return found;
            }
            if text(key).as_deref() == Some(name) {
                found = Some(value);
            }
            rest = past;
        }
    }

    /// A member that is a string, as text.
    pub fn member_text(object: &str, name: &str) -> Option<String> {
        member(object, name).and_then(text)
    }

    /// The text that a JSON string says. A lone surrogate becomes U+FFFD.
    pub fn text(value: &str) -> Option<String> {
        let inner = value.strip_prefix('"')?.strip_suffix('"')?;
        let (mut made, mut rest) = (String::with_capacity(inner.len()), inner);
        while let Some(at) = rest.find('\\') {
            made.push_str(&rest[..at]);
            let letter = rest[at + 1..].chars().next()?;
            rest = &rest[at + 1 + letter.len_utf8()..];
            match letter {
                'n' => made.push('\n'),
                't' => made.push('\t'),
                'r' => made.push('\r'),
                'b' => made.push('\u{8}'),
                'f' => made.push('\u{c}'),
                'u' => made.push(point(&mut rest)?),
                other => made.push(other),
            }
        }
        made.push_str(rest);
        Some(made)
    }

    fn point(rest: &mut &str) -> Option<char> {
        let high = hex(rest)?;
        *rest = &rest[4..];
        if (0xd800..0xdc00).contains(&high) && rest.starts_with("\\u") {
            if let Some(low) = hex(&rest[2..]).filter(|low| (0xdc00..0xe000).contains(low)) {
                *rest = &rest[6..];
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
        }
        Some(char::from_u32(high).unwrap_or('\u{fffd}'))
    }

    fn hex(digits: &str) -> Option<u32> {
        let four = digits.get(..4)?;
        u32::from_str_radix(four, 16).ok()
    }

    /// How long the value that begins here is, in bytes.
    fn past_value(from: &str) -> usize {
        let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
        for (at, letter) in from.bytes().enumerate() {
            if quoted {
                match letter {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => quoted = false,
                    _ => {}
                }
                if !quoted && depth == 0 {
                    return at + 1;
                }
                continue;
            }
            match letter {
                b'"' => quoted = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return at,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return at + 1;
                    }
                }
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
                _ => {}
            }
        }
        from.len()
    }
}

// ---- what the kernel calls ----

#[repr(C, align(8))]
struct Given([u32; 8]);

/// Lays out an answer for the host to read; freed by `forget`.
fn given(answer: Answer) -> *mut Given {
    let mut laid = [0u32; 8];
    let (kind, after_ms, text) = match answer {
        Ok(text) => (None, 0, text),
        Err(Error::Rejected(why)) => (Some(0), 0, why),
        Err(Error::Retry(after_ms, why)) => (Some(1), after_ms, why),
        Err(Error::Failed(why)) => (Some(2), 0, why),
    };
    let text = text.into_bytes().into_boxed_slice();
    let (size, at) = (text.len() as u32, Box::into_raw(text) as *mut u8 as usize as u32);
    let place = match kind {
        None => 2,
        Some(1) => 6,
        Some(_) => 4,
    };
    if let Some(kind) = kind {
        laid[0] = 1;
        laid[2] = kind;
    }
    if kind == Some(1) {
        laid[4] = after_ms as u32;
        laid[5] = (after_ms >> 32) as u32;
    }
    laid[place] = at;
    laid[place + 1] = size;
    Box::into_raw(Box::new(Given(laid)))
}

unsafe fn forget(answer: *mut Given) {
    let Given(laid) = *Box::from_raw(answer);
    let place = match (laid[0], laid[2] & 0xff) {
        (0, _) => 2,
        (_, 1) => 6,
        _ => 4,
    };
    let at = std::slice::from_raw_parts_mut(laid[place] as *mut u8, laid[place + 1] as usize);
    drop(Box::from_raw(at as *mut [u8]));
}

fn ready() {
    #[cfg(remit_log)]
    std::panic::set_hook(Box::new(|panic| log::error(&panic.to_string())));
}

#[cfg(remit_provider)]
#[export_name = "remit:unit/provider@0.1.0#call"]
unsafe extern "C" fn provider_call(action: u32, action_size: u32, input: u32, input_size: u32) -> *mut Given {
    ready();
    given(crate::call(&taken(action, action_size), &taken(input, input_size)))
}

#[cfg(remit_provider)]
#[export_name = "cabi_post_remit:unit/provider@0.1.0#call"]
unsafe extern "C" fn provider_call_post(answer: *mut Given) {
    forget(answer)
}

#[cfg(remit_handler)]
#[export_name = "remit:unit/handler@0.1.0#handle"]
unsafe extern "C" fn handler_handle(event: *const u32) -> *mut Given {
    ready();
    let word = |offset: usize| event.add(offset / 4).read();
    let text = |offset: usize| taken(word(offset), word(offset + 4));
    given(crate::handle(&Event {
        id: text(0),
        topic: text(8),
        source: text(16),
        subject: text(24),
        time_ms: u64::from(word(32)) | u64::from(word(36)) << 32,
        content_type: text(40),
        data: text(48),
        correlation_id: text(56),
        causation_id: text(64),
        reply_to: text(72),
        hops: word(80),
        priority: (word(84) & 0xff) as u8,
        trace_parent: text(88),
        attempt: word(96),
    }))
}

#[cfg(remit_handler)]
#[export_name = "cabi_post_remit:unit/handler@0.1.0#handle"]
unsafe extern "C" fn handler_handle_post(answer: *mut Given) {
    forget(answer)
}

#[cfg(remit_transformer)]
#[export_name = "remit:unit/transformer@0.1.0#transform"]
unsafe extern "C" fn transformer_transform(context: u32, size: u32) -> *mut Given {
    ready();
    given(crate::transform(&taken(context, size)))
}

#[cfg(remit_transformer)]
#[export_name = "cabi_post_remit:unit/transformer@0.1.0#transform"]
unsafe extern "C" fn transformer_transform_post(answer: *mut Given) {
    forget(answer)
}
