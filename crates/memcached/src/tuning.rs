//! Commands that tune what memcached has and a node has not: slabs, lists of items by use, who walks over these, and
//! items on disks.
//!
//! They are looked at as memcached does, so that whoever sends them is told what is wrong with them. Those that are right
//! are answered so and change nothing, but for whether clients may have all items walked over.

use memcache_wire::{Error, Reply, Words, number};
use std::sync::atomic::Ordering::Relaxed;

use crate::classes::CLASSES;
use crate::node::Node;

/// The number of size classes that memcached may have, from zero on.
pub(crate) const CLASSES_MAX: u32 = 64;
/// The most that hot and warm items together may be given, in percent.
const HOT_AND_WARM_MAX: u32 = 80;
/// The longest sleep between two items, in microseconds.
const SLEEP_MAX_US: u32 = 1_000_000;
/// The highest level of `slabs automove`.
const AUTOMOVE_MAX: u32 = 2;

/// What comes of a command: nothing is left to be said of one that is right.
type Outcome = Result<(), Error>;

/// Answers a command, unless its last word says that nothing is to be answered.
fn answer(words: Words, outcome: Outcome, reply: &mut Reply) {
    match outcome {
        _ if words.last() == Some(b"noreply") => {}
        Ok(()) => reply.line("OK"),
        Err(error) => reply.error(error),
    }
}

/// `lru tune`, `lru mode`, `lru temp_ttl`.
pub(crate) fn lru(words: Words, reply: &mut Reply) {
    answer(words, tune(words).unwrap_or(Err(Error::Unknown)), reply);
}

/// Nothing if it cannot be understood.
fn tune(mut words: Words) -> Option<Outcome> {
    let (what, first) = (words.next()?, words.next()?);
    match what {
        b"tune" => {
            let percents = [first, words.next()?];
            let factors = [words.next()?, words.next()?];
            let [hot, warm] = [number::unsigned_32(percents[0])?, number::unsigned_32(percents[1])?];
            let factors = [number::real(factors[0])?, number::real(factors[1])?];
            Some(if hot.wrapping_add(warm) > HOT_AND_WARM_MAX {
                Err(Error::LruPercentages)
            } else if factors.iter().any(|factor| *factor <= 0.0) {
                Err(Error::LruFactors)
            } else {
                Ok(())
            })
        }
        b"mode" => matches!(first, b"flat" | b"segmented").then_some(Ok(())),
        b"temp_ttl" => number::signed(first).map(|_| Ok(())),
        _ => None,
    }
}

/// `slabs reassign`, `slabs automove`.
pub(crate) fn slabs(mut words: Words, reply: &mut Reply) {
    let all = words;
    let (what, first) = (words.next(), words.next());
    let second = words.next();
    let outcome = match (what, first, second) {
        (Some(b"automove"), Some(level), ratio) => return answer(all, automove(level, ratio), reply),
        (Some(b"reassign"), Some(from), Some(to)) if words.is_empty() => reassign(from, to),
        _ => Error::Unknown,
    };
    reply.error(outcome);
}

fn automove(level: &[u8], ratio: Option<&[u8]>) -> Outcome {
    if level == b"ratio" {
        return ratio.and_then(number::real).map(|_| ()).ok_or(Error::Unknown);
    }
    match number::unsigned_32(level).ok_or(Error::Format)? {
        0..=AUTOMOVE_MAX => Ok(()),
        _ => Err(Error::Unknown),
    }
}

/// Why nothing is moved: no class has a page to spare.
fn reassign(from: &[u8], to: &[u8]) -> Error {
    let class = |number: i32| (0..CLASSES as i32).contains(&number);
    match (number::signed_32(from), number::signed_32(to)) {
        (Some(from), Some(to)) if from == to => Error::SlabsSame,
        (Some(from), Some(to)) if class(from) && class(to) => Error::SlabsNoSpare,
        (Some(_), Some(_)) => Error::SlabsClass,
        _ => Error::Format,
    }
}

/// `extstore`, which says what goes to a disk and when.
pub(crate) fn extstore(words: Words, reply: &mut Reply) {
    answer(words, store_beside(words).ok_or(Error::Unknown), reply);
}

fn store_beside(mut words: Words) -> Option<()> {
    let (what, value) = (words.next()?, words.next()?);
    match what {
        b"free_memchunks" => {
            let class = number::unsigned_32(value)?;
            number::unsigned_32(words.next()?)?;
            (class < CLASSES_MAX).then_some(())
        }
        b"item_size" | b"item_age" | b"low_ttl" | b"recache_rate" | b"compact_under" | b"drop_under"
        | b"max_sleep" | b"drop_unread" => number::unsigned_32(value).map(|_| ()),
        b"max_frag" => number::real(value).map(|_| ()),
        _ => None,
    }
}

/// `lru_crawler`, but for what walks over items for a client.
pub(crate) fn crawler(node: &Node, words: Words, reply: &mut Reply) {
    match crawl(node, words) {
        Ok(()) => reply.line("OK"),
        Err(error) => reply.error(error),
    }
}

fn crawl(node: &Node, mut words: Words) -> Outcome {
    let crawls = &node.settings.crawls;
    let (what, first) = (words.next(), words.next());
    if !words.is_empty() {
        return Err(Error::Unknown);
    }
    match (what, first) {
        (Some(b"enable"), None) if crawls.swap(true, Relaxed) => Err(Error::CrawlerEnabled),
        (Some(b"enable"), None) => Ok(()),
        (Some(b"disable"), None) => {
            crawls.store(false, Relaxed);
            Ok(())
        }
        (Some(b"sleep"), Some(us)) => match number::unsigned_32(us).ok_or(Error::Format)? {
            0..=SLEEP_MAX_US => Ok(()),
            _ => Err(Error::CrawlerSleep),
        },
        (Some(b"tocrawl"), Some(count)) => number::unsigned_32(count).map(|_| ()).ok_or(Error::Format),
        (Some(b"crawl"), Some(_)) if !crawls.load(Relaxed) => Err(Error::CrawlerDisabled),
        // In any order but this: what has expired goes by itself.
        (Some(b"crawl"), Some(b"hash")) => Err(Error::CrawlerOrder),
        (Some(b"crawl"), Some(classes)) => classes_of(classes).map(|_| ()),
        _ => Err(Error::Unknown),
    }
}

/// The size classes that a word names, a bit for each: `all`, or numbers between commas.
pub(crate) fn classes_of(word: &[u8]) -> Result<u64, Error> {
    if word == b"all" {
        return Ok(u64::MAX);
    }
    let mut classes = 0;
    for number in word.split(|&byte| byte == b',').filter(|number| !number.is_empty()) {
        match number::unsigned_32(number) {
            Some(class) if (1..CLASSES_MAX).contains(&class) => classes |= 1 << class,
            _ => return Err(Error::CrawlerClass),
        }
    }
    if classes == 0 { Err(Error::CrawlerClassless) } else { Ok(classes) }
}
