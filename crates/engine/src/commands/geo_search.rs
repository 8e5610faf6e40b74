//! Places: searching around one.
//!
//! An area is covered by up to nine cells of the map; the members of each are a range of scores. What is found is in the
//! order of cells and scores, unless it is sorted by distance.

use super::geo::{LOOK, place, place_of, put_place, unit_m};
use super::zset_ranges::ScoreSpan;
use super::zsets::store;
use crate::commands::family;
use crate::context::Scales;
use crate::float;
use crate::geohash::{Area, Cell, Place, Shape};
use crate::parse::{integer, is_word};
use crate::{Command, CommandError, Cx};
use command::{Access, Flags, Former, KeySpec, Range, Release, v};
use keyspace::{Class, Event};
use resp::{Args, Reply};
use smallvec::SmallVec;
use std::ops;
use structures::zset::{Gathered, ZSet};

family!(GEORADIUS, GEORADIUS_RO, GEORADIUSBYMEMBER, GEORADIUSBYMEMBER_RO, GEOSEARCH, GEOSEARCHSTORE);

/// What searching does with a key that it stores into.
const STORES: Access = Access::OW.union(Access::UPDATE);

/// Searching.
const SEARCH: Command =
    Command { complexity: "O(N+log M) for N members of the cells around the area, of M.", ..LOOK };

/// Searching by the first commands for it, which may store what they find.
const RADIUS: Command = Command {
    flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS),
    former: &[Former::before(Release::V6_2).without(Flags::DENYOOM)],
    ..SEARCH
};

/// Their variants for replicas.
const RADIUS_RO: Command = Command {
    since: v(3, 2, 10),
    former: &[Former::before(Release::V6_2).with(Flags::MOVABLEKEYS)],
    ..SEARCH
};

/// `GEORADIUS key longitude latitude radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC] [STORE key | STOREDIST key]`: an array of members, or the number of those that were stored.
pub static GEORADIUS: Command = Command {
    name: "georadius",
    summary: "Searches around a place; gives or stores the members found.",
    deprecated: Some((v(6, 2, 0), "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`")),
    arity: -6,
    syntax: "key longitude:double latitude:double radius:double unit=(M | KM | FT | MI) [WITHCOORD] \
             [WITHDIST] [WITHHASH] count=[COUNT count:int [ANY]@6.2.0] order=[ASC | DESC] [STORE key] \
             [STOREDIST key]",
    keys: &[
        KeySpec::at(1, Access::RO.union(Access::ACCESS)),
        KeySpec::after("STORE", 6, STORES),
        KeySpec::after("STOREDIST", 6, STORES),
    ],
    handler: |cx, args, reply| search(cx, args, reply, Form::Radius { stores: true }),
    ..RADIUS
};

/// `GEORADIUS_RO key longitude latitude radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC]`: an array of members.
pub static GEORADIUS_RO: Command = Command {
    name: "georadius_ro",
    summary: "Searches around a place; gives the members found.",
    deprecated: Some((v(6, 2, 0), "`GEOSEARCH` with `BYRADIUS`")),
    arity: -6,
    syntax: "key longitude:double latitude:double radius:double unit=(M | KM | FT | MI) [WITHCOORD] \
             [WITHDIST] [WITHHASH] count=[COUNT count:int [ANY]@6.2.0] order=[ASC | DESC]",
    handler: |cx, args, reply| search(cx, args, reply, Form::Radius { stores: false }),
    ..RADIUS_RO
};

/// `GEORADIUSBYMEMBER key member radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC] [STORE key | STOREDIST key]`: an array of members, or the number of those that were stored.
pub static GEORADIUSBYMEMBER: Command = Command {
    name: "georadiusbymember",
    summary: "Searches around a member; gives or stores the members found.",
    deprecated: Some((v(6, 2, 0), "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`")),
    arity: -5,
    syntax: "key member radius:double unit=(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
             count=[COUNT count:int [ANY]] order=[ASC | DESC] [STORE key] [STOREDIST key]",
    keys: &[
        KeySpec::at(1, Access::RO.union(Access::ACCESS)),
        KeySpec::after("STORE", 5, STORES),
        KeySpec::after("STOREDIST", 5, STORES),
    ],
    handler: |cx, args, reply| search(cx, args, reply, Form::RadiusByMember { stores: true }),
    ..RADIUS
};

/// `GEORADIUSBYMEMBER_RO key member radius M | KM | FT | MI [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]]
/// [ASC | DESC]`: an array of members.
pub static GEORADIUSBYMEMBER_RO: Command = Command {
    name: "georadiusbymember_ro",
    summary: "Searches around a member; gives the members found.",
    deprecated: Some((v(6, 2, 0), "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`")),
    arity: -5,
    syntax: "key member radius:double unit=(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] \
             count=[COUNT count:int [ANY]] order=[ASC | DESC]",
    handler: |cx, args, reply| search(cx, args, reply, Form::RadiusByMember { stores: false }),
    ..RADIUS_RO
};

/// `GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX width height unit
/// [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]`: an array of members.
pub static GEOSEARCH: Command = Command {
    name: "geosearch",
    summary: "Searches a circle or a box; gives the members found.",
    since: v(6, 2, 0),
    arity: -7,
    syntax: "key from=(FROMMEMBER member | FROMLONLAT (longitude:double latitude:double)) \
             by=(circle=(BYRADIUS radius:double unit=(M | KM | FT | MI)) | box=(BYBOX width:double \
             height:double unit=(M | KM | FT | MI))) order=[ASC | DESC] count=[COUNT count:int [ANY]] \
             [WITHCOORD] [WITHDIST] [WITHHASH]",
    handler: |cx, args, reply| search(cx, args, reply, Form::Search),
    ..SEARCH
};

/// `GEOSEARCHSTORE destination source FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX
/// width height unit [ASC | DESC] [COUNT count [ANY]] [STOREDIST]`: the number of members that were stored.
pub static GEOSEARCHSTORE: Command = Command {
    name: "geosearchstore",
    summary: "Searches a circle or a box; stores the members found.",
    since: v(6, 2, 0),
    arity: -8,
    syntax: "destination:key source:key from=(FROMMEMBER member | FROMLONLAT (longitude:double \
             latitude:double)) by=(circle=(BYRADIUS radius:double unit=(M | KM | FT | MI)) | \
             box=(BYBOX width:double height:double unit=(M | KM | FT | MI))) order=[ASC | DESC] \
             count=[COUNT count:int [ANY]] [STOREDIST]",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    keys: &[KeySpec::at(1, STORES), KeySpec::at(2, Access::RO.union(Access::ACCESS))],
    range: Range::new(1, 2, 1),
    handler: |cx, args, reply| search(cx, args, reply, Form::SearchStore),
    ..SEARCH
};

/// How a command is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Radius { stores: bool },
    RadiusByMember { stores: bool },
    Search,
    SearchStore,
}

impl Form {
    /// Whether area and centre are options.
    fn is_search(self) -> bool {
        matches!(self, Form::Search | Form::SearchStore)
    }

    /// Whether `STORE` and `STOREDIST` are options with a key.
    fn has_store(self) -> bool {
        matches!(self, Form::Radius { stores: true } | Form::RadiusByMember { stores: true })
    }
}

/// What is wanted.
struct Query<'a> {
    /// Nothing where there is no source.
    area: Option<Area>,
    with_distance: bool,
    with_hash: bool,
    with_place: bool,
    /// How many members are wanted.
    count: Option<usize>,
    /// Whether the search ends as soon as it has found so many.
    any: bool,
    order: Option<Order>,
    /// The key to store into.
    store: Option<&'a [u8]>,
    /// Whether distances are stored, rather than scores.
    store_distances: bool,
}

/// An order by distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

/// Reads a query; `zset` is where its centre is looked up.
fn query<'a>(
    args: Args<'a>,
    form: Form,
    zset: Option<&ZSet>,
    release: Release,
) -> Result<Query<'a>, CommandError> {
    let member = |zset: &ZSet, at| place_of(zset, args.at(at)).ok_or(CommandError::NoSuchPlace);
    let mut query = Query {
        area: None,
        with_distance: false,
        with_hash: false,
        with_place: false,
        count: None,
        any: false,
        order: None,
        store: (form == Form::SearchStore).then(|| args.at(1)),
        store_distances: false,
    };
    // Whether there is a centre, and which if there is a source; and the shape with its unit.
    let (mut from, mut center, mut by) = (None, None, None);
    let mut at = match form {
        Form::Radius { .. } => {
            center = Some(place(args, 2)?);
            by = Some(circle(args, 4, release)?);
            6
        }
        Form::RadiusByMember { .. } => {
            if let Some(zset) = zset {
                center = Some(member(zset, 2)?);
                by = Some(circle(args, 3, release)?);
            }
            5
        }
        Form::Search => 2,
        Form::SearchStore => 3,
    };
    let is_6_2 = release.has(v(6, 2, 0));
    while let Some(word) = args.get(at) {
        let left = args.len() - at - 1;
        match word {
            word if is_word(word, "withdist") => query.with_distance = true,
            word if is_word(word, "withhash") => query.with_hash = true,
            word if is_word(word, "withcoord") => query.with_place = true,
            word if is_6_2 && is_word(word, "any") => query.any = true,
            word if is_word(word, "asc") => query.order = Some(Order::Ascending),
            word if is_word(word, "desc") => query.order = Some(Order::Descending),
            word if left >= 1 && is_word(word, "count") => {
                at += 1;
                match integer(args.at(at))? {
                    count @ 1.. => query.count = Some(count as usize),
                    _ => return Err(CommandError::PlaceCount),
                }
            }
            word if form.has_store()
                && left >= 1
                && (is_word(word, "store") || is_word(word, "storedist")) =>
            {
                at += 1;
                query.store = Some(args.at(at));
                query.store_distances = is_word(word, "storedist");
            }
            word if form == Form::SearchStore && is_word(word, "storedist") => query.store_distances = true,
            word if form.is_search()
                && left >= 1
                && from != Some("fromlonlat")
                && is_word(word, "frommember") =>
            {
                at += 1;
                from = Some("frommember");
                if let Some(zset) = zset {
                    center = Some(member(zset, at)?);
                }
            }
            word if form.is_search()
                && left >= 2
                && from != Some("frommember")
                && is_word(word, "fromlonlat") =>
            {
                center = Some(place(args, at + 1)?);
                from = Some("fromlonlat");
                at += 2;
            }
            word if form.is_search()
                && left >= 2
                && !matches!(by, Some((Shape::Box { .. }, _)))
                && is_word(word, "byradius") =>
            {
                by = Some(circle(args, at + 1, release)?);
                at += 2;
            }
            word if form.is_search()
                && left >= 3
                && !matches!(by, Some((Shape::Circle { .. }, _)))
                && is_word(word, "bybox") =>
            {
                by = Some(rectangle(args, at + 1, release)?);
                at += 3;
            }
            _ => return Err(CommandError::Syntax),
        }
        at += 1;
    }
    if query.store.is_some() && (query.with_distance || query.with_hash || query.with_place) {
        return Err(match form {
            _ if !is_6_2 => CommandError::StoreWith5,
            Form::SearchStore => CommandError::StoreWith6("GEOSEARCHSTORE"),
            _ => CommandError::StoreWith6("STORE option in GEORADIUS"),
        });
    }
    let name = || args.at(0).iter().map(|&byte| char::from(byte)).collect();
    if form.is_search() && from.is_none() {
        return Err(CommandError::SearchFrom(name()));
    }
    if form.is_search() && by.is_none() {
        return Err(CommandError::SearchBy(name()));
    }
    if query.any && query.count.is_none() {
        return Err(CommandError::AnyWithoutCount);
    }
    if query.count.is_some() && !query.any {
        // The nearest are wanted, unless the farthest are.
        query.order = query.order.or(Some(Order::Ascending));
    }
    if let (Some(center), Some((shape, unit_m))) = (center, by) {
        query.area = Some(Area { center, shape, unit_m });
    }
    Ok(query)
}

/// A radius and its unit, in metres, from argument `at` on.
fn circle(args: Args, at: usize, release: Release) -> Result<(Shape, f64), CommandError> {
    let radius = float::parse(args.at(at)).ok_or(CommandError::Radius)?;
    if radius < 0.0 {
        return Err(CommandError::RadiusNegative);
    }
    Ok((Shape::Circle { radius }, unit_m(args.at(at + 1), release)?))
}

/// A width, a height and their unit, in metres, from argument `at` on.
fn rectangle(args: Args, at: usize, release: Release) -> Result<(Shape, f64), CommandError> {
    let width = float::parse(args.at(at)).ok_or(CommandError::Width)?;
    let height = float::parse(args.at(at + 1)).ok_or(CommandError::Height)?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::BoxNegative);
    }
    Ok((Shape::Box { width, height }, unit_m(args.at(at + 2), release)?))
}

/// A member in the area.
#[derive(Clone, Copy)]
struct Found {
    /// Where its bytes are in [`Finds::bytes`].
    start: usize,
    len: usize,
    score: f64,
    place: Place,
    distance_m: f64,
}

/// Members in the area.
#[derive(Default)]
struct Finds {
    found: Vec<Found>,
    bytes: Vec<u8>,
}

impl Finds {
    fn member(&self, found: &Found) -> &[u8] {
        &self.bytes[found.start..found.start + found.len]
    }
}

/// Searches the cells around an area.
fn find(
    zset: &ZSet,
    area: &Area,
    query: &Query,
    release: Release,
    scales: Scales,
) -> Result<Finds, CommandError> {
    let ranks = |cell: Cell| {
        let ops::Range { start, end } = cell.scores();
        ScoreSpan { min: start, max: end, min_open: false, max_open: true }.ranks(zset)
    };
    let cells: SmallVec<[ops::Range<usize>; 9]> = area.cells(release).map(ranks).collect();
    scales.weigh(cells.iter().map(ops::Range::len).sum())?;
    let most = query.count.filter(|_| query.any).unwrap_or(usize::MAX);
    let mut finds = Finds::default();
    for ranks in cells {
        let mut left = ranks.len();
        if left == 0 || finds.found.len() >= most {
            continue;
        }
        zset.any_from(ranks.start, |member, score| {
            let place = Place::of_score(score);
            if let Some(distance_m) = area.distance_m(&place, release) {
                let start = finds.bytes.len();
                member.with_bytes(|member| finds.bytes.extend_from_slice(member));
                let len = finds.bytes.len() - start;
                finds.found.push(Found { start, len, score, place, distance_m });
            }
            left -= 1;
            left == 0 || finds.found.len() >= most
        });
    }
    match query.order {
        Some(Order::Ascending) => finds.found.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m)),
        Some(Order::Descending) => finds.found.sort_by(|a, b| b.distance_m.total_cmp(&a.distance_m)),
        None => {}
    }
    finds.found.truncate(query.count.unwrap_or(usize::MAX));
    Ok(finds)
}

fn search(cx: &mut Cx, args: Args, reply: &mut Reply, form: Form) -> Result<(), CommandError> {
    let (release, scales) = (cx.release(), cx.scales());
    let limits = cx.params().zset;
    let zset = cx.read_object::<ZSet>(args.at(if form == Form::SearchStore { 2 } else { 1 }))?;
    if zset.is_none() && !release.has(v(6, 2, 0)) {
        reply.array(0);
        return Ok(());
    }
    let query = query(args, form, zset.as_deref(), release)?;
    let (finds, unit_m) = match (&zset, &query.area) {
        (Some(zset), Some(area)) => (find(zset, area, &query, release, scales)?, area.unit_m),
        _ => (Finds::default(), 1.0),
    };
    let Some(key) = query.store else {
        put(reply, &finds, &query, unit_m, release);
        return Ok(());
    };
    let mut result = Gathered::new(limits.seed);
    for found in &finds.found {
        let score = if query.store_distances { found.distance_m / unit_m } else { found.score };
        result.update(finds.member(found), |_| score);
    }
    let mut result = result.into_zset();
    result.pack_if_small(&limits);
    // Before 6.0 the event was taken for one of lists.
    let event = match form {
        Form::SearchStore => Event(Class::ZSET, "geosearchstore"),
        _ if release.has(v(6, 0, 0)) => Event(Class::ZSET, "georadiusstore"),
        _ => Event(Class::LIST, "georadiusstore"),
    };
    store(cx, key, result, event, finds.found.len() as u64);
    reply.count(finds.found.len());
    Ok(())
}

/// Writes members, each with what is wanted of it.
fn put(reply: &mut Reply, finds: &Finds, query: &Query, unit_m: f64, release: Release) {
    let extras =
        [query.with_distance, query.with_hash, query.with_place].into_iter().filter(|&with| with).count();
    reply.array(finds.found.len());
    for found in &finds.found {
        if extras > 0 {
            reply.array(1 + extras);
        }
        reply.bulk(finds.member(found));
        if query.with_distance {
            reply.bulk(float::distance(found.distance_m / unit_m, release));
        }
        if query.with_hash {
            reply.integer(found.score as i64);
        }
        if query.with_place {
            put_place(reply, &found.place);
        }
    }
}
