//! What is counted: by each shard for what is done with its items, while it is held.

/// Counters of a shard, and their sums. What most requests count comes first, so that it lies together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the general report")]
#[repr(C)]
pub struct Counts {
    pub cmd_get: u64,
    pub get_hits: u64,
    pub get_misses: u64,
    pub cmd_set: u64,
    pub total_items: u64,
    pub cmd_touch: u64,
    pub touch_hits: u64,
    pub cmd_meta: u64,
    pub get_expired: u64,
    pub get_flushed: u64,
    pub delete_misses: u64,
    pub delete_hits: u64,
    pub incr_misses: u64,
    pub incr_hits: u64,
    pub decr_misses: u64,
    pub decr_hits: u64,
    pub cas_misses: u64,
    pub cas_hits: u64,
    pub cas_badval: u64,
    pub touch_misses: u64,
    pub store_too_large: u64,
    pub store_no_memory: u64,
    pub expired_unfetched: u64,
    pub evicted_unfetched: u64,
    pub evicted_active: u64,
    pub evictions: u64,
    pub reclaimed: u64,
}

impl Counts {
    /// As [`crate::shard::Shard::looked_up`].
    #[inline]
    pub(crate) fn looked_up(&mut self, is_found: bool, is_touched: bool) {
        let (all, found, missed) = if is_touched {
            (&mut self.cmd_touch, &mut self.touch_hits, &mut self.touch_misses)
        } else {
            (&mut self.cmd_get, &mut self.get_hits, &mut self.get_misses)
        };
        *all += 1;
        *(if is_found { found } else { missed }) += 1;
    }
}

/// Runs something for each counter of two.
macro_rules! each {
    ($($name:ident)*) => {
        impl Counts {
            /// Adds the counters of another.
            pub fn add(&mut self, other: &Counts) {
                $(self.$name += other.$name;)*
            }

            /// What has been counted since `before`.
            pub fn since(&self, before: &Counts) -> Counts {
                Counts { $($name: self.$name - before.$name,)* }
            }
        }
    };
}

each! {
    cmd_get cmd_set cmd_touch cmd_meta get_hits get_misses get_expired get_flushed delete_misses delete_hits incr_misses
    incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses store_too_large
    store_no_memory total_items expired_unfetched evicted_unfetched evicted_active evictions reclaimed
}
