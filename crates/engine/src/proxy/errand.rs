//! Requests of which one reply is made.
//!
//! They run one after the other. Where one of them has to wait, or takes long, the errand waits with it, and goes on
//! where it was: what has been done is done once.

use super::gather::Gather;
use super::routes::Merge;
use super::{Proxy, answer, info, own};
use crate::execute::{Step, Worker};
use crate::keys;
use crate::session::Session;
use crate::table::Entry;
use resp::{Args, OwnedArgs, Reply};
use std::ops::Range;

/// Bits of a cursor that say which shard it is about.
const SHARD_BITS: u32 = 8;

/// A request, and the number of the node that runs it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) node: usize,
    pub(super) entry: &'static Entry,
    pub(super) args: OwnedArgs,
}

/// What becomes of answers.
#[derive(Debug)]
enum Then {
    /// One reply is made of them. The numbers are those of the parts that the request's keys are in.
    Merge(Merge, Vec<usize>),
    /// The next cursor is about this shard, or the next.
    Scan(usize),
    /// They say how many keys the shards have; a key is then drawn.
    Count,
    /// They are keys, or nothing.
    Draw,
    /// Copies of keys that go to the bench.
    Gather(Gather),
}

/// Requests of which one reply is made; see the module.
#[derive(Debug)]
pub(super) struct Errand {
    entry: &'static Entry,
    parts: Vec<Part>,
    answers: Vec<Vec<u8>>,
    then: Then,
    args: OwnedArgs,
}

impl Errand {
    fn new(entry: &'static Entry, args: Args, parts: Vec<Part>, then: Then) -> Errand {
        Errand { entry, parts, answers: Vec::new(), then, args: args.to_owned() }
    }

    /// The same request to several nodes.
    pub(super) fn everywhere(nodes: Range<usize>, entry: &'static Entry, args: Args, merge: Merge) -> Errand {
        let parts = nodes.map(|node| Part { node, entry, args: args.to_owned() }).collect();
        Errand::new(entry, args, parts, Then::Merge(merge, Vec::new()))
    }

    /// Whether the arguments of a request are keys, each followed by as many others as the record says.
    pub(super) fn divides(entry: &Entry, args: Args) -> bool {
        (args.len() - 1).is_multiple_of(width(entry))
    }

    /// A part of a request to each node that has some of its keys.
    pub(super) fn split(proxy: &Proxy, entry: &'static Entry, args: Args, merge: Merge) -> Errand {
        let width = width(entry);
        let mut nodes: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut order = Vec::new();
        for at in (1..args.len()).step_by(width) {
            let node = proxy.owner(keyspace::slots::slot_of(args.at(at)));
            let part = nodes.iter().position(|(own, _)| *own == node).unwrap_or_else(|| {
                nodes.push((node, Vec::new()));
                nodes.len() - 1
            });
            nodes[part].1.push(at);
            order.push(part);
        }
        let parts = nodes.into_iter().map(|(node, keys)| {
            let groups = keys.into_iter().flat_map(|at| at..at + width);
            let args = OwnedArgs::new(std::iter::once(0).chain(groups).map(|at| args.at(at)));
            Part { node, entry, args }
        });
        Errand::new(entry, args, parts.collect(), Then::Merge(merge, order))
    }

    /// A step over the keys of one shard; the bench comes after the last shard.
    pub(super) fn scan(bench: usize, entry: &'static Entry, args: Args) -> Errand {
        let cursor = structures::number::parse_i64(args.at(1)).and_then(|cursor| u64::try_from(cursor).ok());
        let shard = cursor.map_or(0, |cursor| cursor as usize & ((1 << SHARD_BITS) - 1));
        // What is none of our cursors ends where it is, as elsewhere.
        let node = if shard + 1 < bench { shard + 1 } else { bench };
        let inner = cursor.map(|cursor| (cursor >> SHARD_BITS).to_string());
        let args = match &inner {
            Some(inner) => {
                let given = args.iter().enumerate();
                OwnedArgs::new(given.map(|(at, arg)| if at == 1 { inner.as_bytes() } else { arg }))
            }
            // Its node knows what is wrong with it.
            None => args.to_owned(),
        };
        let is_last = node + 1 >= bench;
        let parts = vec![Part { node, entry, args: args.clone() }];
        let next = if is_last { usize::MAX } else { node };
        Errand { entry, parts, answers: Vec::new(), then: Then::Scan(next), args }
    }

    /// A key, drawn from all alike: shards are first asked how many they have.
    pub(super) fn draw(proxy: &Proxy, entry: &'static Entry, args: Args) -> Errand {
        let count = own(proxy.front().release, "dbsize");
        let ask = |node| Part { node, entry: count, args: OwnedArgs::new(std::iter::once(&b"DBSIZE"[..])) };
        Errand::new(entry, args, (1..proxy.bench()).map(ask).collect(), Then::Count)
    }

    /// Copies of sets that belong to several slots, and what is made of them.
    pub(super) fn gather(
        proxy: &Proxy,
        entry: &'static Entry,
        args: Args,
        positions: &keys::Positions,
    ) -> Errand {
        let (gather, parts) = Gather::begin(proxy, args, positions);
        Errand::new(entry, args, parts, Then::Gather(gather))
    }

    /// The command.
    pub(super) fn entry(&self) -> &'static Entry {
        self.entry
    }

    /// Goes on until the reply is written. Gives where it begins.
    ///
    /// # Errors
    /// What has to be done before it can go on, and about which node.
    pub(super) fn go_on(
        &mut self,
        proxy: &Proxy,
        worker: &mut Worker,
        session: &mut Session,
        reply: &mut Reply,
    ) -> Result<usize, (Step, usize)> {
        loop {
            while let Some(part) = self.parts.get(self.answers.len()) {
                let mut answer = Reply::new(session.protocol);
                let args = part.args.as_args();
                match proxy.perform(part.node, worker, session, part.entry, args, &mut answer) {
                    Step::Done => {}
                    step => return Err((step, part.node)),
                }
                let answer = answer.into_bytes();
                let (messages, own) = answer::messages(&answer);
                reply.raw(messages);
                self.answers.push(own.to_vec());
            }
            let begins = reply.len();
            if self.finish(proxy, session, reply) {
                return Ok(begins);
            }
        }
    }

    /// All parts have been answered: writes the reply, or adds parts. Whether there is a reply.
    fn finish(&mut self, proxy: &Proxy, session: &Session, reply: &mut Reply) -> bool {
        let Errand { entry, parts, answers, then, args } = self;
        let failed = answers.iter().find(|answer| answer::is_error(answer));
        if let Some(error) = failed.filter(|_| !matches!(then, Then::Gather(_))) {
            reply.raw(error);
            return true;
        }
        match then {
            Then::Merge(merge, order) => merged(*merge, answers, order, reply),
            Then::Scan(shard) => {
                let mut elements = answer::elements(answer::list(&answers[0]).1);
                let inner = elements.next().and_then(answer::text).and_then(structures::number::parse_i64);
                let next = match inner.unwrap_or(0) {
                    // Keys of the next shard are numbered from its own beginning on.
                    0 if *shard == usize::MAX => 0,
                    0 => *shard as u64,
                    inner => (inner as u64) << SHARD_BITS | (parts[0].node as u64 - 1),
                };
                reply.array(2);
                reply.bulk(next.to_string());
                elements.for_each(|keys| reply.raw(keys));
            }
            Then::Count => {
                let counts: Vec<u64> =
                    answers.iter().map(|answer| answer::integer(answer).max(0) as u64).collect();
                let all: u64 = counts.iter().sum();
                let mut at = ((u128::from(proxy.draw()) * u128::from(all)) >> 64) as u64;
                let drawn = counts.iter().position(|&count| {
                    let is_here = at < count;
                    at = at.saturating_sub(count);
                    is_here
                });
                let drawn = drawn.unwrap_or(0);
                *parts = vec![Part { node: 1 + drawn, entry, args: args.clone() }];
                answers.clear();
                self.then = Then::Draw;
                return false;
            }
            Then::Draw => {
                let last = &answers[answers.len() - 1];
                let shards = proxy.shards().len();
                if answer::text(last).is_none() && answers.len() < shards {
                    // The keys of a shard may all have expired by now: then it is the next one's turn.
                    let node = 1 + parts[answers.len() - 1].node % shards;
                    parts.push(Part { node, entry, args: args.clone() });
                    return false;
                }
                reply.raw(last);
            }
            Then::Gather(gather) => {
                let answered = std::mem::take(answers);
                *parts = gather.go_on(proxy, entry, args.as_args(), &answered);
                if !parts.is_empty() {
                    return false;
                }
                reply.raw(gather.reply());
            }
        }
        debug_assert!(reply.protocol() == session.protocol);
        true
    }
}

/// How many arguments go with each key of a command that has nothing but keys, with the key.
fn width(entry: &Entry) -> usize {
    usize::try_from(entry.record.range.step).unwrap_or(1).max(1)
}

/// Makes one reply of answers, none of which is an error.
fn merged(merge: Merge, answers: &[Vec<u8>], order: &[usize], reply: &mut Reply) {
    match merge {
        Merge::First => reply.raw(&answers[0]),
        Merge::Sum => reply.integer(answers.iter().map(|answer| answer::integer(answer)).sum()),
        Merge::Concat => {
            let lists: Vec<(usize, &[u8])> = answers.iter().map(|answer| answer::list(answer)).collect();
            reply.array(lists.iter().map(|(count, _)| count).sum());
            lists.iter().for_each(|(_, elements)| reply.raw(elements));
        }
        Merge::Keyed => {
            let mut lists: Vec<_> =
                answers.iter().map(|answer| answer::elements(answer::list(answer).1)).collect();
            reply.array(order.len());
            for &part in order {
                reply.raw(lists[part].next().unwrap_or_default());
            }
        }
        Merge::Info => {
            let texts = answers.iter().filter_map(|answer| answer::text(answer));
            let texts: Vec<_> = texts.map(String::from_utf8_lossy).collect();
            reply.verbatim("txt", info::sum(&texts));
        }
    }
}
