//! The server itself: its time, its role, its last save, its end, and its art.

use crate::commands::family;
use crate::master::{Address, Link};
use crate::node::Gates;
use crate::parse::is_word;
use crate::pause::{Reason, Scope};
use crate::session::State;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Category, Flags, Former, Group, Release, v};
use replication::Stage;
use resp::{Args, Reply};

family!(TIME, ROLE, SHUTDOWN, LOLWUT);

/// `TIME`: the seconds since the epoch and the microseconds of the current one, as strings.
pub static TIME: Command = Command {
    name: "time",
    summary: "Gives the server's time.",
    since: v(2, 6, 0),
    group: Group::Server,
    arity: 1,
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    tips: &["nondeterministic_output"],
    former: &[
        Former::before(Release::V7_0).with(Flags::RANDOM),
        Former::before(Release::V6_2).without(Flags::LOADING.union(Flags::STALE)),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: time,
    ..BASE
};

/// `ROLE`: `master`, the replication offset, and the replicas.
pub static ROLE: Command = Command {
    name: "role",
    summary: "Tells whether the server is a master or a replica, and of whom.",
    since: v(2, 8, 12),
    group: Group::Server,
    arity: 1,
    flags: Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST),
    categories: Category::ADMIN.union(Category::DANGEROUS),
    former: &[
        Former::before(Release::V7_0).categories(Category::DANGEROUS),
        Former::before(Release::V6_2).without(Flags::FAST),
    ],
    handler: role,
    ..BASE
};

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`: nothing; the server ends.
pub static SHUTDOWN: Command = Command {
    name: "shutdown",
    summary: "Ends the server.",
    complexity: "O(N) for N keys if they are saved, O(1) otherwise.",
    group: Group::Server,
    arity: -1,
    syntax: "[NOSAVE | SAVE] [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0",
    flags: Flags::ADMIN
        .union(Flags::NOSCRIPT)
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::NO_MULTI)
        .union(Flags::ALLOW_BUSY),
    former: &[
        Former::before(Release::V7_0).without(Flags::NO_MULTI.union(Flags::ALLOW_BUSY)),
        Former::before(Release::V5_0).without(Flags::NOSCRIPT),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: shutdown,
    ..BASE
};

/// `LOLWUT [VERSION version] [number ...]`: a picture to look at, and the server's version.
pub static LOLWUT: Command = Command {
    name: "lolwut",
    summary: "Draws something, and tells the server's version.",
    since: v(5, 0, 0),
    group: Group::Server,
    arity: -1,
    syntax: "[VERSION version:int]",
    flags: Flags::READONLY.union(Flags::FAST),
    former: &[Former::before(Release::V6_2).without(Flags::FAST)],
    handler: lolwut,
    ..BASE
};

fn time(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let now_us = cx.node.host.wall_us();
    reply.array(2);
    reply.bulk_integer(now_us.div_euclid(1_000_000));
    reply.bulk_integer(now_us.rem_euclid(1_000_000));
    Ok(())
}

fn role(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if let Some(Address { host, port }) = cx.node.master.state().address {
        let state = cx.node.master.state();
        let has = state.link == Link::Up || state.down_since_ms.is_some();
        reply.array(5);
        reply.bulk("slave");
        reply.bulk(host.as_bytes());
        reply.integer(port.into());
        reply.bulk(state.link.name());
        reply.integer(if has { cx.node.replicas.offset().cast_signed() } else { -1 });
        return Ok(());
    }
    let stream = cx.node.replicas.view();
    let online = stream.members.iter().filter(|member| member.replica.stage == Stage::Online);
    reply.array(3);
    reply.bulk("master");
    reply.integer(stream.history.offset().cast_signed());
    reply.array(online.clone().count());
    for member in online {
        reply.array(3);
        reply.bulk(member.ip());
        reply.bulk_integer(member.replica.port.into());
        reply.bulk_integer(member.replica.offset.cast_signed());
    }
    Ok(())
}

fn shutdown(cx: &mut Cx, args: Args, _: &mut Reply) -> Result<(), CommandError> {
    let (mut save, mut nosave, mut now, mut force, mut abort) = (false, false, false, false, false);
    let with_options = cx.release() >= Release::V7_0;
    if args.len() > 2 && !with_options {
        return Err(CommandError::Syntax);
    }
    for option in args.iter_from(1) {
        match option {
            _ if is_word(option, "nosave") => nosave = true,
            _ if is_word(option, "save") => save = true,
            _ if is_word(option, "now") && with_options => now = true,
            _ if is_word(option, "force") && with_options => force = true,
            _ if is_word(option, "abort") && with_options => abort = true,
            _ => return Err(CommandError::Syntax),
        }
    }
    if abort && (save || nosave || now || force) || save && nosave {
        return Err(CommandError::Syntax);
    }
    if abort {
        // A shutdown waits for nobody.
        return Err(CommandError::NoShutdown);
    }
    // A file that is loaded ends nobody.
    if !cx.node.host.may_shut_down() || cx.session.state.contains(State::REPLAYING) {
        return Err(CommandError::unknown_command(cx.release(), args.at(0), args.iter_from(1)));
    }
    cx.offload()?;
    cx.after = Some(Box::new(move |node| {
        // What is acknowledged from now on would not be saved.
        node.pause.begin(node, Reason::Shutdown, Scope::Writes, i64::MAX);
        // While keys are loaded all of them are still where they were, and not all here.
        let saves = !nosave && !node.gates().contains(Gates::LOADING);
        if saves && !node.save_at_end(save) && !force {
            node.pause.end(node, Reason::Shutdown);
            return Err(CommandError::ShutdownFailed);
        }
        if let Err(error) = node.close_append_file() {
            node.host.log(&format!("the append-only file could not be ended: {error}"));
        }
        node.host.shut_down();
        Ok(())
    }));
    cx.session.state.insert(State::CLOSING);
    Ok(())
}

/// The size of a picture unless the client wants another, and the largest that it may want.
const COLUMNS: usize = 66;
const ROWS: usize = 12;
const LARGEST: i64 = 1000;
/// Shades, from the dark to the bright.
const SHADES: &[u8] = b" .:-=+*#%@";

fn lolwut(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let release = cx.release();
    let picks_version = release >= Release::V6_2 && args.get(1).is_some_and(|arg| is_word(arg, "version"));
    let (version, numbers) = match args.get(2) {
        Some(version) if picks_version => (parse::integer(version)?, 3),
        _ => (i64::from(release.version().0), 1),
    };
    // Later versions have not been drawn yet.
    let mut picture = String::new();
    if (5..=6).contains(&version) {
        let mut size = [COLUMNS, ROWS];
        for (side, number) in size.iter_mut().zip(args.iter_from(numbers)) {
            *side = parse::integer(number)?.clamp(1, LARGEST) as usize;
        }
        picture = draw(size, cx.now_ms() as u64);
    }
    reply.verbatim("txt", format!("{picture}Redis ver. {}\n", release.version()));
    Ok(())
}

/// Draws a polished stone: bands around a point that `seed` chooses.
fn draw([columns, rows]: [usize; 2], seed: u64) -> String {
    let (x0, y0) = ((seed % 97) as f64 / 97.0, (seed / 97 % 89) as f64 / 89.0);
    let waves = 3.0 + (seed / 8633 % 7) as f64;
    let mut picture = String::with_capacity((columns + 1) * rows + 40);
    for row in 0..rows {
        for column in 0..columns {
            let (x, y) = (column as f64 / columns as f64 - x0, row as f64 / rows as f64 - y0);
            let band = ((x * x + y * y).sqrt() * waves + (x * 5.0).sin() * 0.3).fract().abs();
            picture.push(char::from(SHADES[(band * SHADES.len() as f64) as usize % SHADES.len()]));
        }
        picture.push('\n');
    }
    picture.push_str("\nA carnelian, cut and polished. ");
    picture
}
