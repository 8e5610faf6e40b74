//! Replies on their way to a client: what was copied in one piece, and between its parts the values that were not.
//!
//! Invariant: a value is let go as soon as it has been sent.

use std::collections::VecDeque;
use std::io::IoSlice;

use arrayvec::ArrayVec;
use bytes::{Buf, Bytes};

/// Pieces that are sent at once.
const PIECES: usize = 16;

/// Replies that have not been sent, from a place on.
#[derive(Debug, Default)]
pub(super) struct Output {
    copied: Vec<u8>,
    /// What has been sent of it, in bytes.
    sent: usize,
    /// Each with the place in `copied` that it comes before.
    lent: VecDeque<(usize, Bytes)>,
}

impl Output {
    /// Whether all has been sent.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.copied.len() && self.lent.is_empty()
    }

    /// What the buffer takes, in bytes; values are not copied into it.
    pub(super) fn capacity(&self) -> usize {
        self.copied.capacity()
    }

    /// Takes replies behind those that there are.
    #[inline]
    pub(super) fn push(&mut self, mut copied: Vec<u8>, lent: Vec<(usize, Bytes)>) {
        let before = self.copied.len();
        if before == 0 {
            self.copied = copied;
        } else {
            self.copied.append(&mut copied);
        }
        self.lent.extend(lent.into_iter().map(|(at, value)| (before + at, value)));
    }

    /// All that is to be sent, if it is one piece.
    #[inline]
    pub(super) fn only_piece(&self) -> Option<&[u8]> {
        self.lent.is_empty().then(|| &self.copied[self.sent..])
    }

    /// What is to be sent next: some pieces of it.
    #[inline]
    pub(super) fn pieces(&self) -> ArrayVec<IoSlice<'_>, PIECES> {
        let (mut pieces, mut begin) = (ArrayVec::new(), self.sent);
        for (at, value) in &self.lent {
            if pieces.remaining_capacity() < 2 {
                return pieces;
            }
            if begin < *at {
                pieces.push(IoSlice::new(&self.copied[begin..*at]));
            }
            pieces.push(IoSlice::new(value));
            begin = *at;
        }
        if begin < self.copied.len() && !pieces.is_full() {
            pieces.push(IoSlice::new(&self.copied[begin..]));
        }
        pieces
    }

    /// Takes note that so many bytes of it have been sent.
    #[inline]
    pub(super) fn advance(&mut self, mut len: usize) {
        loop {
            let until = self.lent.front().map_or(self.copied.len(), |(at, _)| *at);
            let copied = len.min(until - self.sent);
            self.sent += copied;
            len -= copied;
            let Some((_, value)) = self.lent.front_mut().filter(|_| len > 0) else { break };
            let lent = len.min(value.len());
            value.advance(lent);
            len -= lent;
            if value.is_empty() {
                self.lent.pop_front();
            }
        }
        debug_assert_eq!(len, 0, "no more is sent than there is");
    }

    /// Gives up the buffer, when all has been sent.
    #[inline]
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        debug_assert!(self.is_empty());
        self.sent = 0;
        let mut buffer = std::mem::take(&mut self.copied);
        buffer.clear();
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is to be sent, in steps of so many bytes.
    fn sent(output: &mut Output, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !output.is_empty() {
            let pieces: Vec<u8> = output.pieces().iter().flat_map(|piece| piece.to_vec()).collect();
            let len = pieces.len().min(step);
            assert!(len > 0, "something is left");
            all.extend_from_slice(&pieces[..len]);
            output.advance(len);
        }
        all
    }

    #[test]
    fn pieces_are_sent_in_their_order_however_much_the_socket_takes() {
        for step in [1, 2, 3, 7, 1_000] {
            let mut output = Output::default();
            output
                .push(b"ab".to_vec(), vec![(0, Bytes::from_static(b"one")), (1, Bytes::from_static(b"two"))]);
            output.push(Vec::new(), vec![(0, Bytes::from_static(b"three"))]);
            output.push(b"c".to_vec(), vec![(1, Bytes::from_static(b"four"))]);
            assert_eq!(sent(&mut output, step), b"oneatwobthreecfour");
            assert!(output.take_buffer().is_empty());
        }
    }

    #[test]
    fn more_pieces_than_are_sent_at_once_are_all_sent() {
        let mut output = Output::default();
        let lent = (0..100).map(|at| (at, Bytes::from_static(b"value"))).collect();
        output.push(vec![b'-'; 100], lent);
        assert_eq!(sent(&mut output, usize::MAX), "value-".repeat(100).as_bytes());
    }

    #[test]
    fn a_value_is_let_go_when_it_has_been_sent() {
        let mut output = Output::default();
        output.push(b"x".to_vec(), vec![(0, Bytes::from(vec![1, 2])), (1, Bytes::from(vec![3]))]);
        output.advance(1);
        assert_eq!(output.lent.len(), 2);
        output.advance(1);
        assert_eq!(output.lent.len(), 1);
        output.advance(2);
        assert!(output.is_empty() && output.lent.is_empty());
    }
}
