//! Which arguments of a request are keys, and which shards they live in.

use crate::Command;
use crate::node::Node;
use crate::parse;
use crate::session::Session;
use crate::table::Entry;
use command::{Access, Begin, Find, Flags, KeySpec, Shape, Untold};
use keyspace::ShardSet;
use resp::Args;
use smallvec::SmallVec;

/// How the shards that a command needs are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It has no keys.
    None,
    /// That of the one key at this argument.
    One(usize),
    /// Those of all its keys.
    Keys,
    /// Those of its keys, but all if words in the request say that it has keys that only the command can find.
    KeysOrAll,
    /// Those of the keys that the session watches, and of the commands that it has queued if they are run.
    Session {
        /// Whether the queue is run.
        runs_queue: bool,
    },
    /// All.
    All,
}

impl Plan {
    /// The plan of a command.
    pub(crate) fn of(record: &'static Command, shape: &Shape) -> Plan {
        if shape.flags.contains(Flags::KEYSPACE) {
            return Plan::All;
        }
        if shape.flags.contains(Flags::UNWATCHES) {
            return Plan::Session { runs_queue: shape.flags.contains(Flags::RUNS_QUEUE) };
        }
        match record.keys {
            // Before 7.0 a command may look at a key before it finds that it has no such subcommand.
            [] if shape.flags.contains(Flags::CONTAINER) && shape.range.first > 0 => Plan::All,
            [] => Plan::None,
            [KeySpec { access, begin: Begin::Index(index), find: Find::Range { last: 0, .. }, .. }]
                if !access.contains(Access::NOT_KEY) =>
            {
                Plan::One(*index as usize)
            }
            specs if specs.iter().all(|spec| spec.access.contains(Access::NOT_KEY)) => Plan::None,
            // Keys that only the command can find might be anywhere.
            specs if specs.iter().any(|spec| is_unknown(spec) && spec.untold == Untold::Nothing) => Plan::All,
            specs if specs.iter().any(|spec| matches!(spec.untold, Untold::Words(_))) => Plan::KeysOrAll,
            _ => Plan::Keys,
        }
    }
}

/// Numbers of arguments that are keys, in the order in which the specifications find them.
pub type Positions = SmallVec<[(usize, Access); 8]>;

/// The keys of a request, by the command's specifications. A request whose numbers make no sense has the keys that
/// could be found: the command itself will find what is wrong with it.
pub fn positions(record: &'static Command, args: Args) -> Positions {
    let mut positions = routed(record, args);
    positions.retain(|(_, access)| !access.contains(Access::NOT_KEY));
    positions
}

/// As [`positions`], with what is not a key but belongs to a slot like one.
pub fn routed(record: &'static Command, args: Args) -> Positions {
    let mut positions = Positions::new();
    for spec in record.keys {
        find(spec, args, &mut positions);
    }
    positions
}

/// Finds the keys of a specification. Whether the numbers that say how many there are make sense.
pub fn find(spec: &KeySpec, args: Args, positions: &mut Positions) -> bool {
    let count = args.len() as isize;
    match (spec.untold, spec.begin) {
        (Untold::UnlessWord(words), _) if has_one_of(words, args) => return true,
        (Untold::Option { blank, first, others }, Begin::Keyword(word, _)) => {
            let is_blank = args.get(blank).is_some_and(<[u8]>::is_empty);
            let keys = if is_blank { after_option(args, word, first, others) } else { 0..0 };
            positions.extend(keys.map(|index| (index, spec.access)));
            return true;
        }
        _ => {}
    }
    if let (Begin::Keyword(word, from @ 0..), Find::Range { last: 0, .. }) = (spec.begin, spec.find) {
        // The last option of a name is the one that counts, and what looks like one may be another's argument: all are
        // taken, since a command may only touch its keys.
        let is_word = |index: &usize| args.at(*index).eq_ignore_ascii_case(word.as_bytes());
        let options = (from as usize..args.len().saturating_sub(1)).filter(is_word);
        positions.extend(options.map(|index| (index + 1, spec.access)));
        return true;
    }
    let begin = match spec.begin {
        Begin::Index(index) => isize::from(index),
        Begin::Keyword(word, from) => {
            let is_word = |index: isize| {
                args.get(index as usize).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
            };
            let found = if from >= 0 {
                (isize::from(from)..count - 1).find(|&index| is_word(index))
            } else {
                (1..=count + isize::from(from)).rev().find(|&index| is_word(index))
            };
            match found {
                Some(index) => index + 1,
                None => return true,
            }
        }
        Begin::Unknown => {
            if let Untold::After(word) = spec.untold {
                let is_word = |index: &usize| parse::is_word(args.at(*index), word);
                let found = (2..args.len().saturating_sub(1)).rev().find(is_word);
                positions.extend(found.map(|index| (index + 1, spec.access)));
            }
            return true;
        }
    };
    let (first, last, step) = match spec.find {
        Find::Range { last, step, limit } => {
            let last = match (last, limit) {
                (0.., _) => begin + isize::from(last),
                (_, 0 | 1) => count + isize::from(last),
                (_, limit) => begin + (count - begin) / isize::from(limit) + isize::from(last),
            };
            (begin, last, isize::from(step))
        }
        Find::Count { count: at, first, step } => {
            let number = args.get((begin + isize::from(at)) as usize).and_then(structures::number::parse_i64);
            let first = begin + isize::from(first);
            match number.and_then(|number| isize::try_from(number).ok()) {
                Some(number) if number >= 0 && number <= count - first => {
                    (first, first + (number - 1) * isize::from(step), isize::from(step))
                }
                _ => return false,
            }
        }
        Find::Unknown => return true,
    };
    let mut index = first;
    while index <= last && index < count {
        positions.push((index as usize, spec.access));
        index += step;
    }
    last < count
}

/// The arguments after an option that is among others, which begin at `first` and take arguments of their own.
fn after_option(args: Args, word: &str, first: usize, options: &[(&str, usize)]) -> std::ops::Range<usize> {
    let mut index = first;
    while let Some(arg) = args.get(index) {
        if parse::is_word(arg, word) {
            return index + 1..args.len();
        }
        let taken =
            options.iter().find(|(option, _)| parse::is_word(arg, option)).map_or(0, |(_, taken)| *taken);
        index += 1 + taken;
    }
    0..0
}

/// Whether only the command itself can find the keys.
fn is_unknown(spec: &KeySpec) -> bool {
    spec.begin == Begin::Unknown || spec.find == Find::Unknown
}

/// Whether words in a request say that it has keys that only the command can find.
pub(crate) fn has_words(record: &'static Command, args: Args) -> bool {
    record.keys.iter().any(|spec| matches!(spec.untold, Untold::Words(words) if has_one_of(words, args)))
}

/// Whether one of some words follows the first key of a request.
fn has_one_of(words: &[&str], args: Args) -> bool {
    args.iter_from(2).any(|arg| words.iter().any(|word| parse::is_word(arg, word)))
}

/// What a request does with the keys of a specification.
pub fn access(spec: &KeySpec, args: Args) -> Access {
    match spec.untold {
        Untold::Without(words, access) if !has_one_of(words, args) => access,
        _ => spec.access,
    }
}

/// The shards that a request needs.
pub fn shards(node: &Node, session: &Session, entry: &'static Entry, args: Args) -> ShardSet {
    let keyspace = &node.keyspace;
    let mut set = ShardSet::NONE;
    match entry.plan {
        Plan::None => {}
        Plan::Session { runs_queue } => {
            set = session.watched_shards(node);
            for queued in session.multi.iter().filter(|_| runs_queue).flat_map(|multi| &multi.queue) {
                set = set.union(shards(node, session, queued.entry, queued.args.as_args()));
            }
        }
        Plan::One(index) => {
            if let Some(key) = args.get(index) {
                set.insert(keyspace.shard_of(keyspace.key(key).hash));
            }
        }
        Plan::KeysOrAll if has_words(entry.record, args) => set = keyspace.all(),
        Plan::Keys | Plan::KeysOrAll => {
            for (index, _) in positions(entry.record, args) {
                set.insert(keyspace.shard_of(keyspace.key(args.at(index)).hash));
            }
        }
        Plan::All => set = keyspace.all(),
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Table, find};
    use command::Release;
    use resp::OwnedArgs;

    #[test]
    fn words_tell_of_keys_that_only_the_command_finds() {
        let entry = find(Table::of(Release::V7_0).names(), b"sort").expect("there is such a command");
        assert_eq!(entry.plan, Plan::KeysOrAll);
        for (request, keys, all) in [
            ("sort l", &[1][..], false),
            ("sort by", &[1], false),
            ("sort l alpha BY w_*", &[1], true),
            ("sort l get #", &[1], true),
            ("sort l STORE a store b desc", &[1, 5], false),
            ("sort l store", &[1], false),
        ] {
            let args = OwnedArgs::new(request.split(' ').map(str::as_bytes));
            let found: Vec<_> = positions(entry.record, args.as_args()).iter().map(|(at, _)| *at).collect();
            assert_eq!((&found[..], has_words(entry.record, args.as_args())), (keys, all), "{request}");
        }
    }

    #[test]
    fn every_option_with_a_key_is_one() {
        let entry = find(Table::of(Release::V7_0).names(), b"georadius").expect("there is such a command");
        for (request, keys) in [
            ("georadius k 0 0 1 m", &[1][..]),
            ("georadius k 0 0 1 m asc Store a", &[1, 8]),
            ("georadius k 0 0 1 m store", &[1]),
            ("georadius k 0 0 1 m store a storedist b store c", &[1, 7, 11, 9]),
            ("georadius k 0 0 1 m store storedist storedist a", &[1, 7, 8, 9]),
        ] {
            let args = OwnedArgs::new(request.split(' ').map(str::as_bytes));
            let found: Vec<_> = positions(entry.record, args.as_args()).iter().map(|(at, _)| *at).collect();
            assert_eq!(found, keys, "{request}");
        }
    }
}
