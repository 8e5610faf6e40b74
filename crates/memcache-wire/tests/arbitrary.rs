//! Arbitrary bytes as requests: what `cargo fuzz` does at length in `fuzz/`, for a moment.

#[path = "../fuzz/body.rs"]
mod body;

use proptest::prelude::*;

/// Pieces that requests are made of.
const PIECES: &[&[u8]] = &[
    b"get ",
    b"gets ",
    b"gat 5 ",
    b"set ",
    b"cas ",
    b"append ",
    b"ms ",
    b"mg ",
    b"md ",
    b"ma ",
    b"me ",
    b"mn",
    b"incr ",
    b"delete ",
    b"touch ",
    b"flush_all",
    b"stats ",
    b"verbosity ",
    b"quit",
    b"key",
    b"YQ==",
    b" b",
    b" k",
    b" v",
    b" T5",
    b" C7",
    b" MA",
    b" q",
    b" noreply",
    b" 0 0 5",
    b" 0 0 0",
    b" 5",
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"hello",
    b"\0",
    b" ",
    b"\x80\x01\x00\x01\x08\x00\x00\x00\x00\x00\x00\x0E",
    b"\x80\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03",
    b"\x80",
    b"\0\0\0\0\0\0\0\0",
    b"\xFF\xFF\xFF\xFF",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pieces_of_requests_are_parsed_however_they_come(
        size in any::<u8>(),
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
    ) {
        let mut bytes = vec![size];
        bytes.extend(pieces.concat());
        body::parse(&bytes);
    }

    #[test]
    fn any_bytes_are_parsed_however_they_come(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        body::parse(&bytes);
    }
}
