//! How much memory lies idle between the items, as those that are drawn show.
//!
//! What a node takes from the system is pages of the allocator, each full of blocks of one size. Eviction leaves holes in
//! them, most when the sizes of what is kept change: an accounting of blocks alone would let a node of 64 MB take 74. How
//! sparse all pages are is not known, but an item that is drawn for eviction tells it of its own.

/// Of how many draws the estimate remembers about as much as it forgets.
const MEMORY: f32 = 512.0;
/// The unit of the share.
const ONE: f32 = 1024.0;

/// A moving average over draws; see the module.
#[derive(Debug, Default)]
pub(crate) struct Sparseness {
    /// What a drawn item takes, in bytes.
    taken: f32,
    /// What lies idle on its account, in bytes.
    idle: f32,
    /// The latter as a share of the former, in 1024ths.
    share: u32,
}

impl Sparseness {
    /// Takes note of a drawn item: what it takes and what lies idle on its account, in bytes.
    #[inline]
    pub(crate) fn note(&mut self, taken: usize, idle: usize) {
        self.taken += (taken as f32 - self.taken) / MEMORY;
        self.idle += (idle as f32 - self.idle) / MEMORY;
        self.share = (self.idle / self.taken * ONE) as u32;
    }

    /// What lies idle between items that take so many bytes.
    #[inline]
    pub(crate) fn idle_bytes(&self, items_bytes: usize) -> usize {
        items_bytes * self.share as usize / ONE as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_a_draw() {
        assert_eq!(Sparseness::default().idle_bytes(1 << 30), 0);
    }

    #[test]
    fn large_items_count_for_more_than_small_ones() {
        let mut sparseness = Sparseness::default();
        for _ in 0..10_000 {
            sparseness.note(100, 0);
            sparseness.note(9_900, 4_950);
        }
        let idle = sparseness.idle_bytes(1_000_000);
        assert!((485_000..505_000).contains(&idle), "{idle}");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut sparseness = Sparseness::default();
        for idle in [1_000, 0] {
            (0..10_000).for_each(|_| sparseness.note(1_000, idle));
        }
        assert_eq!(sparseness.idle_bytes(1_000_000), 0);
    }
}
