//! Consumer groups of streams: taking over entries that others have been given and have not acknowledged.

use super::stream_reads::{CREATE_CONSUMER, Claimed, find_or_create, repeat_group_id};
use super::streams::{NONDETERMINISTIC, RANDOM_BEFORE_7, STREAM, id, ids, start, write_entry};
use crate::commands::family;
use crate::error::printed;
use crate::parse::{integer_in, is_word};
use crate::{Command, CommandError, Cx};
use command::{Access, Flags, KeySpec, Release, v};
use keyspace::Change;
use resp::{Args, Reply};
use smallvec::SmallVec;
use structures::number::parse_i64;
use structures::stream::{ConsumerId, Entries, Group, Pending, Stream, StreamId};

family!(XCLAIM, XAUTOCLAIM);

/// `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-ms] [RETRYCOUNT count] [FORCE] [JUSTID]
/// [LASTID id]`: the entries, or their ids, that have been taken over.
pub static XCLAIM: Command = Command {
    name: "xclaim",
    summary: "Takes over entries that another consumer has yet to acknowledge.",
    complexity: "O(log(N)) for each entry, where N are pending.",
    arity: -6,
    syntax: "key group consumer min-idle-time id... [IDLE ms:int] [TIME unix-time-milliseconds:time] \
             [RETRYCOUNT count:int] [FORCE] [JUSTID] [LASTID id]",
    flags: Flags::WRITE.union(Flags::FAST),
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    tips: NONDETERMINISTIC,
    former: RANDOM_BEFORE_7,
    handler: xclaim,
    ..STREAM
};

/// `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`: from where to go on, the entries (or their
/// ids) that have been taken over, and from 7.0 on the ids of those that are no more.
pub static XAUTOCLAIM: Command = Command {
    name: "xautoclaim",
    summary: "Takes over entries that have not been acknowledged for long, whoever was given them.",
    syntax: "key group consumer min-idle-time start [COUNT count:int] [JUSTID]",
    complexity: "O(N) for N entries that are asked for.",
    since: v(6, 2, 0),
    keys: &[KeySpec::at(1, Access::RW.union(Access::DELETE))],
    handler: xautoclaim,
    ..XCLAIM
};

/// Pending entries that `XAUTOCLAIM` looks at for each that it is to take over.
const ATTEMPTS_EACH: usize = 10;

/// Entries that `XAUTOCLAIM` takes over if not told how many.
const DEFAULT_COUNT: i64 = 100;

/// Who takes over, and how.
struct Claim<'a> {
    release: Release,
    now_ms: i64,
    name: &'a [u8],
    min_idle_ms: i64,
    /// When the entries are to count as delivered.
    delivered_ms: i64,
    /// How often they are to count as delivered, if not once more than before.
    deliveries: Option<u64>,
    /// Whether entries that are not pending are taken over too.
    force: bool,
    just_id: bool,
    /// The consumer, once it was needed.
    consumer: Option<ConsumerId>,
    created: bool,
    changes: u64,
    /// What is to be repeated elsewhere, if anything is.
    repeated: Option<Vec<Repeated<'a>>>,
}

/// What has become of an entry that was pending.
struct Repeated<'a> {
    id: StreamId,
    /// The id as it came; else it is written in full.
    text: Option<&'a [u8]>,
    /// Whose it was, unless it has been taken over.
    owner: Option<Box<[u8]>>,
    delivered_ms: i64,
    deliveries: u64,
}

/// What has become of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Claimed,
    /// It is not pending, or not for long enough.
    Skipped,
    /// It is no more, and is not pending any longer.
    Gone,
}

impl<'a> Claim<'a> {
    fn new(cx: &Cx, args: Args<'a>, command: &'static str) -> Result<Claim<'a>, CommandError> {
        let min_idle_ms = parse_i64(args.at(4)).ok_or(CommandError::InvalidMinIdle(command))?.max(0);
        Ok(Claim {
            release: cx.release(),
            now_ms: cx.now_ms(),
            name: args.at(3),
            min_idle_ms,
            delivered_ms: cx.now_ms(),
            deliveries: None,
            force: false,
            just_id: false,
            consumer: None,
            created: false,
            changes: 0,
            repeated: cx.is_repeated().then(Vec::new),
        })
    }

    /// From 7.2 on the consumer is heard of, whatever there is to take over.
    fn begin(&mut self, group: &mut Group) {
        if self.release.has(v(7, 2, 0)) {
            let consumer = self.consumer(group);
            group.see(consumer, self.now_ms);
        }
    }

    fn consumer(&mut self, group: &mut Group) -> ConsumerId {
        *self.consumer.get_or_insert_with(|| {
            let (consumer, created) = find_or_create(group, self.name, self.now_ms);
            self.created = created;
            group.see(consumer, self.now_ms);
            consumer
        })
    }

    /// Takes over an entry, if that may be, and writes it.
    fn take(
        &mut self,
        reply: &mut Reply,
        entries: &Entries,
        group: &mut Group,
        id: StreamId,
        text: Option<&'a [u8]>,
    ) -> Outcome {
        let entry = entries.get(id);
        let pending = group.pending(id).copied();
        // From 7.0 on what is no more does not stay pending.
        if entry.is_none() && self.release.has(v(7, 0, 0)) {
            let Some(own) = pending else { return Outcome::Skipped };
            if let Some(repeated) = &mut self.repeated {
                // Elsewhere it is claimed by whose it was, and found to be no more.
                let owner = Some(group.consumer_at(own.consumer).name().into());
                let Pending { delivered_ms, deliveries, .. } = own;
                repeated.push(Repeated { id, text, owner, delivered_ms, deliveries });
            }
            group.acknowledge(id);
            self.changes += 1;
            return Outcome::Gone;
        }
        let deliveries = match pending {
            Some(own) if self.min_idle_ms == 0 || own.idle_ms(self.now_ms) >= self.min_idle_ms => {
                own.deliveries
            }
            None if self.force && entry.is_some() => 1,
            _ => return Outcome::Skipped,
        };
        let more = u64::from(!self.just_id);
        let deliveries = self.deliveries.unwrap_or(deliveries.saturating_add(more));
        let consumer = self.consumer(group);
        group.assign(Pending { id, delivered_ms: self.delivered_ms, deliveries, consumer });
        group.activate(consumer, self.now_ms);
        self.changes += 1;
        if let Some(repeated) = &mut self.repeated {
            let delivered_ms = self.delivered_ms;
            repeated.push(Repeated { id, text, owner: None, delivered_ms, deliveries });
        }
        match entry {
            _ if self.just_id => reply.bulk(id.text()),
            Some(entry) => write_entry(reply, entry),
            None => reply.null(),
        }
        Outcome::Claimed
    }

    fn end(&self, change: Change<Stream>) {
        let notified = self.created && self.release.has(v(7, 0, 0));
        match self.changes + u64::from(self.created) {
            0 => change.leave(),
            changes => change.commit_aside(&[CREATE_CONSUMER][..usize::from(notified)], changes),
        }
    }

    /// Repeats what has become of each entry; `read_to` is up to where the group has read, `moved` whether that is new.
    fn repeat(&self, cx: &mut Cx, args: Args, read_to: (StreamId, Option<u64>), moved: bool) {
        let Some(repeated) = &self.repeated else { return };
        let (key, group) = (args.at(1), args.at(2));
        let (last_id, entries_read) = read_to;
        cx.repeat_nothing();
        for Repeated { id, text, owner, delivered_ms, deliveries } in repeated {
            let consumer = owner.as_deref().unwrap_or(self.name);
            let claimed = Claimed { consumer, delivered_ms: *delivered_ms, deliveries: *deliveries, last_id };
            claimed.repeat(cx, key, group, text.unwrap_or(id.text().as_ref()));
        }
        if moved && repeated.is_empty() {
            repeat_group_id(cx, key, group, last_id, entries_read);
        }
    }
}

/// Whether the group is there.
fn check_group(cx: &mut Cx, args: Args) -> Result<(), CommandError> {
    let stream = cx.read_object::<Stream>(args.at(1))?;
    match stream.and_then(|stream| stream.group(args.at(2)).map(drop)) {
        Some(()) => Ok(()),
        None => Err(CommandError::NoKeyOrGroup(printed(args.at(1)), printed(args.at(2)))),
    }
}

fn xclaim(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    check_group(cx, args)?;
    let mut claim = Claim::new(cx, args, "XCLAIM")?;
    let count = args.iter_from(5).take_while(|arg| id(arg, 0).is_ok()).count();
    let last_id = parse_claim_options(&mut claim, args.slice(5 + count..args.len()))?;
    let claimed = ids(args.iter_from(5).take(count))?;
    let Some(mut change) = cx.change_existing::<Stream>(args.at(1))? else { return Ok(()) };
    let place = reply.defer();
    let (mut written, mut read_to, mut moved) = (0, (StreamId::MIN, None), false);
    if let Some((entries, mut group)) = change.open(args.at(2)) {
        if last_id > group.last_id() {
            let entries_read = group.entries_read();
            group.set_last_id(last_id, entries_read);
            claim.changes += 1;
            moved = true;
        }
        claim.begin(&mut group);
        for (id, text) in claimed.into_iter().zip(args.iter_from(5)) {
            let outcome = claim.take(reply, entries, &mut group, id, Some(text));
            written += usize::from(outcome == Outcome::Claimed);
        }
        read_to = (group.last_id(), group.entries_read());
    }
    claim.end(change);
    claim.repeat(cx, args, read_to, moved);
    reply.deferred_array(place, written);
    Ok(())
}

/// What stands after the ids; gives the id up to which the group is to count as having read.
fn parse_claim_options(claim: &mut Claim, args: Args) -> Result<StreamId, CommandError> {
    let mut last_id = StreamId::MIN;
    let mut delivered_ms = None;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if is_word(word, "FORCE") {
            claim.force = true;
            continue;
        }
        if is_word(word, "JUSTID") {
            claim.just_id = true;
            continue;
        }
        let Some(value) = words.next() else {
            return Err(CommandError::UnrecognizedClaimOption(printed(word)));
        };
        let number = |name| parse_i64(value).ok_or(CommandError::InvalidClaimOption(name));
        if is_word(word, "IDLE") {
            delivered_ms = Some(claim.now_ms.wrapping_sub(number("IDLE")?));
        } else if is_word(word, "TIME") {
            delivered_ms = Some(number("TIME")?);
        } else if is_word(word, "RETRYCOUNT") {
            claim.deliveries = u64::try_from(number("RETRYCOUNT")?).ok();
        } else if is_word(word, "LASTID") {
            last_id = id(value, 0)?;
        } else {
            return Err(CommandError::UnrecognizedClaimOption(printed(word)));
        }
    }
    // Clients' clocks go wrong: a time that makes no sense is now.
    claim.delivered_ms = delivered_ms.filter(|ms| (0..=claim.now_ms).contains(ms)).unwrap_or(claim.now_ms);
    Ok(last_id)
}

fn xautoclaim(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut claim = Claim::new(cx, args, "XAUTOCLAIM")?;
    let from = start(cx, args.at(5))?;
    let mut count = DEFAULT_COUNT;
    let mut words = args.iter_from(6);
    while let Some(word) = words.next() {
        if is_word(word, "JUSTID") {
            claim.just_id = true;
            continue;
        }
        match words.next() {
            Some(value) if is_word(word, "COUNT") => {
                // From 7.0 on the ids have to fit into memory.
                let each = if claim.release >= Release::V7_0 { size_of::<StreamId>() as i64 } else { 1 };
                count = integer_in(value, 1..=i64::MAX / each, CommandError::ClaimCount)?;
            }
            _ => return Err(CommandError::Syntax),
        }
    }
    check_group(cx, args)?;
    let mut count = count as usize;
    let mut attempts = count.saturating_mul(ATTEMPTS_EACH);
    let scales = cx.scales();
    let Some(mut change) = cx.change_existing::<Stream>(args.at(1))? else { return Ok(()) };
    let pending = change.group(args.at(2)).map_or(0, Group::pending_len);
    if let Err(error) = scales.weigh(pending.min(attempts)) {
        change.leave();
        return Err(error);
    }
    let tells_gone = claim.release.has(v(7, 0, 0));
    reply.array(if tells_gone { 3 } else { 2 });
    let mut gone = SmallVec::<[StreamId; 8]>::new();
    let mut read_to = (StreamId::MIN, None);
    if let Some((entries, mut group)) = change.open(args.at(2)) {
        claim.begin(&mut group);
        let mut body = Reply::new(reply.protocol());
        let mut written = 0;
        let mut next = group.pending_from(from).next().map(|pending| pending.id);
        while let Some(id) = next.filter(|_| attempts > 0 && count > 0) {
            attempts -= 1;
            match claim.take(&mut body, entries, &mut group, id, None) {
                Outcome::Skipped => {}
                Outcome::Claimed => {
                    written += 1;
                    count -= 1;
                }
                Outcome::Gone => {
                    gone.push(id);
                    count -= 1;
                }
            }
            next = id.next().and_then(|from| group.pending_from(from).next()).map(|pending| pending.id);
        }
        reply.bulk(next.unwrap_or(StreamId::MIN).text());
        reply.array(written);
        reply.raw(body.bytes());
        read_to = (group.last_id(), group.entries_read());
    }
    claim.end(change);
    claim.repeat(cx, args, read_to, false);
    if tells_gone {
        reply.array(gone.len());
        gone.iter().for_each(|id| reply.bulk(id.text()));
    }
    Ok(())
}
