//! The commands of the text protocol, but for meta commands and reports.

use arrayvec::ArrayVec;
use bytes::Bytes;
use memcache_wire::{Admin, Block, Error, Get, Reply, Request, Store, VERSION, Verb, Words};
use std::sync::atomic::Ordering::Relaxed;

use crate::clock::Now;
use crate::items::{self, Mode, Order, Stored, Sum, Summed};
use crate::listing::Listing;
use crate::node::Node;
use crate::reports;
use crate::session::{AHEAD, REPLY_BYTES, SHARDS_AHEAD, Session, Step};
use crate::settings::{LEAST_MEMORY_BYTES, VERBOSITY_MAX};
use crate::tuning;
use crate::unfinished::Made;
use crate::watching;

/// Limits in MB that are certainly meant as bytes.
const BYTES_CERTAINLY: u32 = 1_000_000_000;

impl Session {
    #[inline]
    pub(crate) fn perform_text(
        &mut self,
        node: &Node,
        request: Request,
        made: Option<&Made>,
        now: Now,
        reply: &mut Reply,
    ) -> Result<Step, usize> {
        match request {
            Request::Get(get) => return self.get(node, &get, now, reply),
            Request::Store(store) => store_value(node, &store, made, now, reply)?,
            Request::Delete { key, noreply } => {
                let is_found = items::with(node, key, |shard, hash| {
                    let place = shard.find(hash, key, now);
                    if let Some(place) = place {
                        shard.counts.delete_hits += 1;
                        shard.tally(place).delete_hits += 1;
                        shard.remove(place);
                    } else {
                        shard.counts.delete_misses += 1;
                    }
                    place.is_some()
                })?;
                node.prefixes.deleted(key);
                answer(reply, noreply, if is_found { "DELETED" } else { "NOT_FOUND" });
            }
            Request::Arithmetic { key, delta, decrements, noreply } => {
                let order = Sum { key, delta, decrements, cas: 0, initial: None };
                let summed = items::sum(node, &order, now, |_, summed| summed)?;
                match summed {
                    _ if noreply => {}
                    Summed::Yes { value, .. } => reply.number(value),
                    Summed::Missing | Summed::Changed => reply.line("NOT_FOUND"),
                    Summed::NonNumeric => reply.error(Error::NonNumeric),
                    Summed::NoMemory => reply.error(Error::NoMemoryIncr),
                }
            }
            Request::Touch { key, exptime, noreply } => {
                let expires = node.clock.expiry(exptime.into(), now);
                let is_found = items::with(node, key, |shard, hash| {
                    shard.counts.cmd_touch += 1;
                    let place = shard.find(hash, key, now);
                    if let Some(place) = place {
                        shard.counts.touch_hits += 1;
                        shard.tally(place).touch_hits += 1;
                        shard.used(place, now);
                        shard.change(place, now, |item| item.set_expires(expires));
                    } else {
                        shard.counts.touch_misses += 1;
                    }
                    place.is_some()
                })?;
                answer(reply, noreply, if is_found { "TOUCHED" } else { "NOT_FOUND" });
            }
            Request::NoOp => reply.line("MN"),
            Request::FlushAll { exptime, noreply } => {
                if !node.settings.flushes.load(Relaxed) {
                    if !noreply {
                        reply.error(Error::FlushDisabled);
                    }
                    return Ok(Step::Done);
                }
                flush(node, exptime.unwrap_or(0).into(), now)?;
                answer(reply, noreply, "OK");
            }
            Request::Verbosity { level, noreply } => {
                node.settings.verbosity.store(level.min(VERBOSITY_MAX) as u8, Relaxed);
                answer(reply, noreply, "OK");
            }
            Request::Version => {
                reply.raw(b"VERSION ");
                reply.line(VERSION);
            }
            Request::Quit => return Ok(Step::Close),
            Request::MemoryLimit { megabytes, noreply } => {
                let result = set_limit(node, megabytes);
                match result {
                    _ if noreply => {}
                    Ok(()) => reply.line("OK"),
                    Err(error) => reply.error(error),
                }
            }
            Request::Admin(admin, words) => return self.administer(node, admin, words, now, reply),
            Request::Wrong(error) => reply.error(error),
            Request::Ignored => {}
            Request::Meta(_) | Request::Binary(_) => debug_assert!(false, "another protocol's request"),
        }
        Ok(Step::Done)
    }

    /// Gives items. What has been answered stays so if a shard has to be waited for, or if there is much to be sent.
    #[inline]
    fn get(&mut self, node: &Node, get: &Get, now: Now, reply: &mut Reply) -> Result<Step, usize> {
        let expires = get.exptime.map(|exptime| node.clock.expiry(exptime.into(), now));
        let mut keys = get.keys;
        for _ in 0..self.answered {
            keys.next();
        }
        let mut rest = keys;
        // Most ask for one, which has been fetched with other requests.
        if let Some(key) = rest.next()
            && rest.is_empty()
        {
            self.give(node, get, (node.hash(key), key), expires, now, reply)?;
            reply.end();
            return Ok(Step::Done);
        }
        loop {
            let ahead: ArrayVec<&[u8], AHEAD> = keys.by_ref().take(AHEAD).collect();
            if ahead.is_empty() {
                break;
            }
            let hashes: ArrayVec<u64, AHEAD> = ahead.iter().map(|key| node.hash(key)).collect();
            node.prefetch(&hashes);
            for (number, (&hash, key)) in hashes.iter().zip(ahead).enumerate() {
                if reply.len() > REPLY_BYTES {
                    return Ok(Step::Flush);
                }
                node.prefetch_shard(hashes.get(number + SHARDS_AHEAD));
                self.give(node, get, (hash, key), expires, now, reply)?;
            }
        }
        reply.end();
        Ok(Step::Done)
    }

    /// Gives the item of a key, which comes with its hash.
    #[inline]
    fn give(
        &mut self,
        node: &Node,
        get: &Get,
        (hash, key): (u64, &[u8]),
        expires: Option<u32>,
        now: Now,
        reply: &mut Reply,
    ) -> Result<(), usize> {
        items::with_hash(node, hash, |shard| {
            let found = shard.find(hash, key, now);
            shard.looked_up(found, expires.is_some());
            node.prefixes.got(key, found.is_some());
            let Some(place) = found else { return };
            shard.used(place, now);
            if let Some(expires) = expires {
                shard.change(place, now, |item| item.set_expires(expires));
            }
            let item = shard.at(place);
            let cas = get.with_cas.then(|| item.cas());
            match item.lend() {
                None => reply.value(key, item.flags(), cas, item.value()),
                Some(lent) => {
                    reply.value_header(key, item.flags(), cas, lent.len());
                    reply.lend(Bytes::from_owner(lent));
                    reply.end_line();
                }
            }
        })?;
        self.answered += 1;
        Ok(())
    }

    fn administer(
        &mut self,
        node: &Node,
        admin: Admin,
        mut words: Words,
        now: Now,
        reply: &mut Reply,
    ) -> Result<Step, usize> {
        match admin {
            Admin::Stats => {
                let mut behind = words;
                if behind.next() == Some(b"cachedump") {
                    return Ok(self.begin(Listing::cachedump(node, behind), reply));
                }
                reports::stats(node, words, now, reply);
            }
            Admin::Shutdown => match words.next() {
                _ if !node.settings.shuts_down.load(Relaxed) => reply.error(Error::ShutdownDisabled),
                None | Some(b"graceful") => return Ok(Step::ShutDown),
                Some(_) => reply.error(Error::ShutdownMode),
            },
            Admin::Slabs => tuning::slabs(words, reply),
            Admin::Lru => tuning::lru(words, reply),
            Admin::LruCrawler => {
                let mut behind = words;
                if let (Some(b"metadump"), Some(classes), None) =
                    (behind.next(), behind.next(), behind.next())
                {
                    return Ok(self.begin(Listing::metadump(node, classes), reply));
                }
                tuning::crawler(node, words, reply);
            }
            Admin::Extstore => tuning::extstore(words, reply),
            Admin::Watch => match self.begin_watch(node, words, reply) {
                Ok(()) => {
                    reply.line("OK");
                    return Ok(Step::Watch);
                }
                Err(_) if words.last() == Some(b"noreply") => {}
                Err(error) => reply.error(error),
            },
            Admin::RefreshCerts => reply.error(Error::NoTls),
        }
        Ok(Step::Done)
    }

    /// Has the client watch from now on.
    fn begin_watch(&mut self, node: &Node, words: Words, reply: &Reply) -> Result<(), Error> {
        if !reply.is_empty() {
            return Err(Error::WatchPipelined);
        }
        self.watch = Some(node.watch(watching::wanted(words)?)?);
        Ok(())
    }

    /// Begins a list, or answers why there is none.
    fn begin(&mut self, listing: Result<Listing, Error>, reply: &mut Reply) -> Step {
        match listing {
            Ok(listing) => {
                self.listing = Some(Box::new(listing));
                Step::List
            }
            Err(error) => {
                reply.error(error);
                Step::Done
            }
        }
    }
}

/// Stores a value, as an item that has been made of it if there is one.
#[inline]
fn store_value(
    node: &Node,
    store: &Store,
    made: Option<&Made>,
    now: Now,
    reply: &mut Reply,
) -> Result<(), usize> {
    let mode = match store.verb {
        Verb::Set => Mode::Set,
        Verb::Add => Mode::Add,
        Verb::Replace => Mode::Replace,
        Verb::Append => Mode::Append,
        Verb::Prepend => Mode::Prepend,
        Verb::Cas => Mode::Cas,
    };
    let mut order = Order {
        mode,
        key: store.key,
        flags: store.flags,
        expires: node.clock.expiry(store.exptime.into(), now),
        value: &[],
        cas: store.cas,
        made,
        is_stale: false,
        has_binary_key: false,
        outdates: store.verb == Verb::Set,
    };
    let stored = match store.block {
        Block::Whole(value) => {
            order.value = value;
            items::store(node, &order, now)?
        }
        // What is too large is so before its end is looked at.
        Block::Bad if !items::is_too_large(node, store.key, store.flags, store.len as usize) => {
            items::count_bad(node, &order, store.len as usize)?;
            node.prefixes.set(store.key);
            if !store.noreply {
                reply.error(Error::DataChunk);
            }
            return Ok(());
        }
        // It was not waited for.
        Block::Bad | Block::Follows => items::turn_away(node, &order, store.len as usize, now)?,
    };
    node.prefixes.set(store.key);
    match stored {
        Stored::TooLarge if !store.noreply => reply.error(Error::TooLarge),
        Stored::NoMemory if !store.noreply => reply.error(Error::NoMemory),
        _ if store.noreply => {}
        Stored::Yes(_) => reply.line("STORED"),
        Stored::No => reply.line("NOT_STORED"),
        Stored::Changed => reply.line("EXISTS"),
        Stored::Missing => reply.line("NOT_FOUND"),
        Stored::TooLarge | Stored::NoMemory => {}
    }
    Ok(())
}

fn answer(reply: &mut Reply, noreply: bool, text: &str) {
    if !noreply {
        reply.line(text);
    }
}

/// Has all items go a second before a time that a client gave, as memcached does: at once if that is now or has passed.
/// What was before the node began takes back what was said before, since there was nothing then.
pub(crate) fn flush(node: &Node, exptime: i64, now: Now) -> Result<(), usize> {
    let at = node.clock.expiry(exptime.max(0), now);
    match at {
        1 => node.forget_flush(now)?,
        _ if at <= now.second + 1 => node.flush(0, now)?,
        _ => node.flush(at - 1, now)?,
    }
    let second = if at == 0 { now.second } else { at };
    node.settings.oldest.store(second - 1, Relaxed);
    node.traffic.cmd_flush.fetch_add(1, Relaxed);
    Ok(())
}

fn set_limit(node: &Node, megabytes: u32) -> Result<(), Error> {
    if megabytes > BYTES_CERTAINLY {
        return Err(Error::LimitNotMegabytes);
    }
    let bytes = (megabytes as usize) << 20;
    if bytes < LEAST_MEMORY_BYTES {
        return Err(Error::LimitTooSmall);
    }
    node.settings.memory_bytes.store(bytes, Relaxed);
    Ok(())
}
