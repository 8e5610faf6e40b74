//! Which key goes when memory is short.
//!
//! As in Redis, a few keys are drawn and the best candidates are remembered in a pool, so that after a while the
//! worst keys of the whole shard are known. A candidate that has been used since it was drawn is passed over.

use crate::access;
use crate::effects::{Class, Effects, Event};
use crate::params::Policy;
use crate::shard::Shard;
use arrayvec::ArrayVec;
use structures::entry::Entry;
use structures::table::{Item, Place};

/// Candidates that are remembered.
const POOL: usize = 16;
/// Most keys that are drawn together.
const TOGETHER: usize = 16;
/// How often a draw is repeated that found nothing of use.
const DRAWS: usize = 64;
/// Where less than one of so many keys expires, those that do are looked for in the wheel.
const RARE: usize = 16;

/// The best candidates of a shard, the very best last.
#[derive(Debug, Default)]
pub struct Pool(Vec<Candidate>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    /// The higher, the sooner it goes.
    score: i64,
    db: u32,
    hash: u64,
}

impl Pool {
    fn add(&mut self, candidate: Candidate) {
        if self.0.iter().any(|own| own.db == candidate.db && own.hash == candidate.hash) {
            return;
        }
        let at = self.0.partition_point(|own| own.score < candidate.score);
        if self.0.len() == POOL {
            if at == 0 {
                return;
            }
            self.0.remove(0);
            self.0.insert(at - 1, candidate);
        } else {
            self.0.insert(at, candidate);
        }
    }
}

impl Shard {
    /// Removes the key that the policy wants gone most; whether there was one.
    pub fn evict(&mut self, effects: &mut Effects, now_ms: i64) -> bool {
        let victim = match self.params().policy {
            Policy::NoEviction => None,
            Policy::AllKeysRandom | Policy::VolatileRandom => self.draw_any(),
            _ => self.draw_best(now_ms),
        };
        let Some((db, place)) = victim else { return false };
        let entry = self.take(effects, db, place);
        // Else records of keys that have gone would crowd out keys.
        self.tidy_wheel(effects, now_ms, db);
        effects.evicted += 1;
        let lazily = self.params().lazy_eviction;
        self.gone(effects, db, entry, Event(Class::EVICTED, "evicted"), lazily);
        true
    }

    /// A key that may go, from a database drawn by its number of such keys.
    fn draw_any(&mut self) -> Option<(u32, Place)> {
        let only_volatile = self.params().policy.is_volatile();
        let keys = |shard: &Shard, db: u32| {
            let stats = shard.stats(db);
            if only_volatile { stats.volatile } else { stats.keys }
        };
        let total: usize = self.dbs().map(|db| keys(self, db)).sum();
        if total == 0 {
            return None;
        }
        let mut index = ((u128::from(self.draw()) * total as u128) >> 64) as usize;
        let db = self.dbs().find(|&db| match index.checked_sub(keys(self, db)) {
            Some(less) => {
                index = less;
                false
            }
            None => true,
        })?;
        let place = if only_volatile { self.draw_volatile(db) } else { self.draw_key(db) };
        Some((db, place?))
    }

    /// A key that expires, drawn from all of them alike.
    fn draw_volatile(&mut self, db: u32) -> Option<Place> {
        let own = self.db(db)?;
        if own.volatile == 0 {
            return None;
        }
        // The wheel has several records of a key that went and came back, and so prefers keys that are used often; but
        // where few keys expire it is what finds them.
        if own.volatile >= own.table.len() / RARE {
            for _ in 0..DRAWS {
                let place = self.draw_key(db)?;
                if self.at(db, place).expire_at_ms().is_some() {
                    return Some(place);
                }
            }
        }
        for _ in 0..DRAWS {
            let number = self.draw();
            let own = self.db(db)?;
            let fragment = own.wheel.draw(number)?;
            let found = own.table.find_fragment(fragment, |entry| entry.expire_at_ms().is_some());
            if found.is_some() {
                return found;
            }
        }
        // A wheel full of records of keys that have gone: any key that expires will do.
        let own = self.db(db)?;
        let key = own.table.iter().find(|entry| entry.expire_at_ms().is_some())?;
        own.table.find(own.table.hash(key.key()), key.key())
    }

    /// The best candidate, after drawing some more.
    fn draw_best(&mut self, now_ms: i64) -> Option<(u32, Place)> {
        let policy = self.params().policy;
        let samples = self.params().samples;
        for _ in 0..DRAWS {
            for db in self.dbs() {
                self.sample(db, policy, samples, now_ms);
            }
            while let Some(candidate) = self.pool.0.pop() {
                let Some(own) = self.db(candidate.db) else { continue };
                let found = own.table.find_where(candidate.hash, |entry| {
                    own.table.hash(entry.key()) == candidate.hash
                        && (!policy.is_volatile() || entry.expire_at_ms().is_some())
                        && self.score(policy, entry, now_ms) >= candidate.score
                });
                if let Some(place) = found {
                    return Some((candidate.db, place));
                }
            }
            if self.dbs().all(|db| {
                let stats = self.stats(db);
                if policy.is_volatile() { stats.volatile == 0 } else { stats.keys == 0 }
            }) {
                return None;
            }
        }
        None
    }

    /// Adds candidates of a database to the pool.
    fn sample(&mut self, db: u32, policy: Policy, samples: usize, now_ms: i64) {
        let mut rest = samples;
        while rest > 0 {
            let places = self.draw_some(db, policy, rest);
            if places.is_empty() {
                return;
            }
            rest = rest.saturating_sub(places.len());
            for place in places {
                let candidate = self.candidate(db, place, policy, now_ms);
                self.pool.add(candidate);
            }
        }
    }

    /// Keys that may go, about so many; none if there are none.
    fn draw_some(&mut self, db: u32, policy: Policy, count: usize) -> ArrayVec<Place, TOGETHER> {
        let mut places = ArrayVec::new();
        if !policy.is_volatile() {
            return self.draw_keys(db, count);
        }
        let Some(own) = self.db(db) else { return places };
        if own.volatile >= own.table.len() / 2 {
            places = self.draw_keys(db, count);
            places.retain(|place| self.at(db, *place).expire_at_ms().is_some());
        }
        if places.is_empty() {
            places.extend(self.draw_volatile(db));
        }
        places
    }

    fn candidate(&self, db: u32, place: Place, policy: Policy, now_ms: i64) -> Candidate {
        let table = &self.db(db).expect("a place of the database").table;
        let entry = table.at(place);
        Candidate { score: self.score(policy, &entry, now_ms), db, hash: table.hash(entry.key()) }
    }

    /// How much a key is wanted gone.
    fn score(&self, policy: Policy, entry: &Entry, now_ms: i64) -> i64 {
        match policy {
            Policy::AllKeysLfu | Policy::VolatileLfu => {
                255 - i64::from(access::frequency(self.params(), entry.clock(), now_ms))
            }
            Policy::VolatileTtl => i64::MAX - entry.expire_at_ms().unwrap_or(i64::MAX),
            _ => access::idle_ms(entry.clock(), now_ms),
        }
    }
}
