//! Drawing at random, from numbers that the caller gives.

/// A number below `limit`, from a random one.
#[inline]
pub(crate) fn below(random: u64, limit: usize) -> usize {
    ((u128::from(random) * limit as u128) >> 64) as usize
}

/// Tells of each of `len` items, in order, whether it is among `count` that are drawn: every choice of so many is
/// equally likely.
pub(crate) struct Selection {
    left: usize,
    wanted: usize,
}

impl Selection {
    /// A selection of `count` of `len` items.
    pub(crate) fn new(count: usize, len: usize) -> Self {
        Selection { left: len, wanted: count.min(len) }
    }

    /// Whether the next item is among them.
    #[inline]
    pub(crate) fn takes(&mut self, draw: &mut dyn FnMut() -> u64) -> bool {
        let taken = self.wanted > 0 && below(draw(), self.left) < self.wanted;
        self.left -= 1;
        self.wanted -= usize::from(taken);
        taken
    }
}
