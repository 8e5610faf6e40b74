//! How many keys each database has.

use super::{SECTION, Section, View};
use command::v;
use std::fmt::Write;

pub(super) static KEYSPACE: Section = Section { title: "Keyspace", lines: databases, ..SECTION };

/// Writes a line for each database that has keys.
fn databases(view: &View, text: &mut String) {
    let locked = &view.locked;
    for db in 0..locked.dbs() {
        let stats = locked.stats(db);
        if stats.keys == 0 {
            continue;
        }
        let (keys, volatile) = (stats.keys, stats.volatile);
        let mean_ms =
            stats.volatile_sum_ms.checked_div(volatile as i128).map(|mean| mean as i64 - view.now_ms);
        let mean_ms = mean_ms.unwrap_or(0).max(0);
        let _ = write!(text, "db{db}:keys={keys},expires={volatile},avg_ttl={mean_ms}");
        if view.release().has(v(7, 4, 0)) {
            let _ = write!(text, ",subexpiry={}", stats.fading);
        }
        text.push_str("\r\n");
    }
}
