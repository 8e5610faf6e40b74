//! The parameters that owners of instances may change (DCS API Reference, table 6-8), one record each, in the order of the
//! document's example.
//!
//! Invariant: what is told of an instance is what its nodes run with. Where the engine would begin with another value than
//! the table says, new instances are given the table's.
//!
//! Deliberately not here: what a parameter does. Engines know.

use std::collections::BTreeMap;

use cloud::configuration::{Change, Told};
use cloud::engine::{Engine, Release};
use cloud::instance::{Instance, Order};
use cloud::topology::Topology;
use operation::Failure;

use crate::code;

/// A parameter.
pub(crate) struct Parameter {
    /// Its number in the table.
    pub(crate) id: i64,
    /// Its name, which is the engine's.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Which values it takes.
    pub(crate) range: Range,
    /// The value that instances begin with.
    pub(crate) default: &'static str,
    /// Which instances have it.
    pub(crate) owners: Owners,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Whole numbers from the first to the last.
    Integer(u32, u32),
    /// One of these.
    Word(&'static [&'static str]),
    /// Letters that stand for classes of events; the default if there are none.
    Events,
    /// Memory that is kept from data, in MB: up to half of what there is, and not more than is free.
    Reserved,
}

/// Which instances have a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owners {
    /// All.
    All,
    /// Those of Redis.
    Redis,
    /// Those of Redis 3.0: later releases keep lists in another way.
    Redis3,
    /// Those of Redis that are a master and a standby.
    Pairs,
}

/// How the value of a parameter is to be, as clients say it.
pub(crate) struct Wish<'a> {
    /// The parameter's number.
    pub(crate) id: i64,
    /// Its name.
    pub(crate) name: &'a str,
    /// Its value.
    pub(crate) value: &'a str,
}

/// The parameters.
pub(crate) static ALL: &[Parameter] = &[
    Parameter {
        id: 2,
        name: "maxmemory-policy",
        about: "What goes when the memory is used up: of the keys with an expiry (volatile) or of all (allkeys) those that \
                were used longest ago (lru), any (random), or those that expire first (ttl); or nothing, and writes \
                are refused (noeviction).",
        range: Range::Word(&[
            "volatile-lru",
            "allkeys-lru",
            "volatile-random",
            "allkeys-random",
            "volatile-ttl",
            "noeviction",
        ]),
        default: "noeviction",
        owners: Owners::All,
    },
    small(
        3,
        "hash-max-ziplist-entries",
        "512",
        Owners::Redis,
        "The most fields of a hash that is kept compactly.",
    ),
    small(
        4,
        "hash-max-ziplist-value",
        "64",
        Owners::Redis,
        "The longest field or value of such a hash, in bytes.",
    ),
    small(
        5,
        "list-max-ziplist-entries",
        "512",
        Owners::Redis3,
        "The most elements of a list that is kept compactly.",
    ),
    small(6, "list-max-ziplist-value", "64", Owners::Redis3, "The longest element of such a list, in bytes."),
    small(
        7,
        "set-max-intset-entries",
        "512",
        Owners::Redis,
        "The most members of a set of integers that is kept compactly.",
    ),
    small(
        8,
        "zset-max-ziplist-entries",
        "128",
        Owners::Redis,
        "The most members of a sorted set that is kept compactly.",
    ),
    small(
        9,
        "zset-max-ziplist-value",
        "64",
        Owners::Redis,
        "The longest member of such a sorted set, in bytes.",
    ),
    Parameter {
        id: 1,
        name: "timeout",
        about: "After so many seconds a client that says nothing is closed; 0 for never.",
        range: Range::Integer(0, 7_200),
        default: "0",
        owners: Owners::All,
    },
    Parameter {
        id: 10,
        name: "latency-monitor-threshold",
        about: "What takes so many milliseconds or longer is recorded for LATENCY; 0 for nothing.",
        range: Range::Integer(0, 86_400_000),
        default: "0",
        owners: Owners::Redis,
    },
    Parameter {
        id: 12,
        name: "reserved-memory",
        about: "Memory that is kept from data, in MB.",
        range: Range::Reserved,
        default: "0",
        owners: Owners::Pairs,
    },
    Parameter {
        id: 13,
        name: "notify-keyspace-events",
        about: "Which events of keys are published: K and E say where, the other letters which classes.",
        range: Range::Events,
        default: "Ex",
        owners: Owners::Redis,
    },
];

/// A limit up to which values are kept compactly.
const fn small(
    id: i64,
    name: &'static str,
    default: &'static str,
    owners: Owners,
    about: &'static str,
) -> Parameter {
    Parameter { id, name, about, range: Range::Integer(1, 10_000), default, owners }
}

/// The letters of classes of events, and the one that stands for all of them.
const CLASSES: &str = "g$lshzxe";
const ALL_CLASSES: char = 'A';

/// The parameters that an instance has.
pub(crate) fn of(order: &Order) -> impl Iterator<Item = &'static Parameter> {
    let (engine, release, topology) = (order.engine, order.release, order.topology);
    ALL.iter().filter(move |parameter| parameter.owners.include(engine, release, topology))
}

/// What new instances of an engine are told, since it would begin otherwise.
pub(crate) fn initial(engine: Engine) -> BTreeMap<String, String> {
    let told = match engine {
        Engine::Redis => "notify-keyspace-events",
        Engine::Memcached => "maxmemory-policy",
    };
    let told = ALL.iter().filter(|parameter| parameter.name == told);
    told.map(|parameter| (parameter.name.to_owned(), parameter.default.to_owned())).collect()
}

/// The change that fulfils these wishes for an instance whose data takes so many bytes.
///
/// # Errors
/// `DCS.4066` for what is no parameter of the instance or no value of it, `DCS.4105` for memory that is not free.
pub(crate) fn change(instance: &Instance, used_bytes: u64, wishes: &[Wish<'_>]) -> Result<Change, Failure> {
    let mut change = Change::default();
    for wish in wishes {
        let bad = || code::CONFIGURATION.of(wish.name.to_owned());
        let found = of(instance).find(|parameter| parameter.name == wish.name && parameter.id == wish.id);
        let parameter = found.ok_or_else(bad)?;
        if change.told.iter().any(|told| told.name == parameter.name) {
            return Err(bad());
        }
        let value = parameter.range.read(wish.value, parameter.default, instance).ok_or_else(bad)?;
        change.told.push(Told {
            name: parameter.name.to_owned(),
            from: parameter.value(instance),
            to: value.clone(),
        });
        if parameter.range == Range::Reserved {
            let reserved_mb: u32 = value.parse().map_err(|_| bad())?;
            if u64::from(reserved_mb) << 20 > instance.memory_limit_bytes().saturating_sub(used_bytes) {
                return Err((&code::RESERVED_MEMORY).into());
            }
            change.reserved_mb = Some(reserved_mb);
        } else {
            change.parameters.insert(parameter.name.to_owned(), value);
        }
    }
    Ok(change)
}

impl Parameter {
    /// The value that an instance runs with.
    pub(crate) fn value(&self, instance: &Instance) -> String {
        match self.range {
            Range::Reserved => instance.reserved_mb.to_string(),
            _ => instance.parameters.get(self.name).map_or(self.default, String::as_str).to_owned(),
        }
    }
}

impl Owners {
    /// Whether instances of this kind are among them.
    pub(crate) fn include(self, engine: Engine, release: Option<Release>, topology: Topology) -> bool {
        let is_redis = engine == Engine::Redis;
        match self {
            Owners::All => true,
            Owners::Redis => is_redis,
            Owners::Redis3 => is_redis && release == Some(Release::V3_0),
            Owners::Pairs => is_redis && topology == Topology::MasterStandby,
        }
    }
}

impl Range {
    /// The type of the values, as the document calls it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Range::Integer(..) | Range::Reserved => "Integer",
            Range::Word(_) => "String",
            Range::Events => "regular",
        }
    }

    /// The values, as the document writes them.
    pub(crate) fn text(self, instance: &Instance) -> String {
        match self {
            Range::Integer(least, most) => format!("{least}-{most}"),
            Range::Word(words) => words.join(","),
            Range::Events => "([KE]+([A]|[g$lshzxe]+)){0,11}".to_owned(),
            Range::Reserved => format!("0-{}", most_reserved_mb(instance)),
        }
    }

    /// A value as the engine takes it; nothing if it is none of them.
    pub(crate) fn read(self, text: &str, default: &str, instance: &Instance) -> Option<String> {
        match self {
            Range::Reserved => number(text, 0, most_reserved_mb(instance)),
            range => range.read_alone(text, default),
        }
    }

    /// The same where there is no instance, whose memory would say how much can be kept.
    pub(crate) fn read_alone(self, text: &str, default: &str) -> Option<String> {
        match self {
            Range::Integer(least, most) => number(text, least, most),
            Range::Reserved => None,
            Range::Word(words) => words.contains(&text).then(|| text.to_owned()),
            Range::Events if text.is_empty() => Some(default.to_owned()),
            Range::Events => are_events(text).then(|| text.to_owned()),
        }
    }
}

/// Half of the memory that there is, in MB.
fn most_reserved_mb(instance: &Instance) -> u32 {
    u32::try_from(instance.memory_limit_bytes() >> 21).unwrap_or(u32::MAX)
}

fn number(text: &str, least: u32, most: u32) -> Option<String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = text.parse().ok().filter(|_| digits)?;
    (least..=most).contains(&number).then(|| number.to_string())
}

/// Whether letters say where events are published, and which; all of them leave none to be named.
fn are_events(text: &str) -> bool {
    let has = |letters: &str| text.contains(|letter| letters.contains(letter));
    let known =
        text.chars().all(|letter| "KE".contains(letter) || letter == ALL_CLASSES || CLASSES.contains(letter));
    known && has("KE") && !(text.contains(ALL_CLASSES) && has(CLASSES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_document() {
        let mut ids: Vec<_> = ALL.iter().map(|parameter| parameter.id).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13]);
        let of_kind = |engine, release, topology| {
            let own = ALL.iter().filter(|parameter| parameter.owners.include(engine, release, topology));
            let mut ids: Vec<_> = own.map(|parameter| parameter.id).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(of_kind(Engine::Memcached, None, Topology::MasterStandby), [1, 2]);
        assert_eq!(of_kind(Engine::Redis, Some(Release::V3_0), Topology::MasterStandby), ids);
        assert_eq!(
            of_kind(Engine::Redis, Some(Release::V5_0), Topology::Cluster),
            [1, 2, 3, 4, 7, 8, 9, 10, 13]
        );
    }

    #[test]
    fn events_are_named_once_and_have_a_place() {
        for good in ["Ex", "K", "KE", "Kl", "AKE", "KEg$lshzxe", "xE"] {
            assert!(are_events(good), "{good}");
        }
        for bad in ["", "x", "A", "AKEx", "Ey", "Em", "E x"] {
            assert!(!are_events(bad), "{bad}");
        }
    }

    #[test]
    fn numbers_are_digits_within_their_range() {
        assert_eq!(number("0100", 1, 10_000).as_deref(), Some("100"));
        for bad in ["", "0", "10001", "-1", "+5", "1.0", "1e3", " 1", "99999999999"] {
            assert_eq!(number(bad, 1, 10_000), None, "{bad}");
        }
    }
}
