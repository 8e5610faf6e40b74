//! The writer of replies in the text protocol.
//!
//! Large values are not copied: they stand beside the bytes that are written, each with its place among them.

use bytes::Bytes;

use crate::error::Error;

/// Replies being written.
#[derive(Debug, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    /// Values that are not copied, each with the place in `bytes` that it comes before.
    lent: Vec<(usize, Bytes)>,
    /// What they are together, in bytes.
    lent_bytes: usize,
}

impl Reply {
    /// An empty buffer.
    pub fn new() -> Self {
        Reply::default()
    }

    /// Goes on in a buffer that was used before; what it holds stays in front.
    pub fn with_buffer(bytes: Vec<u8>) -> Self {
        Reply { bytes, ..Reply::default() }
    }

    /// The buffer, for frames of the binary protocol.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The number of bytes that have been written, with the values that were not copied.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.lent_bytes
    }

    /// Whether nothing has been written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes back what was written after the first `len` bytes.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        while let Some((at, value)) = self.lent.last()
            && at + self.lent_bytes - value.len() >= len
        {
            self.lent_bytes -= value.len();
            self.lent.pop();
        }
        debug_assert!(len >= self.lent_bytes, "a value is taken back whole");
        self.bytes.truncate(len - self.lent_bytes);
    }

    /// Takes out what was written after the first `len` bytes, among which there are no values.
    pub fn split_off(&mut self, len: usize) -> Vec<u8> {
        let tail = self.bytes.split_off(len - self.lent_bytes);
        debug_assert!(self.lent.iter().all(|(at, _)| *at <= self.bytes.len()), "no value is behind it");
        tail
    }

    /// All that has been written, in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let (mut whole, mut begin) = (Vec::with_capacity(self.len()), 0);
        for (at, value) in &self.lent {
            whole.extend_from_slice(&self.bytes[begin..*at]);
            whole.extend_from_slice(value);
            begin = *at;
        }
        whole.extend_from_slice(&self.bytes[begin..]);
        whole
    }

    /// Gives up what was copied, and what was not: each value with the place in the former that it comes before.
    pub fn into_parts(self) -> (Vec<u8>, Vec<(usize, Bytes)>) {
        (self.bytes, self.lent)
    }

    /// A value that is not copied, which is not empty.
    pub fn lend(&mut self, value: Bytes) {
        debug_assert!(!value.is_empty(), "what is taken back is known by its length");
        self.lent_bytes += value.len();
        self.lent.push((self.bytes.len(), value));
    }

    /// Bytes that are replies already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A line, such as `STORED`.
    #[inline]
    pub fn line(&mut self, text: &str) {
        debug_assert!(!text.contains(['\r', '\n']), "a line end inside a line");
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An error.
    pub fn error(&mut self, error: Error) {
        use std::io::Write;
        // A vector takes everything.
        let _ = write!(self.bytes, "{error}\r\n");
    }

    /// A number, as `incr` answers.
    #[inline]
    pub fn number(&mut self, value: u64) {
        self.digits(value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An item, as `get` answers; with what it must be for a later change if `cas` is given.
    #[inline]
    pub fn value(&mut self, key: &[u8], flags: u32, cas: Option<u64>, data: &[u8]) {
        self.bytes.reserve(key.len() + data.len() + 64);
        self.value_header(key, flags, cas, data.len());
        self.bytes.extend_from_slice(data);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// The line before an item's `len` bytes of data, which the caller writes with the end of a line behind them.
    #[inline]
    pub fn value_header(&mut self, key: &[u8], flags: u32, cas: Option<u64>, len: usize) {
        self.bytes.extend_from_slice(b"VALUE ");
        self.bytes.extend_from_slice(key);
        self.bytes.push(b' ');
        self.digits(u64::from(flags));
        self.bytes.push(b' ');
        self.digits(len as u64);
        if let Some(cas) = cas {
            self.bytes.push(b' ');
            self.digits(cas);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// The end of what `get` answers.
    #[inline]
    pub fn end(&mut self) {
        self.bytes.extend_from_slice(b"END\r\n");
    }

    /// A line of a report.
    pub fn stat(&mut self, name: &str, value: impl std::fmt::Display) {
        use std::io::Write;
        // A vector takes everything.
        let _ = write!(self.bytes, "STAT {name} {value}\r\n");
    }

    /// The first word of a meta reply, such as `HD`; flags follow, and [`Reply::end_line`].
    #[inline]
    pub fn meta(&mut self, word: &str) {
        self.bytes.extend_from_slice(word.as_bytes());
    }

    /// The first words of a meta reply with a value of `len` bytes; flags follow, [`Reply::end_line`], the value, and once
    /// more [`Reply::end_line`].
    #[inline]
    pub fn meta_value(&mut self, len: usize) {
        self.bytes.extend_from_slice(b"VA ");
        self.digits(len as u64);
    }

    /// A flag of a meta reply that is one letter.
    #[inline]
    pub fn flag(&mut self, letter: u8) {
        self.bytes.extend_from_slice(&[b' ', letter]);
    }

    /// A flag with a number without sign.
    #[inline]
    pub fn flag_number(&mut self, letter: u8, value: u64) {
        self.flag(letter);
        self.digits(value);
    }

    /// A flag with a number that may be negative.
    #[inline]
    pub fn flag_signed(&mut self, letter: u8, value: i64) {
        self.flag(letter);
        self.bytes.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A flag with bytes, as they are.
    #[inline]
    pub fn flag_bytes(&mut self, letter: u8, value: &[u8]) {
        self.flag(letter);
        self.bytes.extend_from_slice(value);
    }

    /// The key as a flag; as base64 and with a `b` behind it if that is how the client gave it.
    pub fn flag_key(&mut self, key: &[u8], is_base64: bool) {
        self.flag(b'k');
        self.key(key, is_base64);
        if is_base64 {
            self.flag(b'b');
        }
    }

    /// A key, as base64 if that is how the client gave it.
    pub fn key(&mut self, key: &[u8], is_base64: bool) {
        if is_base64 {
            self.base64(key);
        } else {
            self.bytes.extend_from_slice(key);
        }
    }

    /// The end of a line.
    #[inline]
    pub fn end_line(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn digits(&mut self, value: u64) {
        if value < 10 {
            self.bytes.push(b'0' + value as u8);
        } else {
            self.bytes.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        }
    }

    fn base64(&mut self, bytes: &[u8]) {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for group in bytes.chunks(3) {
            let bits =
                group.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
            for at in 0..4 {
                let letter = LETTERS[(bits >> (18 - 6 * at)) as usize & 63];
                self.bytes.push(if at <= group.len() { letter } else { b'=' });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_spelt_as_memcached_spells_them() {
        type Case = (fn(&mut Reply), &'static str);
        let cases: &[Case] = &[
            (|reply| reply.line("STORED"), "STORED\r\n"),
            (|reply| reply.error(Error::DataChunk), "CLIENT_ERROR bad data chunk\r\n"),
            (|reply| reply.number(u64::MAX), "18446744073709551615\r\n"),
            (|reply| reply.value(b"k", 5, None, b"abc"), "VALUE k 5 3\r\nabc\r\n"),
            (|reply| reply.value(b"k", u32::MAX, Some(14), b""), "VALUE k 4294967295 0 14\r\n\r\n"),
            (|reply| reply.stat("pid", 7), "STAT pid 7\r\n"),
        ];
        for (write, want) in cases {
            let mut reply = Reply::new();
            write(&mut reply);
            assert_eq!(String::from_utf8(reply.to_vec()).unwrap(), *want);
        }
        let mut reply = Reply::new();
        reply.meta_value(2);
        reply.flag_signed(b't', -1);
        reply.flag_number(b's', 2);
        reply.flag_bytes(b'O', b"12");
        reply.flag_key(b"ab", true);
        reply.flag(b'W');
        reply.end_line();
        assert_eq!(reply.to_vec(), b"VA 2 t-1 s2 O12 kYWI= b W\r\n");
    }

    #[test]
    fn values_that_are_not_copied_are_written_where_they_belong() {
        let mut reply = Reply::new();
        reply.lend(Bytes::from_static(b"one"));
        let first = reply.len();
        reply.lend(Bytes::from_static(b"two"));
        reply.line("");
        let second = reply.len();
        reply.value_header(b"k", 0, None, 5);
        reply.lend(Bytes::from_static(b"three"));
        reply.end_line();
        assert_eq!(reply.to_vec(), b"onetwo\r\nVALUE k 0 5\r\nthree\r\n");
        assert_eq!(reply.len(), reply.to_vec().len());
        reply.truncate(reply.len());
        reply.truncate(second);
        assert_eq!(reply.to_vec(), b"onetwo\r\n");
        reply.line("x");
        assert_eq!(reply.split_off(second), b"x\r\n");
        reply.truncate(first);
        assert_eq!((reply.len(), reply.to_vec()), (3, b"one".to_vec()));
        assert_eq!(reply.into_parts(), (Vec::new(), vec![(0, Bytes::from_static(b"one"))]));
    }

    #[test]
    fn base64_is_filled_up() {
        for (bytes, want) in
            [(&b"a"[..], "YQ=="), (b"ab", "YWI="), (b"abc", "YWJj"), (b"a b\r\nc\0", "YSBiDQpjAA==")]
        {
            let mut reply = Reply::new();
            reply.base64(bytes);
            assert_eq!(reply.to_vec(), want.as_bytes());
        }
    }
}
