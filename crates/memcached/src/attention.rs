//! What a shard has to look at beside the item that is asked for: nothing, as a rule.

use bitflags::bitflags;

bitflags! {
    /// What is going on out of the ordinary. Who finds an item looks at all of it at once.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Attention: u8 {
        /// Somebody watches which items are looked up.
        const FETCHERS = 1 << 0;
        /// Somebody watches what is stored.
        const MUTATIONS = 1 << 1;
        /// Somebody watches what is evicted.
        const EVICTIONS = 1 << 2;
        /// Somebody watches who connects and who leaves, which no shard knows of.
        const CONNECTIONS = 1 << 3;
        /// All items go at some time.
        const FLUSH = 1 << 4;
    }
}

impl Attention {
    /// What watchers may want.
    pub(crate) const WATCHED: Attention = Attention::FETCHERS
        .union(Attention::MUTATIONS)
        .union(Attention::EVICTIONS)
        .union(Attention::CONNECTIONS);
}
