//! Values in serialised form: `DUMP` and `RESTORE`.
//!
//! The form is that of crate `rdb`, in the version that the release writes.

use crate::commands::family;
use crate::save::version;
use crate::{BASE, Command, CommandError, Cx, Node, parse};
use command::{Access, Category, Flags, Former, Group, KeySpec, Range, Release, v};
use keyspace::{Class, Event, access};
use rdb::{Limits, payload};
use resp::{Args, Reply};
use smallvec::SmallVec;
use std::sync::atomic::Ordering::Relaxed;
use structures::entry::Entry;
use structures::number::Decimal;

family!(DUMP, RESTORE, RESTORE_ASKING);

/// `DUMP key`: the value with its version and checksum, or nil if there is no such key.
pub static DUMP: Command = Command {
    name: "dump",
    summary: "Gives the value of a key in serialised form.",
    complexity: "O(N) for a value of N members or bytes.",
    since: v(2, 6, 0),
    group: Group::Generic,
    arity: 2,
    syntax: "key",
    flags: Flags::READONLY.union(Flags::RANDOM),
    categories: Category::KEYSPACE,
    keys: &[KeySpec::at(1, Access::RO.union(Access::ACCESS))],
    range: Range::ONE,
    tips: &["nondeterministic_output"],
    former: &[Former::before(Release::V5_0).without(Flags::RANDOM)],
    handler: dump,
    ..BASE
};

/// `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`: OK.
pub static RESTORE: Command = Command {
    name: "restore",
    summary: "Makes a key of a value in serialised form.",
    complexity: "O(N) for a value of N members or bytes, O(N*log(N)) for a sorted set.",
    since: v(2, 6, 0),
    group: Group::Generic,
    arity: -4,
    syntax: "key ttl:int serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 \
             [IDLETIME seconds:int]@5.0.0 [FREQ frequency:int]@5.0.0",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Category::KEYSPACE.union(Category::DANGEROUS),
    keys: &[KeySpec::at(1, Access::OW.union(Access::UPDATE))],
    range: Range::ONE,
    handler: restore,
    ..BASE
};

/// `RESTORE-ASKING`: as `RESTORE`, to a slot that is being moved here.
pub static RESTORE_ASKING: Command = Command {
    name: "restore-asking",
    summary: "Makes a key of a value in serialised form, while its slot is on its way here.",
    since: v(3, 0, 0),
    group: Group::Server,
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::ASKING),
    ..RESTORE
};

/// What a member of a value takes at least, in bytes: so much of a value is as much work as one.
const MEMBER_BYTES: usize = 32;
/// The same of a payload, which holds small members with little beside them.
const PAYLOAD_MEMBER_BYTES: usize = 8;

fn dump(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let key = args.at(1);
    cx.weigh(cx.peek(key).map_or(0, |entry| entry.heap_bytes() / MEMBER_BYTES))?;
    let node = cx.node;
    let Some(entry) = cx.read(key) else {
        reply.null();
        return Ok(());
    };
    reply.bulk(sealed(node, &entry));
    Ok(())
}

/// A value in serialised form.
pub(crate) fn sealed(node: &Node, entry: &Entry) -> Vec<u8> {
    let (version, compresses) = (version(node.release), node.settings.rdb_compresses.load(Relaxed));
    let mut out = Vec::new();
    rdb::value(&mut out, entry, version, compresses);
    payload::seal(&mut out, version);
    out
}

/// What `RESTORE` is told beside the value.
#[derive(Default)]
struct Options {
    replaces: bool,
    /// Whether the time to live is a time in ms since the epoch.
    absolute: bool,
    idle_s: Option<i64>,
    frequency: Option<u8>,
}

impl Options {
    fn parse(cx: &Cx, args: Args) -> Result<Self, CommandError> {
        let mut own = Options::default();
        let knows_more = cx.release().has(v(5, 0, 0));
        let mut rest = args.iter_from(4);
        while let Some(option) = rest.next() {
            let more = rest.len() > 0;
            match () {
                () if parse::is_word(option, "replace") => own.replaces = true,
                () if !knows_more => return Err(CommandError::Syntax),
                () if parse::is_word(option, "absttl") => own.absolute = true,
                () if more && own.frequency.is_none() && parse::is_word(option, "idletime") => {
                    let seconds = parse::integer(rest.next().unwrap_or_default())?;
                    own.idle_s = Some(seconds);
                    if seconds < 0 {
                        return Err(CommandError::NegativeIdleTime);
                    }
                }
                () if more && own.idle_s.is_none() && parse::is_word(option, "freq") => {
                    let frequency = parse::integer(rest.next().unwrap_or_default())?;
                    own.frequency = Some(u8::try_from(frequency).map_err(|_| CommandError::NotAFrequency)?);
                }
                () => return Err(CommandError::Syntax),
            }
        }
        Ok(own)
    }
}

fn restore(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (key, sealed, release, now_ms) = (args.at(1), args.at(3), cx.release(), cx.now_ms());
    cx.weigh(sealed.len() / PAYLOAD_MEMBER_BYTES)?;
    let options = Options::parse(cx, args)?;
    if !options.replaces {
        let spot = cx.spot(key);
        let exists = spot.exists();
        spot.leave();
        if exists {
            return Err(CommandError::BusyKey);
        }
    }
    let ttl_ms = cx.integer(args.at(2))?;
    if ttl_ms < 0 {
        return Err(CommandError::NegativeTtl);
    }
    let own = version(release);
    // The first releases take no other version than theirs.
    let is_read = |version| version == own || version < own && release.has(v(3, 2, 1));
    let (value, _) = payload::open(sealed, is_read).map_err(|broken| {
        cx.node.host.log(&format!("a value was not restored: {broken}"));
        CommandError::BadPayload
    })?;
    let params = cx.params();
    let limits = Limits { list: params.list, set: params.set, hash: params.hash, zset: params.zset };
    let mut entry = rdb::entry(key, value, own, &limits).map_err(|error| {
        cx.node.host.log(&format!("a value was not restored: {error}"));
        CommandError::BadData
    })?;
    let expire_at_ms = match ttl_ms {
        0 => None,
        at_ms if options.absolute => Some(at_ms),
        ttl_ms => Some(ttl_ms.wrapping_add(now_ms)),
    };
    entry.set_expire_at_ms(expire_at_ms);
    let is_lfu = params.policy.is_lfu();
    if let Some(frequency) = options.frequency.filter(|_| is_lfu) {
        entry.set_clock(access::with_frequency(frequency, now_ms));
    } else if let Some(idle_s) = options.idle_s.filter(|_| !is_lfu) {
        entry.set_clock(access::with_idle_ms(idle_s.saturating_mul(1000), now_ms));
    }
    let (tells, lazily) = (release.has(v(6, 0, 0)), params.lazy_server_del);
    let is_over = expire_at_ms.is_some_and(|at_ms| cx.is_over(at_ms));
    let mut spot = cx.spot(key);
    let existed = spot.delete(lazily);
    if tells && is_over {
        // The key would be gone at once.
        if existed {
            spot.commit(Event(Class::GENERIC, "del"));
            cx.repeat(&[b"DEL", key]);
        } else {
            spot.leave();
        }
    } else {
        spot.replace(entry);
        if tells {
            spot.commit(Event(Class::GENERIC, "restore"));
        } else {
            spot.commit_silently();
        }
        if let Some(at_ms) = expire_at_ms.filter(|_| !options.absolute && release >= Release::V7_0)
            && cx.is_repeated()
        {
            let at = Decimal::new(at_ms);
            let mut request: SmallVec<[&[u8]; 8]> = args.iter().collect();
            request[2] = at.as_bytes();
            request.push(b"ABSTTL");
            cx.repeat(&request);
        }
    }
    reply.ok();
    Ok(())
}
