//! Ids of entries.

/// The id of an entry: a time in ms since the epoch, and a number among the entries of that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The time, in ms since the epoch; clients may give what they like.
    pub ms: u64,
    /// The number among the entries of that time.
    pub seq: u64,
}

impl StreamId {
    /// `0-0`, which no entry has.
    pub const MIN: StreamId = StreamId::new(0, 0);
    /// The last possible id.
    pub const MAX: StreamId = StreamId::new(u64::MAX, u64::MAX);

    /// The id `ms-seq`.
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The id after this one, if there is one.
    #[inline]
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The id before this one, if there is one.
    #[inline]
    pub fn previous(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// The id as `ms-seq`.
    #[inline]
    pub fn text(self) -> IdText {
        let mut text = IdText { bytes: [0; IdText::MAX_LEN], start: IdText::MAX_LEN as u8 };
        text.push_number(self.seq);
        text.push(b'-');
        text.push_number(self.ms);
        text
    }
}

/// An id as text, on the stack.
#[derive(Clone, Copy)]
pub struct IdText {
    bytes: [u8; IdText::MAX_LEN],
    start: u8,
}

impl IdText {
    /// Two numbers of twenty digits, and what is between them.
    const MAX_LEN: usize = 41;

    /// Puts a byte in front.
    #[inline]
    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[usize::from(self.start)] = byte;
    }

    /// Puts a number in front.
    #[inline]
    fn push_number(&mut self, value: u64) {
        let mut rest = value;
        loop {
            self.push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
    }
}

impl AsRef<[u8]> for IdText {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_follow_each_other_across_the_ms() {
        assert_eq!(StreamId::new(1, u64::MAX).next(), Some(StreamId::new(2, 0)));
        assert_eq!(StreamId::new(2, 0).previous(), Some(StreamId::new(1, u64::MAX)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.previous()), (None, None));
    }

    proptest! {
        #[test]
        fn an_id_is_written_as_two_numbers(ms: u64, seq: u64, shift in 0u32..64) {
            let id = StreamId::new(ms >> shift, seq >> shift);
            prop_assert_eq!(id.text().as_ref().to_vec(), format!("{}-{}", id.ms, id.seq).into_bytes());
        }
    }
}
