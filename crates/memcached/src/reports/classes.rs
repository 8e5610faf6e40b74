//! `stats items` and `stats slabs`: what each size class has, and what happened to its items.
//!
//! There are no slabs: every item has a block of its own. So a class has as many chunks as items, none of them free, and its
//! pages only tell how many megabytes they are.

use std::sync::atomic::Ordering::Relaxed;

use super::{Line, line};
use crate::classes::{CLASSES, LARGEST, class_bytes};
use crate::clock::{Now, TICKS};
use crate::node::Node;
use crate::shard::Shard;
use crate::tallies::{Tallies, Tally};

/// What is told as a page, in bytes.
const PAGE_BYTES: u64 = 1 << 20;

/// How many items there are of a class, and what they take, in bytes.
#[derive(Clone, Copy, Default)]
struct Class {
    items: u64,
    bytes: u64,
}

/// Adds what there is of each class in a shard.
fn add(classes: &mut [Class; CLASSES], shard: &Shard) {
    for (class, (items, bytes)) in classes.iter_mut().zip(shard.by_class()) {
        class.items += u64::from(items);
        class.bytes += bytes as u64;
    }
}

/// The classes that have items or of which something has been counted, with their numbers.
fn told(classes: &[Class; CLASSES], tallies: &Tallies) -> Vec<(usize, Class, Tally)> {
    let all = classes.iter().enumerate().map(|(number, class)| (number, *class, tallies.at(number)));
    let told = all.filter(|(_, class, tally)| class.items > 0 || tally.is_some());
    told.map(|(number, class, tally)| (number, class, tally.unwrap_or_default())).collect()
}

/// `stats items`: the classes that have items, or had, so that what happened adds up. The oldest item of a class is looked
/// for among some thousands that are drawn where there are more; none is told of a class of which none was drawn.
pub(super) fn items(node: &Node, now: Now) -> Vec<Line> {
    let (mut classes, mut ages, mut tallies) =
        ([Class::default(); CLASSES], [None; CLASSES], Tallies::default());
    node.each(|shard| {
        add(&mut classes, shard);
        tallies.add(&shard.tallies);
        ages.iter_mut().zip(shard.ages(now)).for_each(|(age, own)| *age = (*age).max(own));
    });
    let mut lines = Vec::new();
    for (number, class, tally) in told(&classes, &tallies) {
        let mut tell = |name: &str, value: u64| lines.push(line(&format!("items:{number}:{name}"), value));
        tell("number", class.items);
        if let Some(ticks) = ages[number] {
            tell("age", u64::from(ticks) / TICKS as u64);
        }
        tell("mem_requested", class.bytes);
        tell("evicted", tally.evicted);
        tell("evicted_nonzero", tally.evicted_nonzero);
        tell("evicted_time", tally.evicted_time_s().into());
        tell("outofmemory", tally.out_of_memory);
        tell("tailrepairs", 0);
        tell("reclaimed", tally.reclaimed);
        tell("expired_unfetched", tally.expired_unfetched);
        tell("evicted_unfetched", tally.evicted_unfetched);
        tell("evicted_active", tally.evicted_active);
    }
    lines
}

/// `stats slabs`: the classes that have items, or had.
pub(super) fn slabs(node: &Node) -> Vec<Line> {
    let (mut classes, mut tallies) = ([Class::default(); CLASSES], Tallies::default());
    node.each(|shard| {
        add(&mut classes, shard);
        tallies.add(&shard.tallies);
    });
    let mut lines = Vec::new();
    let told = told(&classes, &tallies);
    for &(number, class, tally) in &told {
        let chunk_bytes = match number {
            // As large as they may be.
            LARGEST => node.settings.item_bytes.load(Relaxed).max(class_bytes(LARGEST)),
            _ => class_bytes(number),
        };
        let mut tell = |name: &str, value: u64| lines.push(line(&format!("{number}:{name}"), value));
        tell("chunk_size", chunk_bytes as u64);
        tell("chunks_per_page", (PAGE_BYTES / chunk_bytes as u64).max(1));
        tell("total_pages", class.bytes.div_ceil(PAGE_BYTES));
        tell("total_chunks", class.items);
        tell("used_chunks", class.items);
        tell("free_chunks", 0);
        tell("free_chunks_end", 0);
        tell("get_hits", tally.get_hits);
        tell("cmd_set", tally.cmd_set);
        tell("delete_hits", tally.delete_hits);
        tell("incr_hits", tally.incr_hits);
        tell("decr_hits", tally.decr_hits);
        tell("cas_hits", tally.cas_hits);
        tell("cas_badval", tally.cas_badval);
        tell("touch_hits", tally.touch_hits);
    }
    lines.push(line("active_slabs", told.len()));
    lines.push(line("total_malloced", node.used_bytes()));
    lines
}
