//! `cargo fuzz run read` in the folder above, with `../tests/files` as further corpus.

#![no_main]

#[path = "../body.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::read(data);
});
