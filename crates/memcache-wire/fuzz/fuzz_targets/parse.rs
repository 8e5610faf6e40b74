//! `cargo fuzz run parse` in the folder above.

#![no_main]

#[path = "../body.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::parse(data);
});
