//! How much memory lies idle between the items, as those that are drawn show.
//!
//! What a node takes from the system is pages of the allocator, each full of blocks of one size. Eviction leaves holes in
//! them, most when the sizes of what is kept change: an accounting of blocks alone would let a node of 64 MB take 74, and
//! 115 where small items give way to large ones. How sparse all pages are is not known, but an item that is drawn tells it
//! of its own.
//!
//! Each shard has an estimate of its own, since what it has may be older than what others have. Shards that evict nothing
//! look at some of their items, too, while others evict: those may have left the same pages.

/// Of how many draws the estimate remembers about as much as it forgets.
const MEMORY: f32 = 512.0;

/// A moving average over draws; see the module.
#[derive(Debug, Default)]
pub(crate) struct Sparseness {
    /// What lies idle on account of an item, in bytes.
    idle: f32,
}

impl Sparseness {
    /// Takes note of what lies idle on account of a drawn item, in bytes.
    #[inline]
    pub(crate) fn note(&mut self, idle: usize) {
        self.idle += (idle as f32 - self.idle) / MEMORY;
    }

    /// What lies idle between so many items, in bytes.
    #[inline]
    pub(crate) fn idle_bytes(&self, items: usize) -> usize {
        (self.idle * items as f32) as usize
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
    fn what_is_drawn_stands_for_all_items() {
        let mut sparseness = Sparseness::default();
        for _ in 0..10_000 {
            sparseness.note(0);
            sparseness.note(4_950);
        }
        let idle = sparseness.idle_bytes(1_000);
        assert!((2_450_000..2_500_000).contains(&idle), "{idle}");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut sparseness = Sparseness::default();
        for idle in [1_000, 0] {
            (0..10_000).for_each(|_| sparseness.note(idle));
        }
        assert_eq!(sparseness.idle_bytes(1_000), 0);
    }
}
