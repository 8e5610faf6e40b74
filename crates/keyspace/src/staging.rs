//! Keys that are loaded, to take the place of those of a keyspace at one moment.
//!
//! Whatever goes wrong while keys are loaded, those of the keyspace stay as they are. Nobody else sees a [`Staging`],
//! so nothing is locked until [`Locked::replace`].
//!
//! Not here: where keys are loaded from.

use crate::access;
use crate::effects::{Effects, Garbage};
use crate::locked::Locked;
use crate::shard::Shard;
use rdb::Access;
use std::sync::Arc;
use structures::entry::Entry;
use structures::table::Item;

/// Keys that are loaded; see the module.
pub struct Staging {
    shards: Vec<Shard>,
    /// As in the keyspace.
    seed: u64,
    bits: u8,
    effects: Effects,
    keys: u64,
}

impl Staging {
    /// No keys yet. They are to take the place of those of a keyspace of which some shard is held, and are kept by its
    /// parameters.
    pub fn of(held: &Locked<'_>) -> Self {
        let keyspace = held.keyspace();
        let (seed, bits) = (keyspace.seed(), keyspace.bits());
        let model = held.iter().next().expect("a shard is held");
        let shard = |number| {
            let mut shard = Shard::new(seed, bits, number, Arc::clone(&model.params));
            if model.indexes_slots() {
                shard.index_slots();
            }
            shard
        };
        let shards = (0..keyspace.shards()).map(shard).collect();
        Staging { shards, seed, bits, effects: Effects::default(), keys: 0 }
    }

    /// Adds a key to a database. Whether it was not there; if it was, it stays as it is.
    pub fn put(&mut self, now_ms: i64, db: u32, entry: Entry, access: Option<Access>) -> bool {
        let hash = structures::table::hash(self.seed, entry.key());
        let number = if self.bits == 0 { 0 } else { (hash >> (64 - self.bits)) as usize };
        let shard = &mut self.shards[number];
        if shard.find(db, &crate::Key { bytes: entry.key(), hash }).is_some() {
            return false;
        }
        let mut entry = entry;
        let is_lfu = shard.params().policy.is_lfu();
        entry.set_clock(match access {
            Some(Access::Frequency(frequency)) if is_lfu => access::with_frequency(frequency, now_ms),
            Some(Access::IdleS(seconds)) if !is_lfu => {
                access::with_idle_ms(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000), now_ms)
            }
            _ => shard.initial_clock(now_ms),
        });
        shard.insert(&mut self.effects, now_ms, db, hash, entry);
        self.keys += 1;
        true
    }

    /// The number of keys.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// What the keys take, in bytes.
    pub fn used_bytes(&self) -> usize {
        self.shards.iter().map(Shard::used_bytes).sum()
    }
}

impl Locked<'_> {
    /// Puts keys that have been loaded in the place of all that there are; all shards must be held. Those who watch or
    /// wait learn of it. Keys that were there are left to be freed where nobody waits.
    pub fn replace(&mut self, effects: &mut Effects, staging: Staging) {
        debug_assert!(self.holds_all());
        let Staging { shards, effects: mut staged, .. } = staging;
        for (own, new) in self.iter_mut().zip(shards) {
            for db in own.dbs() {
                let garbage: Option<Garbage> = own.flush(effects, db);
                effects.garbage.extend(garbage);
            }
            own.adopt(effects, new);
        }
        if let Some(due_ms) = staged.due_ms.take() {
            effects.due_at_ms(due_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interest::Watch;
    use crate::{Keyspace, Moment, Params};
    use structures::entry::Value;

    fn entry(key: &str, value: &str, expire_at_ms: Option<i64>) -> Entry {
        let mut entry = Entry::new(key.as_bytes(), Value::Text(value.as_bytes()));
        entry.set_expire_at_ms(expire_at_ms);
        entry
    }

    #[test]
    fn what_was_there_gives_way_at_once() {
        let keyspace = Keyspace::new(4, 3, Arc::new(Params::new(3)));
        let mut effects = Effects::default();
        let mut locked = keyspace.lock_blocking(keyspace.all());
        let mut old = Staging::of(&locked);
        for number in 0..100 {
            assert!(old.put(1, number % 3, entry(&number.to_string(), "old", None), None));
        }
        locked.replace(&mut effects, old);
        assert!(effects.garbage.is_empty() && effects.due_ms.is_none());
        keyspace.account(&mut effects);
        let mut new = Staging::of(&locked);
        assert!(new.put(1, 1, entry("1", "new", Some(5_000)), None));
        assert!(!new.put(1, 1, entry("1", "twice", None), None), "it is there already");
        assert!(new.put(1, 2, entry("1", "far", None), None));
        assert_eq!(new.keys(), 2);
        let used = new.used_bytes();
        locked.replace(&mut effects, new);
        assert_eq!(effects.garbage.iter().map(Garbage::len).sum::<usize>(), 100);
        assert!(effects.due_ms.is_some(), "what has been loaded expires");
        keyspace.account(&mut effects);
        assert_eq!(keyspace.used_bytes(), used);
        locked.iter().for_each(Shard::check_invariants);
        assert_eq!((locked.stats(0).keys, locked.stats(1).keys, locked.stats(2).keys), (0, 1, 1));
        let key = keyspace.key(b"1");
        let found = locked.get(&mut effects, Moment::at(1), 1, &key).expect("it has been loaded");
        assert_eq!(found.text().map(|text| text.to_bytes().into_owned()), Some(b"new".to_vec()));
    }

    #[test]
    fn those_who_watch_learn_of_it() {
        let keyspace = Keyspace::new(1, 3, Arc::new(Params::new(3)));
        let mut effects = Effects::default();
        let watch = Arc::new(Watch::default());
        let mut locked = keyspace.lock_blocking(keyspace.all());
        locked.iter_mut().for_each(|shard| shard.interest(0).watch(b"k", &watch));
        let nothing = Staging::of(&locked);
        locked.replace(&mut effects, nothing);
        assert!(!watch.is_broken(), "the key neither was there nor is");
        let mut new = Staging::of(&locked);
        new.put(1, 0, entry("k", "new", None), None);
        locked.replace(&mut effects, new);
        assert!(watch.is_broken());
        locked.iter().for_each(Shard::check_invariants);
    }
}
