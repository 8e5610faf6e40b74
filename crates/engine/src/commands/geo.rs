//! Places: sorted sets whose scores are cells of the map, as [`crate::geohash`] numbers them.
//!
//! Not here: searching for places, which is in [`super::geo_search`].

use super::zsets::{Options, READ, ZSET, add};
use crate::commands::family;
use crate::geohash::Place;
use crate::parse::is_word;
use crate::{Command, CommandError, Cx, float};
use command::{Access, Category, Flags, Group, KeySpec, Release, v};
use resp::{Args, Reply};
use smallvec::SmallVec;
use structures::number::Decimal;
use structures::zset::ZSet;

family!(GEOADD, GEODIST, GEOPOS, GEOHASH);

/// Reading places.
pub(super) const LOOK: Command =
    Command { group: Group::Geo, categories: Category::GEO, since: v(3, 2, 0), ..READ };

/// `GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]`: the number of new members, with
/// `CH` of those that have moved too.
pub static GEOADD: Command = Command {
    name: "geoadd",
    summary: "Puts members at places; adds those that are not there.",
    complexity: "O(log N) for each member, of N.",
    since: v(3, 2, 0),
    group: Group::Geo,
    arity: -5,
    syntax: "key condition=[NX | XX]@6.2.0 change=[CH]@6.2.0 (longitude:double latitude:double member)...",
    flags: Flags::WRITE.union(Flags::DENYOOM),
    categories: Category::GEO,
    keys: &[KeySpec::at(1, Access::RW.union(Access::UPDATE))],
    handler: geoadd,
    ..ZSET
};

/// `GEODIST key member member [M | KM | FT | MI]`: the distance as a string, or nil.
pub static GEODIST: Command = Command {
    name: "geodist",
    summary: "Gives the distance between two members.",
    arity: -4,
    syntax: "key member1 member2 unit=[M | KM | FT | MI]",
    handler: geodist,
    ..LOOK
};

/// `GEOPOS key [member ...]`: an array of longitudes and latitudes, with nil for members that are not there.
pub static GEOPOS: Command = Command {
    name: "geopos",
    summary: "Gives the places of members.",
    complexity: "O(1) for each member.",
    arity: -2,
    syntax: "key member...",
    handler: geopos,
    ..LOOK
};

/// `GEOHASH key [member ...]`: an array of strings of eleven letters, with nil for members that are not there.
pub static GEOHASH: Command = Command {
    name: "geohash",
    summary: "Gives the places of members as strings that are alike where the places are near.",
    complexity: "O(1) for each member.",
    arity: -2,
    syntax: "key member...",
    handler: geohash,
    ..LOOK
};

fn geoadd(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (mut options, mut first) = (Options::empty(), 2);
    while cx.release().has(v(6, 2, 0))
        && let Some(word) = args.get(first)
    {
        options |= match word {
            word if is_word(word, "nx") => Options::NX,
            word if is_word(word, "xx") => Options::XX,
            word if is_word(word, "ch") => Options::CH,
            _ => break,
        };
        first += 1;
    }
    let rest = args.len() - first;
    if rest == 0 || !rest.is_multiple_of(3) || options.contains(Options::NX | Options::XX) {
        let usage = !cx.release().has(v(6, 2, 0));
        return Err(if usage { CommandError::GeoAddUsage } else { CommandError::Syntax });
    }
    let place = |at| Ok::<_, CommandError>(place(args, at)?.score());
    let scores = (first..args.len()).step_by(3).map(place).collect::<Result<SmallVec<[f64; 8]>, _>>()?;
    cx.weigh(scores.len())?;
    let members = args.iter_from(first + 2).step_by(3);
    add(cx, args.at(1), options, scores.iter().copied().zip(members.clone()), reply)?;
    if cx.is_repeated() && cx.has_changed() {
        let scores: Vec<Decimal> = scores.iter().map(|&score| Decimal::new(score as i64)).collect();
        let pairs = scores.iter().zip(members).flat_map(|(score, member)| [score.as_bytes(), member]);
        let request: Vec<&[u8]> =
            [&b"zadd"[..]].into_iter().chain(args.slice(1..first).iter()).chain(pairs).collect();
        cx.repeat(&request);
    }
    Ok(())
}

/// The place whose longitude and latitude are the arguments from number `at` on.
pub(super) fn place(args: Args, at: usize) -> Result<Place, CommandError> {
    let degrees = |at| float::parse(args.at(at)).ok_or(CommandError::NotAFloat);
    let place = Place { longitude: degrees(at)?, latitude: degrees(at + 1)? };
    if place.is_on_map() {
        Ok(place)
    } else {
        Err(CommandError::Coordinates(place.longitude, place.latitude))
    }
}

/// A unit of length, in metres. From 7.0 on it may be written in any case.
pub(super) fn unit_m(word: &[u8], release: Release) -> Result<f64, CommandError> {
    const UNITS: [(&[u8], f64); 4] = [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let any_case = release.has(v(7, 0, 0));
    let is = |name: &[u8]| if any_case { name.eq_ignore_ascii_case(word) } else { name == word };
    match UNITS.iter().find(|(name, _)| is(name)) {
        Some((_, unit_m)) => Ok(*unit_m),
        None if any_case => Err(CommandError::Unit7),
        None => Err(CommandError::Unit6),
    }
}

/// The place of a member.
pub(super) fn place_of(zset: &ZSet, member: &[u8]) -> Option<Place> {
    zset.score(member).map(Place::of_score)
}

fn geodist(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let unit_m = match args.get(4) {
        _ if args.len() > 5 => return Err(CommandError::Syntax),
        Some(word) => unit_m(word, release)?,
        None => 1.0,
    };
    let zset = cx.read_object::<ZSet>(args.at(1))?;
    let places = zset.and_then(|zset| Some((place_of(&zset, args.at(2))?, place_of(&zset, args.at(3))?)));
    match places {
        Some((from, to)) => reply.bulk(float::distance(from.distance_m(&to, release) / unit_m, release)),
        None => reply.null(),
    }
    Ok(())
}

fn geopos(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let zset = cx.read_object::<ZSet>(args.at(1))?;
    let members = args.iter_from(2);
    reply.array(members.len());
    for member in members {
        match zset.as_ref().and_then(|zset| place_of(zset, member)) {
            Some(place) => put_place(reply, &place),
            None => reply.null_array(),
        }
    }
    Ok(())
}

/// Writes a place as an array of its longitude and latitude.
pub(super) fn put_place(reply: &mut Reply, place: &Place) {
    reply.array(2);
    reply.double(float::human(place.longitude));
    reply.double(float::human(place.latitude));
}

fn geohash(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let zset = cx.read_object::<ZSet>(args.at(1))?;
    let members = args.iter_from(2);
    reply.array(members.len());
    for member in members {
        match zset.as_ref().and_then(|zset| place_of(zset, member)) {
            Some(place) => reply.bulk(place.letters()),
            None => reply.null(),
        }
    }
    Ok(())
}
