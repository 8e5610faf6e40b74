//! What is sold in which zone, and for how much.
//!
//! Prices are in fen, hundredths of a CNY, as the interface has them. A month costs the same however many are bought. What
//! an upgrade costs follows from the document's example: a day is a thirtieth of a month in whole fen, and each day that is
//! left, with its fraction, costs the difference.
//!
//! Invariant: the table is well-formed; a test reads all of it.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The types of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Type {
    /// Shards behind a proxy.
    Cluster,
    /// A master and a standby; once a single node, from which it has its name.
    Standalone,
}

/// What is sold of a type in a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Offer {
    /// The zone.
    pub(crate) zone_id: u32,
    /// The zone's name.
    pub(crate) zone_name: &'static str,
    /// The region that it is in.
    pub(crate) region_id: u32,
    /// Whether an instance there has to be in a virtual private cloud.
    pub(crate) vpc_only: bool,
    /// The type.
    pub(crate) kind: Type,
    /// The least capacity.
    pub(crate) min_mem_mb: u32,
    /// The greatest capacity.
    pub(crate) max_mem_mb: u32,
    /// How many instances are sold at a time at least.
    pub(crate) min_num: u32,
    /// How many instances are sold at a time at most.
    pub(crate) max_num: u32,
    /// What a gigabyte costs for a month.
    pub(crate) fen_per_gb_month: u64,
}

/// For how many months an instance can be bought.
pub(crate) const PERIODS: [u32; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 24, 36];

/// Capacities are multiples of this.
pub(crate) const MEM_STEP_MB: u32 = 1024;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Type {
    /// The number of the type on the wire.
    pub(crate) const fn id(self) -> u32 {
        match self {
            Type::Cluster => 1,
            Type::Standalone => 2,
        }
    }

    /// The type of this number.
    pub(crate) fn of(id: i64) -> Option<Self> {
        [Type::Cluster, Type::Standalone].into_iter().find(|kind| i64::from(kind.id()) == id)
    }

    /// The name of the type.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Type::Cluster => "Cluster",
            Type::Standalone => "Standalone",
        }
    }
}

impl Offer {
    /// What so many instances cost for so many months.
    pub(crate) fn price_fen(&self, mem_mb: u32, num: u32, months: u32) -> u64 {
        self.month_fen(mem_mb) * u64::from(num) * u64::from(months)
    }

    /// What it costs to have another capacity for the time that is left.
    pub(crate) fn upgrade_fen(&self, from_mb: u32, to_mb: u32, left_ms: u64) -> u64 {
        let day_fen = self.month_fen(to_mb).saturating_sub(self.month_fen(from_mb)) / 30;
        (day_fen * left_ms + DAY_MS / 2) / DAY_MS
    }

    fn month_fen(&self, mem_mb: u32) -> u64 {
        self.fen_per_gb_month * u64::from(mem_mb) / u64::from(MEM_STEP_MB)
    }
}

/// All offers. Those of a zone stand together.
pub(crate) fn offers() -> &'static [Offer] {
    static TABLE: LazyLock<Vec<Offer>> = LazyLock::new(|| {
        let lines = include_str!("catalogue.csv").lines();
        lines.filter(|line| !line.starts_with('#')).map(|line| row(line).expect(line)).collect()
    });
    &TABLE
}

/// The offers of a zone; none if there is no such zone.
pub(crate) fn offers_in(zone_id: i64) -> impl Iterator<Item = &'static Offer> {
    offers().iter().filter(move |offer| i64::from(offer.zone_id) == zone_id)
}

/// What is sold of a type in a zone.
pub(crate) fn offer(zone_id: u32, kind: Type) -> Option<&'static Offer> {
    offers().iter().find(|offer| offer.zone_id == zone_id && offer.kind == kind)
}

fn row(line: &'static str) -> Option<Offer> {
    let mut cells = line.split(',');
    let row = Offer {
        zone_id: cells.next()?.parse().ok()?,
        zone_name: cells.next()?,
        region_id: cells.next()?.parse().ok()?,
        vpc_only: cells.next()?.parse().ok()?,
        kind: Type::of(cells.next()?.parse().ok()?)?,
        min_mem_mb: cells.next()?.parse().ok()?,
        max_mem_mb: cells.next()?.parse().ok()?,
        min_num: cells.next()?.parse().ok()?,
        max_num: cells.next()?.parse().ok()?,
        fen_per_gb_month: cells.next()?.parse().ok()?,
    };
    cells.next().is_none().then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn the_table_is_well_formed() {
        assert_eq!(offers().len(), 6);
        for offer in offers() {
            assert!(offer.min_mem_mb % MEM_STEP_MB == 0 && offer.max_mem_mb % MEM_STEP_MB == 0);
            assert!(offer.min_mem_mb <= offer.max_mem_mb && offer.min_num <= offer.max_num);
            assert_eq!(super::offer(offer.zone_id, offer.kind), Some(offer), "it stands there once");
            assert!(offers_in(offer.zone_id.into()).all(|other| {
                (other.zone_name, other.region_id, other.vpc_only)
                    == (offer.zone_name, offer.region_id, offer.vpc_only)
            }));
        }
    }

    #[test]
    fn prices_are_those_of_the_examples() {
        let cluster = offer(100_002, Type::Cluster).unwrap();
        assert_eq!(cluster.price_fen(1024, 1, 2), 16_000);
        assert_eq!(cluster.price_fen(1024, 1, 1), 8_000);
        // The deals 432583, 432586 and 432587 of the document: bought for two months and renewed for one.
        let at = |text: &str| time::read(text).unwrap();
        let deadline_ms = time::months_later(at("2016-09-12 21:10:13"), 1);
        let left_ms = deadline_ms - at("2016-07-12 22:15:55");
        assert_eq!(cluster.upgrade_fen(1024, 2048, left_ms), 24_460);
        assert_eq!(cluster.upgrade_fen(2048, 1024, left_ms), 0);
    }
}
