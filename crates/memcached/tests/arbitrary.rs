//! Arbitrary bytes as what a client says: what `cargo fuzz` does at length in `fuzz/`, for a moment.

#[path = "../fuzz/body.rs"]
mod body;

use proptest::prelude::*;

/// Pieces that requests are made of.
const PIECES: &[&[u8]] = &[
    b"get a\r\n",
    b"get p:a\r\n",
    b"lru_crawler metadump all\r\n",
    b"stats cachedump 2 0\r\n",
    b"stats detail on\r\n",
    b"stats detail dump\r\n",
    b"lru_crawler disable\r\n",
    b"verbosity 1\r\n",
    b"gets a b\r\n",
    b"gat 5 a\r\n",
    b"set a 0 0 5\r\nhello\r\n",
    b"set b 7 9 3\r\n123\r\n",
    b"add b 0 0 1\r\nx\r\n",
    b"append a 0 0 5\r\n",
    b"cas a 0 0 1 16\r\nx\r\n",
    b"set a 0 0 1500\r\n",
    b"set b 0 0 1900\r\n",
    b"set c 0 0 2100\r\n",
    b"set d 0 0 99999999\r\n",
    b"ms a S5 T9\r\nhello\r\n",
    b"ms b 5 I\r\nhello\r\n",
    b"mg a s v t c h l k q O9\r\n",
    b"mg c N30 v\r\n",
    b"md a I T30\r\n",
    b"md b q\r\n",
    b"ma b N0 J5 D7 v\r\n",
    b"me a\r\n",
    b"mn\r\n",
    b"incr b 99\r\n",
    b"delete a\r\n",
    b"touch a 9\r\n",
    b"flush_all\r\n",
    b"flush_all 3\r\n",
    b"stats settings\r\n",
    b"stats items\r\n",
    b"cache_memlimit 8\r\n",
    b"shutdown\r\n",
    b"quit\r\n",
    b"set x 0 0 3\r\na b\r\n",
    &[b'v'; 700],
    b"\r\n",
    b"hello",
    b" noreply",
    b"\x80\x01\x00\x01\x08\x00\x00\x00\x00\x00\x00\x0A\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a1",
    b"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\0\0\0\0\0\0\0\0\0\0\0\0a",
    b"\x80\x21\x00\x05\x00\x00\x00\x00\x00\x00\x00\x09\0\0\0\0\0\0\0\0\0\0\0\0PLAIN\0a\0b",
    b"\x80",
    b"\0\0\0\0\0\0\0\0",
];

#[test]
fn long_lines_may_be_answered_otherwise_in_pieces() {
    assert_eq!(body::converse(&[&[0, 0], &[b'v'; 3_000][..], b"\r\n"].concat()), b"ERROR\r\n".len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pieces_of_requests_are_answered_alike_however_they_come(
        kind in 0u8..16,
        size in any::<u8>(),
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
    ) {
        let mut bytes = vec![kind, size];
        bytes.extend(pieces.concat());
        body::converse(&bytes);
    }

    #[test]
    fn any_bytes_are_answered_alike_however_they_come(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        body::converse(&bytes);
    }
}
