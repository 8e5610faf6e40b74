//! The meta commands.

use memcache_wire::meta::KEY_ROOM;
use memcache_wire::{Block, Error, Meta, MetaVerb, Options, Reply};
use structures::cached::{Cached, Head, Marks};

use crate::clock::Now;
use crate::items::{self, Mode, Order, Stored, Sum, Summed};
use crate::node::{Node, Room};
use crate::session::Step;
use crate::unfinished::Made;
use structures::table::Item;

/// Does what a meta command says; an item that has been made for it is put in its place as it is.
pub(crate) fn perform(
    node: &Node,
    meta: &Meta,
    made: Option<&Made>,
    now: Now,
    reply: &mut Reply,
) -> Result<Step, usize> {
    let options = match meta.options() {
        Ok(options) => options,
        Err(error) => {
            reply.error(error);
            return Ok(Step::Done);
        }
    };
    let mut room = [0; KEY_ROOM];
    let command = Command { node, key: meta.key(&options, &mut room), options, made, now };
    match meta.verb {
        MetaVerb::Get => command.get(reply)?,
        MetaVerb::Set => command.set(meta.block, meta.len as usize, reply)?,
        MetaVerb::Delete => command.delete(reply)?,
        MetaVerb::Arithmetic => command.arithmetic(reply)?,
        MetaVerb::Debug => command.debug(reply)?,
    }
    Ok(Step::Done)
}

/// When `ms` stores a value.
pub(crate) fn mode(options: &Options) -> Mode {
    match options.mode {
        Some(b'E') => Mode::Add,
        Some(b'A') => Mode::Append,
        Some(b'P') => Mode::Prepend,
        _ if options.cas.is_some() => Mode::Cas,
        Some(b'R') => Mode::Replace,
        _ => Mode::Set,
    }
}

/// A command, with what its flags mean.
struct Command<'a> {
    node: &'a Node,
    key: &'a [u8],
    options: Options<'a>,
    made: Option<&'a Made>,
    now: Now,
}

impl Command<'_> {
    fn expiry(&self, exptime: i32) -> u32 {
        self.node.clock.expiry(exptime.into(), self.now)
    }

    fn is_quiet(&self) -> bool {
        self.options.has(b'q')
    }

    /// Writes the flags that a reply repeats, whatever it is about.
    fn repeat_flag(&self, letter: u8, value: &[u8], has_binary_key: bool, reply: &mut Reply) {
        match letter {
            b'O' => reply.flag_bytes(b'O', value),
            b'k' => reply.flag_key(self.key, has_binary_key),
            _ => {}
        }
    }

    /// Writes a reply that is one word, with the flags that it repeats.
    fn word(&self, word: &str, reply: &mut Reply) {
        reply.meta(word);
        let has_binary_key = self.options.is_base64();
        self.options
            .flags()
            .for_each(|(letter, value)| self.repeat_flag(letter, value, has_binary_key, reply));
        reply.end_line();
    }

    /// Seconds that are left to an item; -1 for without end.
    fn time_left(&self, expires: u32) -> i64 {
        if expires == 0 { -1 } else { i64::from(expires) - i64::from(self.now.second) }
    }

    /// The same as a reply has it: a time that has passed is a number without sign to memcached.
    fn time_told(&self, expires: u32) -> i64 {
        if expires == 0 { -1 } else { expires.wrapping_sub(self.now.second).into() }
    }

    fn get(&self, reply: &mut Reply) -> Result<(), usize> {
        let Command { key, now, ref options, .. } = *self;
        // When it expires is said below.
        let vivify = options.vivify.map(|_| Head { expires: 1, ..Head::default() });
        let has_room = match vivify {
            Some(head) => match self.node.make_room(Cached::room(&head, key.len(), 0), now) {
                Room::Enough => true,
                Room::Short => false,
                Room::Contended(number) => return Err(number),
            },
            None => true,
        };
        items::with(self.node, key, |shard, hash| {
            let found = shard.find(hash, key, now);
            let is_new = found.is_none() && vivify.is_some() && has_room;
            let made = is_new.then(|| shard.put(hash, key, Head::default(), [&[], &[]], now));
            // An item that is made counts as found.
            let found = found.or(made);
            shard.looked_up(found, found.is_some() && options.has(b'T'));
            let Some(place) = found else {
                return match vivify {
                    Some(head) => {
                        shard.lacked_room(Cached::room(&head, key.len(), 0));
                        reply.error(Error::NoMemory);
                    }
                    None if self.is_quiet() => {}
                    None => self.word("EN", reply),
                };
            };
            let item = shard.at(place);
            let (len, mut expires, marks, accessed) =
                (item.value().len(), item.expires(), item.marks(), item.accessed());
            let start = reply.len();
            if options.has(b'v') {
                reply.meta_value(len)
            } else {
                reply.meta("HD")
            }
            let mut is_won = is_new;
            for (letter, value) in options.flags() {
                match letter {
                    b'T' => expires = self.expiry(options.exptime.unwrap_or(0)),
                    b'N' if is_new => expires = self.expiry(options.vivify.unwrap_or(0)),
                    b'R' => {
                        let soon = self.expiry(options.recache.unwrap_or(0));
                        is_won |= !is_new && !marks.contains(Marks::WON) && expires != 0 && expires < soon;
                    }
                    b's' => reply.flag_number(b's', len as u64),
                    b't' => reply.flag_signed(b't', self.time_told(expires)),
                    b'c' => reply.flag_number(b'c', item.cas()),
                    b'f' => reply.flag_number(b'f', item.flags().into()),
                    b'l' => {
                        let second = accessed / crate::clock::TICKS as u32;
                        reply.flag_number(b'l', now.second.saturating_sub(second).into());
                    }
                    b'h' => reply.flag_number(b'h', marks.contains(Marks::FETCHED).into()),
                    _ => self.repeat_flag(letter, value, marks.contains(Marks::BINARY_KEY), reply),
                }
            }
            if marks.contains(Marks::WON) {
                reply.flag(b'Z');
            }
            if marks.contains(Marks::STALE) {
                reply.flag(b'X');
                is_won |= !marks.contains(Marks::WON);
            }
            if is_won {
                reply.flag(b'W');
            }
            reply.end_line();
            if options.has(b'v') {
                items::write_value(&item, reply);
                reply.end_line();
            }
            let old = item.expires();
            if is_won || expires != old {
                shard.change(place, now, |item| {
                    if is_won {
                        item.set_marks(item.marks() | Marks::WON);
                    }
                    item.set_expires(expires);
                });
            }
            // An item that was made counts as read.
            if !options.has(b'u') {
                shard.used(place, now);
            }
            debug_assert!(reply.len() > start);
        })
    }

    fn set(&self, block: Block, len: usize, reply: &mut Reply) -> Result<(), usize> {
        let options = &self.options;
        let mut order = Order {
            mode: mode(options),
            key: self.key,
            flags: options.client_flags,
            expires: self.expiry(options.exptime.unwrap_or(0)),
            value: &[],
            cas: options.cas.unwrap_or(0),
            made: self.made,
            is_stale: options.has(b'I'),
            has_binary_key: options.is_base64(),
            // Whatever the mode.
            outdates: true,
        };
        let stored = match block {
            Block::Whole(value) => {
                order.value = value;
                items::store(self.node, &order, self.now)?
            }
            Block::Bad if !items::is_too_large(self.node, self.key, options.client_flags, len) => {
                items::count_bad(self.node, &order, len)?;
                reply.error(Error::DataChunk);
                return Ok(());
            }
            Block::Bad | Block::Follows => items::turn_away(self.node, &order, len, self.now)?,
        };
        let (word, cas) = match stored {
            Stored::Yes(_) if self.is_quiet() => return Ok(()),
            Stored::Yes(cas) => ("HD", cas),
            Stored::No => ("NS", 0),
            Stored::Changed => ("EX", 0),
            Stored::Missing => ("NF", 0),
            Stored::TooLarge => {
                reply.error(Error::TooLarge);
                return Ok(());
            }
            Stored::NoMemory => {
                reply.error(Error::NoMemory);
                return Ok(());
            }
        };
        reply.meta(word);
        for (letter, value) in options.flags() {
            match letter {
                b'c' => reply.flag_number(b'c', cas),
                _ => self.repeat_flag(letter, value, options.is_base64(), reply),
            }
        }
        reply.end_line();
        Ok(())
    }

    fn delete(&self, reply: &mut Reply) -> Result<(), usize> {
        let Command { key, now, ref options, .. } = *self;
        let expires = options.exptime.map(|exptime| self.expiry(exptime));
        let word = items::with(self.node, key, |shard, hash| {
            let Some(place) = shard.find(hash, key, now) else {
                shard.counts.delete_misses += 1;
                return "NF";
            };
            if options.cas.is_some_and(|cas| cas != shard.at(place).cas()) {
                shard.counts.delete_misses += 1;
                return "EX";
            }
            if options.has(b'I') {
                let cas = shard.next_cas();
                shard.change(place, now, |item| {
                    if let Some(expires) = expires {
                        item.set_expires(expires);
                    }
                    item.set_marks((item.marks() | Marks::STALE) - Marks::WON);
                    item.set_cas(cas);
                });
            } else {
                shard.counts.delete_hits += 1;
                shard.tally(place).delete_hits += 1;
                shard.remove(place);
            }
            "HD"
        })?;
        if word != "HD" || !self.is_quiet() {
            self.word(word, reply);
        }
        Ok(())
    }

    fn arithmetic(&self, reply: &mut Reply) -> Result<(), usize> {
        let options = &self.options;
        let order = Sum {
            key: self.key,
            delta: options.delta,
            decrements: matches!(options.mode, Some(b'D' | b'-')),
            cas: options.cas.unwrap_or(0),
            // When it expires is said below.
            initial: options.vivify.map(|_| (options.initial, 0)),
        };
        items::sum(self.node, &order, self.now, |shard, summed| {
            let (value, place, is_new) = match summed {
                Summed::Yes { value, place, is_new } => (value, place, is_new),
                Summed::Missing => return self.word("NF", reply),
                Summed::Changed => return self.word("EX", reply),
                Summed::NonNumeric => return reply.error(Error::NonNumeric),
                Summed::NoMemory => return reply.error(Error::NoMemoryIncr),
            };
            let start = reply.len();
            let mut buffer = itoa::Buffer::new();
            let digits = buffer.format(value);
            if options.has(b'v') {
                reply.meta_value(digits.len())
            } else {
                reply.meta("HD")
            }
            let item = shard.at(place);
            let (old, cas) = (item.expires(), item.cas());
            let mut expires = old;
            for (letter, value) in options.flags() {
                match letter {
                    b'T' => expires = self.expiry(options.exptime.unwrap_or(0)),
                    b'N' if is_new => expires = self.expiry(options.vivify.unwrap_or(0)),
                    b'c' => reply.flag_number(b'c', cas),
                    b't' => reply.flag_signed(b't', self.time_told(expires)),
                    _ => self.repeat_flag(letter, value, options.is_base64(), reply),
                }
            }
            reply.end_line();
            if options.has(b'v') {
                reply.line(digits);
            }
            if expires != old {
                shard.change(place, self.now, |item| item.set_expires(expires));
            }
            // An item that was made is told of all the same.
            if self.is_quiet() && !is_new {
                reply.truncate(start);
            }
        })
    }

    fn debug(&self, reply: &mut Reply) -> Result<(), usize> {
        let Command { key, now, .. } = *self;
        items::with(self.node, key, |shard, hash| {
            shard.counts.cmd_meta += 1;
            let Some(place) = shard.find(hash, key, now) else { return reply.line("EN") };
            let item = shard.at(place);
            let accessed = item.accessed() / crate::clock::TICKS as u32;
            let bytes = item.heap_bytes();
            reply.raw(b"ME ");
            reply.key(item.key(), item.marks().contains(Marks::BINARY_KEY));
            reply.line(&format!(
                " exp={} la={} cas={} fetch={} cls={} size={bytes}",
                // Counted backwards, as memcached does.
                if item.expires() == 0 { -1 } else { -self.time_left(item.expires()) },
                now.second.saturating_sub(accessed),
                item.cas(),
                if item.marks().contains(Marks::FETCHED) { "yes" } else { "no" },
                crate::classes::class_of(bytes),
            ));
        })
    }
}
