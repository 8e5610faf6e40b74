//! `cargo fuzz run converse` in the folder above.

#![no_main]

#[path = "../body.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::converse(data);
});
