//! The reply writer.
//!
//! Handlers say what a reply is (a map, a null, a double); the writer knows how each protocol spells it. What a
//! number looks like as text is the caller's to know, since releases differ.

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

/// Replies being written.
#[derive(Debug, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    protocol: Protocol,
}

/// Where the header of a collection is to go whose length is not known yet.
#[derive(Debug)]
#[must_use = "a deferred header must be filled in"]
pub struct Deferred(usize);

impl Reply {
    /// An empty buffer for a client of this protocol.
    pub fn new(protocol: Protocol) -> Self {
        Reply { bytes: Vec::new(), protocol }
    }

    /// Goes on in a buffer that was used before; what it holds stays in front.
    pub fn with_buffer(bytes: Vec<u8>, protocol: Protocol) -> Self {
        Reply { bytes, protocol }
    }

    /// The protocol in which replies are written.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Writes further replies in another protocol.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Whether further replies are RESP3.
    #[inline]
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// What has been written.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of bytes that have been written.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes back what was written after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Gives up the buffer.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes what was written out, leaving an empty buffer.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Forgets what was written, keeping the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// A status, such as `+PONG`; it has no line ends.
    #[inline]
    pub fn status(&mut self, text: impl AsRef<[u8]>) {
        self.line(b'+', text.as_ref());
    }

    /// An error: its code in capitals, a space, and what went wrong. Line ends are made spaces, so that a client's own
    /// bytes may stand in it.
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        self.bytes.push(b'-');
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text.as_ref());
        for byte in &mut self.bytes[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// An integer that counts something.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.number(b':', value as i64);
    }

    /// A string.
    #[inline]
    pub fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.bytes.reserve(bytes.len() + 24);
        self.number(b'$', bytes.len() as i64);
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer as a string.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value));
    }

    /// No value, where a string would be.
    #[inline]
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No value, where an array would be.
    #[inline]
    pub fn null_array(&mut self) {
        self.bytes.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// The header of an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.number(b'*', len as i64);
    }

    /// The header of a map of `len` pairs; an array of twice as many elements in RESP2.
    #[inline]
    pub fn map(&mut self, len: usize) {
        if self.is_resp3() { self.number(b'%', len as i64) } else { self.number(b'*', 2 * len as i64) }
    }

    /// The header of a set; an array in RESP2.
    #[inline]
    pub fn set(&mut self, len: usize) {
        self.number(if self.is_resp3() { b'~' } else { b'*' }, len as i64);
    }

    /// The header of a message that answers no request; an array in RESP2.
    #[inline]
    pub fn push(&mut self, len: usize) {
        self.number(if self.is_resp3() { b'>' } else { b'*' }, len as i64);
    }

    /// The header of a map of `len` pairs of data about the reply that follows; RESP3 only.
    pub fn attribute(&mut self, len: usize) {
        debug_assert!(self.is_resp3(), "RESP2 has no attributes");
        self.number(b'|', len as i64);
    }

    /// A double, given as the text of the client's release; a string in RESP2.
    #[inline]
    pub fn double(&mut self, text: impl AsRef<[u8]>) {
        if self.is_resp3() { self.line(b',', text.as_ref()) } else { self.bulk(text) }
    }

    /// An integer of any size, as decimal text; a string in RESP2.
    pub fn big_number(&mut self, text: impl AsRef<[u8]>) {
        if self.is_resp3() { self.line(b'(', text.as_ref()) } else { self.bulk(text) }
    }

    /// A truth value; an integer in RESP2.
    pub fn boolean(&mut self, value: bool) {
        self.bytes.extend_from_slice(match (self.is_resp3(), value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    /// Text to be shown as it is, of a format with a name of three letters; a string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: impl AsRef<[u8]>) {
        debug_assert_eq!(format.len(), 3);
        let text = text.as_ref();
        if self.is_resp3() {
            self.number(b'=', text.len() as i64 + 4);
            self.bytes.extend_from_slice(format.as_bytes());
            self.bytes.push(b':');
            self.bytes.extend_from_slice(text);
            self.bytes.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// Bytes that are replies already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Leaves room for the header of a collection whose length is known only after its elements.
    pub fn defer(&mut self) -> Deferred {
        Deferred(self.bytes.len())
    }

    /// Puts the header of an array where room was left for it.
    pub fn deferred_array(&mut self, place: Deferred, len: usize) {
        self.fill(place, |reply| reply.array(len));
    }

    /// Puts an integer, as a string, where room was left for it.
    pub fn deferred_bulk_integer(&mut self, place: Deferred, value: u64) {
        self.fill(place, |reply| reply.bulk(itoa::Buffer::new().format(value)));
    }

    /// Puts the header of a map where room was left for it.
    pub fn deferred_map(&mut self, place: Deferred, len: usize) {
        self.fill(place, |reply| reply.map(len));
    }

    /// Puts the header of a set where room was left for it.
    pub fn deferred_set(&mut self, place: Deferred, len: usize) {
        self.fill(place, |reply| reply.set(len));
    }

    fn fill(&mut self, place: Deferred, header: impl FnOnce(&mut Reply)) {
        let end = self.bytes.len();
        header(self);
        let header_len = self.bytes.len() - end;
        self.bytes[place.0..].rotate_right(header_len);
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) {
        debug_assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n')), "a line end inside a line");
        self.bytes.push(kind);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn number(&mut self, kind: u8, value: i64) {
        if (0..10).contains(&value) {
            self.bytes.extend_from_slice(&[kind, b'0' + value as u8, b'\r', b'\n']);
        } else if (10..100).contains(&value) {
            let (tens, ones) = (b'0' + (value / 10) as u8, b'0' + (value % 10) as u8);
            self.bytes.extend_from_slice(&[kind, tens, ones, b'\r', b'\n']);
        } else {
            let mut digits = itoa::Buffer::new();
            self.line(kind, digits.format(value).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Reply)) -> String {
        let mut reply = Reply::new(protocol);
        write(&mut reply);
        String::from_utf8(reply.into_bytes()).unwrap()
    }

    #[test]
    fn each_protocol_spells_it_its_own_way() {
        type Case = (fn(&mut Reply), &'static str, &'static str);
        let cases: &[Case] = &[
            (|reply| reply.ok(), "+OK\r\n", "+OK\r\n"),
            (|reply| reply.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"),
            (|reply| reply.integer(-5), ":-5\r\n", ":-5\r\n"),
            (|reply| reply.integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
            (|reply| reply.bulk(b"hi"), "$2\r\nhi\r\n", "$2\r\nhi\r\n"),
            (|reply| reply.bulk_integer(42), "$2\r\n42\r\n", "$2\r\n42\r\n"),
            (|reply| reply.null(), "$-1\r\n", "_\r\n"),
            (|reply| reply.null_array(), "*-1\r\n", "_\r\n"),
            (|reply| reply.array(100), "*100\r\n", "*100\r\n"),
            (|reply| reply.map(3), "*6\r\n", "%3\r\n"),
            (|reply| reply.set(3), "*3\r\n", "~3\r\n"),
            (|reply| reply.push(3), "*3\r\n", ">3\r\n"),
            (|reply| reply.double("1.5"), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (|reply| reply.big_number("12"), "$2\r\n12\r\n", "(12\r\n"),
            (|reply| reply.boolean(true), ":1\r\n", "#t\r\n"),
            (|reply| reply.verbatim("txt", "ab"), "$2\r\nab\r\n", "=6\r\ntxt:ab\r\n"),
        ];
        for (write, resp2, resp3) in cases {
            assert_eq!(written(Protocol::Resp2, write), *resp2);
            assert_eq!(written(Protocol::Resp3, write), *resp3);
        }
    }

    #[test]
    fn a_deferred_header_goes_before_its_elements() {
        let text = written(Protocol::Resp3, |reply| {
            reply.integer(1);
            let outer = reply.defer();
            reply.bulk("a");
            let inner = reply.defer();
            reply.bulk("b");
            reply.deferred_map(inner, 12);
            reply.deferred_array(outer, 2);
            let last = reply.defer();
            reply.ok();
            reply.deferred_bulk_integer(last, u64::MAX);
        });
        let numbers = "$20\r\n18446744073709551615\r\n+OK\r\n";
        assert_eq!(text, format!(":1\r\n*2\r\n$1\r\na\r\n%12\r\n$1\r\nb\r\n{numbers}"));
    }
}
