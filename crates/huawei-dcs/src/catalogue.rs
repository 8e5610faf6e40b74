//! What is sold: the specifications of DCS, from the table in `catalogue.csv`.
//!
//! A specification code names a product and, from release 4.0 on, a capacity. Codes of the documents' examples that
//! the table does not list are read as what they stand for: `au1` is `xu1` on another processor, a `*` takes the
//! ordered capacity's place, and a master/standby code without a number of copies has two.
//!
//! Invariant: the table is well-formed; a test reads all of it.

use std::sync::LazyLock;

use cloud::capacity::Capacity;
use cloud::engine::{Engine, Release};
use cloud::topology::Topology;

/// A specification in one of its capacities.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Specification {
    /// The code of the specification.
    pub(crate) spec_code: &'static str,
    /// The id of the product.
    pub(crate) product_id: &'static str,
    /// The releases that it is sold with; none of Memcached.
    pub(crate) releases: Vec<Release>,
    /// Its form, as the documents name it.
    pub(crate) cache_mode: &'static str,
    /// What it holds.
    pub(crate) capacity: Capacity,
    /// The number of shards.
    pub(crate) shards: u32,
    /// How often each shard exists.
    pub(crate) copies: u32,
    /// The number of proxies.
    pub(crate) proxies: u32,
    /// Connections by default.
    pub(crate) max_connections: u32,
    /// Connections at most.
    pub(crate) max_clients: u32,
    /// Bandwidth in Mbit/s.
    pub(crate) max_bandwidth_mbit: u32,
    /// Bandwidth for what comes in, in Mbit/s.
    pub(crate) max_in_bandwidth_mbit: u32,
    /// The number of databases.
    pub(crate) databases: u32,
}

/// A specification that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sold {
    /// What it is.
    pub(crate) specification: &'static Specification,
    /// Its code as the instance shows it.
    pub(crate) spec_code: String,
    /// Its product id as the instance shows it.
    pub(crate) product_id: String,
}

/// Why nothing is sold by a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSold {
    /// There is no such code.
    UnknownCode,
    /// There is, but not in this capacity.
    WrongCapacity,
}

/// The end of a product id that is a specification code, paid by the hour.
const HOURLY: &str = "-h";

/// The whole table, in its order. The rows of one code stand together.
pub(crate) fn specifications() -> &'static [Specification] {
    static TABLE: LazyLock<Vec<Specification>> = LazyLock::new(|| {
        let lines = include_str!("catalogue.csv").lines();
        lines.filter(|line| !line.starts_with('#')).map(|line| row(line).expect(line)).collect()
    });
    &TABLE
}

/// What the specification code or product id `code` stands for in this capacity.
pub(crate) fn find(code: &str, capacity: Option<Capacity>) -> Result<Sold, NotSold> {
    let asked = match (code.strip_suffix(HOURLY).unwrap_or(code).strip_suffix('*'), capacity) {
        (Some(start), Some(capacity)) => format!("{start}{}", size(capacity)),
        _ => code.strip_suffix(HOURLY).unwrap_or(code).to_owned(),
    };
    let listed = listed_code(&asked);
    let mut rows = specifications().iter().filter(|row| row.spec_code == listed || row.product_id == asked);
    let mut known = rows.clone();
    let specification = match (rows.find(|row| Some(row.capacity) == capacity), known.next()) {
        (Some(specification), _) => specification,
        (None, Some(_)) => return Err(NotSold::WrongCapacity),
        (None, None) => return Err(NotSold::UnknownCode),
    };
    if asked == listed || specification.product_id == asked {
        return Ok(Sold {
            specification,
            spec_code: specification.spec_code.to_owned(),
            product_id: specification.product_id.to_owned(),
        });
    }
    Ok(Sold { specification, product_id: format!("{asked}{HOURLY}"), spec_code: asked })
}

/// What the specification `spec_code` is in another capacity: of the same form, with as many copies, for the same release.
pub(crate) fn in_capacity(
    spec_code: &str,
    release: Option<Release>,
    capacity: Option<Capacity>,
) -> Result<Sold, NotSold> {
    let listed = listed_code(spec_code);
    let present = specifications().iter().find(|row| row.spec_code == listed).ok_or(NotSold::UnknownCode)?;
    let is_like = |row: &&Specification| {
        Some(row.capacity) == capacity
            && row.engine() == present.engine()
            && (row.cache_mode, row.copies) == (present.cache_mode, present.copies)
            && release.is_none_or(|release| row.releases.contains(&release))
    };
    let other = specifications().iter().find(is_like).ok_or(NotSold::WrongCapacity)?;
    match cpu_type(spec_code) {
        "aarch_64" => find(&other.spec_code.replace(".xu1.", ".au1."), capacity),
        _ => find(other.spec_code, capacity),
    }
}

impl Specification {
    /// How its nodes stand to each other.
    pub(crate) fn topology(&self) -> Topology {
        match self.cache_mode {
            "single" => Topology::Single,
            "ha" => Topology::MasterStandby,
            "proxy" => Topology::Proxy,
            _ => Topology::Cluster,
        }
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Engine {
        if self.releases.is_empty() { Engine::Memcached } else { Engine::Redis }
    }

    /// The memory that its data may take, in bytes.
    pub(crate) fn memory_limit_bytes(&self) -> u64 {
        let oldest = self.releases.first().copied();
        self.capacity.memory_limit_bytes(self.engine(), oldest, self.topology())
    }
}

/// The processor that a code names.
pub(crate) fn cpu_type(spec_code: &str) -> &'static str {
    if spec_code.contains(".au1.") { "aarch_64" } else { "x86_64" }
}

/// The code of the table that `code` stands for.
fn listed_code(code: &str) -> String {
    // An example of v2 has a letter too few.
    if code == "dcs.master_standy" {
        return "dcs.master_standby".to_owned();
    }
    let code = code.replace(".au1.", ".xu1.");
    for class in ["redis.ha.xu1.large.", "redis.ha.xu1.tiny."] {
        if let Some(size) = code.strip_prefix(class)
            && !size.starts_with(['r', 'p'])
        {
            return format!("{class}r2.{size}");
        }
    }
    code
}

/// A capacity as the last part of a code: megabytes below one gigabyte, gigabytes from there on.
fn size(capacity: Capacity) -> u32 {
    if capacity.whole_gb() == 0 { capacity.mb() } else { capacity.whole_gb() }
}

fn row(line: &'static str) -> Option<Specification> {
    let mut cells = line.split(',');
    let row = Specification {
        spec_code: cells.next()?,
        product_id: cells.next()?,
        releases: releases(cells.next()?)?,
        cache_mode: cells.next()?,
        capacity: Capacity::from_gb(cells.next()?.parse().ok()?)?,
        shards: cells.next()?.parse().ok()?,
        copies: cells.next()?.parse().ok()?,
        proxies: cells.next()?.parse().ok()?,
        max_connections: cells.next()?.parse().ok()?,
        max_clients: cells.next()?.parse().ok()?,
        max_bandwidth_mbit: cells.next()?.parse().ok()?,
        max_in_bandwidth_mbit: cells.next()?.parse().ok()?,
        databases: cells.next()?.parse().ok()?,
    };
    cells.next().is_none().then_some(row)
}

/// The releases of a row; a dash stands for none.
fn releases(cell: &str) -> Option<Vec<Release>> {
    let names = cell.split(';').filter(|name| *name != "-");
    names.map(str::parse).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn found(code: &str, gb: f64) -> Result<(String, String, &'static str), NotSold> {
        find(code, Capacity::from_gb(gb))
            .map(|sold| (sold.spec_code, sold.product_id, sold.specification.spec_code))
    }

    #[test]
    fn the_table_has_every_documented_code_once_for_each_capacity() {
        let rows: HashSet<_> = specifications().iter().map(|row| (row.spec_code, row.capacity)).collect();
        assert_eq!(rows.len(), specifications().len());
        let codes: HashSet<_> = specifications().iter().map(|row| row.spec_code).collect();
        assert_eq!(codes.len(), 160);
        for row in specifications() {
            assert!(["single", "ha", "proxy", "cluster"].contains(&row.cache_mode), "{}", row.spec_code);
            assert!(row.spec_code.starts_with("dcs.") || row.product_id == format!("{}-h", row.spec_code));
            let shards = if row.topology().has_one_master() { row.shards == 1 } else { row.shards > 1 };
            assert!(shards && row.copies >= 1, "{}", row.spec_code);
        }
    }

    #[test]
    fn capacities_are_those_of_table_4_2() {
        let capacities = |mode: &str, release: Release| {
            let rows = specifications()
                .iter()
                .filter(|row| row.cache_mode == mode && row.releases.contains(&release));
            let mut capacities: Vec<_> = rows.map(|row| row.capacity.gb()).collect();
            capacities.sort_by(f64::total_cmp);
            capacities.dedup();
            capacities
        };
        for mode in ["single", "ha"] {
            assert_eq!(capacities(mode, Release::V3_0), [2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
            for release in [Release::V4_0, Release::V5_0] {
                let expected = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0];
                assert_eq!(capacities(mode, release), expected);
            }
        }
        let memcached = specifications().iter().filter(|row| row.engine() == Engine::Memcached);
        for mode in ["single", "ha"] {
            let rows = memcached.clone().filter(|row| row.cache_mode == mode);
            let capacities: Vec<_> = rows.map(|row| row.capacity.gb()).collect();
            assert_eq!(capacities, [2.0, 4.0, 8.0, 16.0, 32.0, 64.0]);
        }
        assert_eq!(capacities("proxy", Release::V3_0), [64.0, 128.0, 256.0, 512.0, 1024.0]);
        let cluster = [4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024].map(f64::from);
        assert_eq!(capacities("cluster", Release::V5_0), cluster);
        assert!(capacities("cluster", Release::V3_0).is_empty());
    }

    #[test]
    fn codes_and_product_ids_are_found() {
        let own = |code: &str| Ok((code.to_owned(), format!("{code}-h"), code.to_owned()));
        for (code, gb) in [("redis.ha.xu1.tiny.r2.128", 0.125), ("redis.cluster.xu1.large.r1.1024", 1024.0)] {
            let found = |code: &str| {
                found(code, gb).map(|(spec, product, listed)| (spec, product, listed.to_owned()))
            };
            assert_eq!(found(code), own(code));
            assert_eq!(found(&format!("{code}-h")), own(code));
        }
        let (spec, product, _) = found("OTC_DCS_MS", 64.0).unwrap();
        assert_eq!((spec.as_str(), product.as_str()), ("dcs.master_standby", "OTC_DCS_MS"));
        assert_eq!(found("dcs.cluster", 64.0).unwrap().1, "OTC_DCS_CL");
    }

    #[test]
    fn codes_of_the_examples_stand_for_listed_ones() {
        for (code, spec) in [
            ("redis.ha.au1.large.*", "redis.ha.au1.large.2"),
            ("redis.ha.au1.large.*-h", "redis.ha.au1.large.2"),
            ("redis.ha.au1.large.2", "redis.ha.au1.large.2"),
            ("redis.ha.xu1.large.2", "redis.ha.xu1.large.2"),
        ] {
            let expected = (spec.to_owned(), format!("{spec}-h"), "redis.ha.xu1.large.r2.2");
            assert_eq!(found(code, 2.0).unwrap(), expected, "{code}");
        }
        assert_eq!(found("redis.single.au1.large.4", 4.0).unwrap().2, "redis.single.xu1.large.4");
        assert_eq!(found("redis.single.xu1.tiny.*", 0.25).unwrap().2, "redis.single.xu1.tiny.256");
        assert_eq!(cpu_type("redis.single.au1.large.4"), "aarch_64");
        assert_eq!(cpu_type("dcs.single_node"), "x86_64");
    }

    #[test]
    fn what_is_not_sold_is_told_apart() {
        assert_eq!(found("XXXXXX", 2.0), Err(NotSold::UnknownCode));
        assert_eq!(found("", 2.0), Err(NotSold::UnknownCode));
        assert_eq!(found("redis.ha.xu1.large.r9.2", 2.0), Err(NotSold::UnknownCode));
        assert_eq!(found("redis.ha.xu1.large.r2.2", 4.0), Err(NotSold::WrongCapacity));
        assert_eq!(found("dcs.single_node", 3.0), Err(NotSold::WrongCapacity));
        assert_eq!(find("dcs.single_node", None), Err(NotSold::WrongCapacity));
        assert_eq!(found("redis.ha.xu1.large.*", 3.0), Err(NotSold::UnknownCode));
    }
}
