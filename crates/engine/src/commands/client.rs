//! `CLIENT`: what the server knows of its clients, and what it does to them.

use crate::clients::{Client, Marks};
use crate::commands::{family, help, no_subcommand};
use crate::execute::write_error;
use crate::pause::{Reason, Scope};
use crate::pubsub::Kind;
use crate::session::State;
use crate::table::Table;
use crate::{BASE, Command, CommandError, Cx, Node, parse};
use command::{Category, Flags, Former, Group, Refusal, Release, v};
use resp::{Args, Protocol, Reply};
use std::fmt::Write;
use std::sync::atomic::Ordering;
use structures::number;

family!(CLIENT);

/// What most subcommands have in common.
const COMMON: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);
/// What subcommands have in common that concern other clients.
const ADMIN: Flags = COMMON.union(Flags::ADMIN);

/// `CLIENT subcommand`: see the subcommands.
pub static CLIENT: Command = Command {
    name: "client",
    summary: "Shows and steers the server's clients.",
    complexity: "That of the subcommand.",
    since: v(2, 4, 0),
    group: Group::Connection,
    arity: -2,
    flags: Flags::RANDOM.union(Flags::CONTAINER),
    handler: no_subcommand,
    former: &[
        Former::before(Release::V7_0).with(ADMIN).categories(Category::CONNECTION),
        Former::before(Release::V6_2).without(Flags::RANDOM.union(Flags::LOADING).union(Flags::STALE)),
        Former::before(Release::V4_0).with(Flags::READONLY).without(Flags::ADMIN),
    ],
    subcommands: &[
        &TRACKINGINFO,
        &ID,
        &KILL,
        &REPLY,
        &GETNAME,
        &GETREDIR,
        &NO_TOUCH,
        &CACHING,
        &SETNAME,
        &TRACKING,
        &INFO,
        &NO_EVICT,
        &PAUSE,
        &HELP,
        &LIST,
        &UNPAUSE,
        &SETINFO,
        &UNBLOCK,
    ],
    refusals: &[
        (Release::V5_0, Refusal::List("LIST | KILL | GETNAME | SETNAME | PAUSE | REPLY")),
        (Release::V4_0, Refusal::List("LIST | KILL ip:port | GETNAME | SETNAME connection-name")),
    ],
    ..BASE
};

/// What all subcommands have in common.
const SUBCOMMAND: Command =
    Command { group: Group::Connection, flags: COMMON, categories: Category::CONNECTION, ..BASE };

/// `CLIENT ID`: the client's number.
pub static ID: Command = Command {
    name: "id",
    summary: "Gives the client's own number.",
    since: v(5, 0, 0),
    arity: 2,
    handler: id,
    ..SUBCOMMAND
};

/// `CLIENT GETNAME`: the client's name, or nil.
pub static GETNAME: Command = Command {
    name: "getname",
    summary: "Gives the client's own name.",
    since: v(2, 6, 9),
    arity: 2,
    handler: getname,
    ..SUBCOMMAND
};

/// `CLIENT SETNAME connection-name`: OK.
pub static SETNAME: Command = Command {
    name: "setname",
    summary: "Names the client.",
    since: v(2, 6, 9),
    arity: 3,
    syntax: "connection-name",
    handler: setname,
    ..SUBCOMMAND
};

/// `CLIENT SETINFO LIB-NAME libname | LIB-VER libver`: OK.
pub static SETINFO: Command = Command {
    name: "setinfo",
    summary: "Says which library the client uses.",
    since: v(7, 2, 0),
    arity: 4,
    syntax: "attr=(LIB-NAME libname | LIB-VER libver)",
    handler: setinfo,
    ..SUBCOMMAND
};

/// `CLIENT INFO`: one line as of `CLIENT LIST`.
pub static INFO: Command = Command {
    name: "info",
    summary: "Describes the client.",
    since: v(6, 2, 0),
    arity: 2,
    tips: &["nondeterministic_output"],
    handler: info,
    ..SUBCOMMAND
};

/// `CLIENT LIST [TYPE type] [ID client-id ...]`: a line of attributes for each client.
pub static LIST: Command = Command {
    name: "list",
    summary: "Describes all clients, or some.",
    complexity: "O(N) for N clients.",
    since: v(2, 4, 0),
    arity: -2,
    former: &[Former::before(Release::V4_0).arity(2)],
    syntax: "[TYPE (NORMAL | MASTER | REPLICA | PUBSUB)]@5.0.0 id=[ID (client-id:int...)]@6.2.0",
    flags: ADMIN,
    tips: &["nondeterministic_output"],
    handler: list,
    ..SUBCOMMAND
};

/// `CLIENT KILL addr`: OK; or `CLIENT KILL filter value ...`: how many clients it met.
pub static KILL: Command = Command {
    name: "kill",
    summary: "Ends connections.",
    complexity: "O(N) for N clients.",
    since: v(2, 4, 0),
    arity: -3,
    former: &[Former::before(Release::V7_0).arity(-2)],
    syntax: "filter=(ip:port=address | new-format=([ID client-id:int]@2.8.12 | \
             normal_master_slave_pubsub=[TYPE (NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | \
             PUBSUB)]@2.8.12 | [USER username] | [ADDR ip:port=address] | [LADDR ip:port=address]@6.2.0 | [SKIPME \
             yes/no] | [MAXAGE maxage:int]@7.4.0)...)",
    flags: ADMIN,
    handler: kill,
    ..SUBCOMMAND
};

/// `CLIENT PAUSE timeout [WRITE | ALL]`: OK.
pub static PAUSE: Command = Command {
    name: "pause",
    summary: "Serves no commands, or none that write, for a while.",
    since: v(2, 9, 50),
    arity: -3,
    syntax: "timeout:int mode=[WRITE | ALL]@6.2.0",
    flags: ADMIN,
    handler: pause,
    ..SUBCOMMAND
};

/// `CLIENT UNPAUSE`: OK.
pub static UNPAUSE: Command = Command {
    name: "unpause",
    summary: "Ends a pause.",
    complexity: "O(N) for N clients that wait for it.",
    since: v(6, 2, 0),
    arity: 2,
    flags: ADMIN,
    handler: unpause,
    ..SUBCOMMAND
};

/// `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`: whether the client was waiting for keys.
pub static UNBLOCK: Command = Command {
    name: "unblock",
    summary: "Ends a client's wait for keys.",
    complexity: "O(log N) for N clients.",
    since: v(5, 0, 0),
    arity: -3,
    syntax: "client-id:int [TIMEOUT | ERROR]",
    flags: ADMIN,
    handler: unblock,
    ..SUBCOMMAND
};

/// `CLIENT REPLY ON | OFF | SKIP`: OK, or nothing.
pub static REPLY: Command = Command {
    name: "reply",
    summary: "Says whether the client wants replies.",
    since: v(3, 2, 0),
    arity: 3,
    syntax: "(ON | OFF | SKIP)",
    handler: reply_mode,
    ..SUBCOMMAND
};

/// `CLIENT NO-EVICT ON | OFF`: OK.
pub static NO_EVICT: Command = Command {
    name: "no-evict",
    summary: "Says whether the client may be closed to save memory.",
    since: v(7, 0, 0),
    arity: 3,
    syntax: "enabled=(ON | OFF)",
    flags: ADMIN,
    handler: no_evict,
    ..SUBCOMMAND
};

/// `CLIENT NO-TOUCH ON | OFF`: OK.
pub static NO_TOUCH: Command = Command {
    name: "no-touch",
    summary: "Says whether the client's reads count as using keys.",
    since: v(7, 2, 0),
    arity: 3,
    syntax: "enabled=(ON | OFF)",
    handler: no_touch,
    ..SUBCOMMAND
};

/// `CLIENT TRACKING ON | OFF ...`: OK for off; tracking is not there yet.
pub static TRACKING: Command = Command {
    name: "tracking",
    summary: "Asks to be told when keys that were read change.",
    since: v(6, 0, 0),
    arity: -3,
    syntax: "status=(ON | OFF) [REDIRECT client-id:int] [PREFIX prefix]... [BCAST] [OPTIN] [OPTOUT] \
             [NOLOOP]",
    handler: tracking,
    ..SUBCOMMAND
};

/// `CLIENT TRACKINGINFO`: a map of flags, redirection and prefixes.
pub static TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    summary: "Tells what is tracked for the client.",
    since: v(6, 2, 0),
    arity: 2,
    handler: trackinginfo,
    ..SUBCOMMAND
};

/// `CLIENT GETREDIR`: the client that gets what is tracked; -1 for none.
pub static GETREDIR: Command = Command {
    name: "getredir",
    summary: "Tells who gets what is tracked for the client.",
    since: v(6, 0, 0),
    arity: 2,
    handler: getredir,
    ..SUBCOMMAND
};

/// `CLIENT CACHING YES | NO`: OK while tracking in a mode that asks for it.
pub static CACHING: Command = Command {
    name: "caching",
    summary: "Says whether the next command's keys are tracked.",
    since: v(6, 0, 0),
    arity: 3,
    syntax: "mode=(YES | NO)",
    handler: caching,
    ..SUBCOMMAND
};

/// `CLIENT HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: v(5, 0, 0),
    arity: 2,
    flags: Flags::LOADING.union(Flags::STALE),
    handler: explain,
    ..SUBCOMMAND
};

/// A kind of clients, as filters name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Normal,
    Replica,
    PubSub,
    Master,
}

impl Type {
    fn parse(name: &[u8]) -> Result<Type, CommandError> {
        let types = [
            ("normal", Type::Normal),
            ("slave", Type::Replica),
            ("replica", Type::Replica),
            ("pubsub", Type::PubSub),
            ("master", Type::Master),
        ];
        types
            .into_iter()
            .find(|(own, _)| parse::is_word(name, own))
            .map(|(_, kind)| kind)
            .ok_or_else(|| CommandError::ClientType(String::from_utf8_lossy(name).into()))
    }

    fn of(client: &Client) -> Type {
        match client.marks() {
            marks if marks.contains(Marks::MASTER) => Type::Master,
            marks if marks.contains(Marks::REPLICA) => Type::Replica,
            marks if marks.contains(Marks::PUBSUB) => Type::PubSub,
            _ => Type::Normal,
        }
    }
}

fn id(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.integer(cx.session.client.id as i64);
    Ok(())
}

fn getname(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let names = cx.session.client.names.lock();
    if names.name.is_empty() {
        reply.null()
    } else {
        reply.bulk(&names.name)
    }
    Ok(())
}

fn setname(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    check_name(args.at(2)).ok_or(CommandError::ClientName)?;
    set_name(cx, args.at(2));
    reply.ok();
    Ok(())
}

/// Whether a name shows well in a list: only bytes that print, and no spaces.
pub(crate) fn check_name(name: &[u8]) -> Option<()> {
    name.iter().all(|byte| (b'!'..=b'~').contains(byte)).then_some(())
}

pub(crate) fn set_name(cx: &mut Cx, name: &[u8]) {
    cx.session.client.names.lock().name = name.into();
}

fn setinfo(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (attribute, value) = (args.at(2), args.at(3));
    let mut names = cx.session.client.names.lock();
    let place = if parse::is_word(attribute, "lib-name") {
        &mut names.library
    } else if parse::is_word(attribute, "lib-ver") {
        &mut names.library_version
    } else {
        return Err(CommandError::UnrecognizedOption(String::from_utf8_lossy(attribute).into()));
    };
    let error = || CommandError::ClientAttribute(String::from_utf8_lossy(attribute).to_lowercase().into());
    check_name(value).ok_or_else(error)?;
    *place = value.into();
    reply.ok();
    Ok(())
}

fn info(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let line = describe(cx.node, &cx.session.client, cx.now_ms());
    reply.verbatim("txt", line + "\n");
    Ok(())
}

fn list(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let since_5 = cx.release().has(v(5, 0, 0));
    let mut clients = cx.node.clients.all();
    match args.get(2) {
        None => {}
        Some(option) if since_5 && parse::is_word(option, "type") && args.len() == 4 => {
            let kind = Type::parse(args.at(3))?;
            clients.retain(|client| Type::of(client) == kind);
        }
        Some(option) if cx.release().has(v(6, 2, 0)) && parse::is_word(option, "id") && args.len() > 3 => {
            let mut wanted = Vec::new();
            for id in args.iter_from(3) {
                let id = number::parse_i64(id).ok_or(CommandError::InvalidClientId)?;
                wanted.extend(u64::try_from(id).ok().and_then(|id| cx.node.clients.get(id)));
            }
            clients = wanted;
        }
        Some(_) => return Err(CommandError::Syntax),
    }
    let mut text = String::new();
    for client in clients {
        text += &describe(cx.node, &client, cx.now_ms());
        text.push('\n');
    }
    reply.verbatim("txt", text);
    Ok(())
}

/// A client's attributes in one line, those of the node's release.
pub fn describe(node: &Node, client: &Client, now_ms: i64) -> String {
    let release = node.release;
    let gauges = &client.gauges;
    let marks = client.marks();
    let names = client.names.lock();
    let letters = [
        (Marks::REPLICA, 'S'),
        (Marks::MONITOR, 'O'),
        (Marks::MASTER, 'M'),
        (Marks::PUBSUB, 'P'),
        (Marks::MULTI, 'x'),
        (Marks::BLOCKED, 'b'),
        (Marks::BROKEN, 'd'),
        (Marks::CLOSING, 'c'),
        (Marks::NO_EVICT, 'e'),
        (Marks::NO_TOUCH, 'T'),
    ];
    let mut flags: String =
        letters.iter().filter(|(mark, _)| marks.contains(*mark)).map(|(_, letter)| letter).collect();
    if flags.is_empty() {
        flags.push('N');
    }
    let [channels, patterns, shards] =
        Kind::ALL.map(|kind| gauges.subscriptions[kind as usize].load(Ordering::Relaxed));
    let queued = i64::from(gauges.queued.load(Ordering::Relaxed)) - 1;
    let input_bytes = gauges.input_bytes.load(Ordering::Relaxed);
    let output_bytes = gauges.output_bytes.load(Ordering::Relaxed);
    let queued_bytes = gauges.queued_bytes.load(Ordering::Relaxed);
    let argument_bytes = gauges.argument_bytes.load(Ordering::Relaxed);
    let total_bytes = size_of::<Client>() + input_bytes + output_bytes + queued_bytes + argument_bytes;
    let mut line = format!("id={} addr={}", client.id, client.peer);
    // Writing to a string does not fail.
    let since = |version| release.has(version);
    if since(v(6, 2, 0)) {
        let _ = write!(line, " laddr={}", client.local);
    }
    let _ = write!(
        line,
        " fd={} name={} age={} idle={} flags={flags} db={} sub={channels} psub={patterns}",
        client.descriptor,
        String::from_utf8_lossy(&names.name),
        (now_ms - client.since_ms).max(0) / 1000,
        (now_ms - gauges.active_ms.load(Ordering::Relaxed)).max(0) / 1000,
        gauges.db.load(Ordering::Relaxed),
    );
    if since(v(7, 0, 3)) {
        let _ = write!(line, " ssub={shards}");
    }
    let _ = write!(line, " multi={queued}");
    if since(v(7, 4, 0)) {
        let _ = write!(line, " watch={}", gauges.watched.load(Ordering::Relaxed));
    }
    let _ = write!(line, " qbuf={input_bytes} qbuf-free=0");
    if since(v(6, 2, 0)) {
        let _ = write!(line, " argv-mem={argument_bytes}");
    }
    if since(v(7, 0, 0)) {
        let _ = write!(line, " multi-mem={queued_bytes} rbs=0 rbp=0");
    }
    let _ = write!(line, " obl={output_bytes} oll=0 omem={output_bytes}");
    if since(v(6, 2, 0)) {
        let _ = write!(line, " tot-mem={total_bytes}");
    }
    let command = match gauges.command.load(Ordering::Relaxed) {
        0 => "NULL",
        number => &Table::of(release).entry(number - 1).full_name,
    };
    let _ = write!(line, " events=r cmd={command}");
    if since(v(6, 2, 0)) {
        line += " user=default redir=-1";
    }
    if since(v(7, 0, 0)) {
        let _ = write!(line, " resp={}", if client.protocol() == Protocol::Resp3 { 3 } else { 2 });
    }
    if since(v(7, 2, 0)) {
        let (library, version) = (&names.library, &names.library_version);
        let _ = write!(
            line,
            " lib-name={} lib-ver={}",
            String::from_utf8_lossy(library),
            String::from_utf8_lossy(version)
        );
    }
    line
}

/// Which clients a filter form of `CLIENT KILL` is for.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    kind: Option<Type>,
    peer: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    max_age_s: Option<i64>,
}

fn kill(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let own = cx.session.client.id;
    if args.len() == 2 {
        return Err(CommandError::Syntax);
    }
    if args.len() == 3 {
        let all = cx.node.clients.all();
        let found = all.iter().find(|client| client.peer.to_string().as_bytes() == args.at(2));
        let client = found.ok_or(CommandError::NoSuchClient)?;
        end(cx, client);
        reply.ok();
        return Ok(());
    }
    let mut filter = Filter::default();
    let mut skip_own = true;
    let mut index = 2;
    while index < args.len() {
        let option = args.at(index);
        let value = args.get(index + 1).ok_or(CommandError::Syntax)?;
        let since = |version| cx.release().has(version);
        if parse::is_word(option, "id") {
            let id = number::parse_i64(value).filter(|id| *id > 0);
            let error = if since(v(6, 2, 0)) { CommandError::ClientId } else { CommandError::NotAnInteger };
            filter.id = Some(id.ok_or(error)? as u64);
        } else if parse::is_word(option, "type") {
            filter.kind = Some(Type::parse(value)?);
        } else if parse::is_word(option, "addr") {
            filter.peer = Some(value);
        } else if parse::is_word(option, "laddr") && since(v(6, 2, 0)) {
            filter.local = Some(value);
        } else if parse::is_word(option, "user") && since(v(6, 0, 0)) {
            if value != b"default" {
                return Err(CommandError::NoSuchUser(String::from_utf8_lossy(value).into()));
            }
        } else if parse::is_word(option, "skipme") {
            skip_own = match value {
                value if parse::is_word(value, "yes") => true,
                value if parse::is_word(value, "no") => false,
                _ => return Err(CommandError::Syntax),
            };
        } else if parse::is_word(option, "maxage") && since(v(7, 4, 0)) {
            filter.max_age_s = Some(parse::integer(value)?);
        } else {
            return Err(CommandError::Syntax);
        }
        index += 2;
    }
    let mut killed = 0;
    for client in cx.node.clients.all() {
        let matches = filter.id.is_none_or(|id| id == client.id)
            && filter.kind.is_none_or(|kind| kind == Type::of(&client))
            && filter.peer.is_none_or(|peer| client.peer.to_string().as_bytes() == peer)
            && filter.local.is_none_or(|local| client.local.to_string().as_bytes() == local)
            && filter.max_age_s.is_none_or(|age_s| (cx.now_ms() - client.since_ms) / 1000 >= age_s)
            && !(skip_own && client.id == own);
        if matches {
            end(cx, &client);
            killed += 1;
        }
    }
    reply.integer(killed);
    Ok(())
}

/// Ends a connection; one's own after the reply.
fn end(cx: &mut Cx, client: &Client) {
    if client.id == cx.session.client.id {
        cx.session.state.insert(State::CLOSING);
    } else {
        client.kill();
    }
}

fn pause(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mut scope = Scope::All;
    if args.len() > 3 {
        scope = match args.at(3) {
            _ if args.len() > 4 || !cx.release().has(v(6, 2, 0)) => return Err(cx.bad_subcommand(args)),
            mode if parse::is_word(mode, "write") => Scope::Writes,
            mode if parse::is_word(mode, "all") => Scope::All,
            _ => return Err(CommandError::PauseMode),
        };
    }
    let timeout_ms = number::parse_i64(args.at(2)).ok_or(CommandError::TimeoutNotAnInteger)?;
    if timeout_ms < 0 {
        return Err(CommandError::TimeoutNegative);
    }
    let until_ms = cx.now_ms().checked_add(timeout_ms).ok_or(CommandError::TimeoutNotAnInteger)?;
    cx.node.pause.begin(cx.node, Reason::Client, scope, until_ms);
    reply.ok();
    Ok(())
}

fn unpause(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.node.pause.end(cx.node, Reason::Client);
    reply.ok();
    Ok(())
}

fn unblock(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let with_error = match args.get(3) {
        None => false,
        Some(_) if args.len() > 4 => return Err(cx.bad_subcommand(args)),
        Some(mode) if parse::is_word(mode, "timeout") => false,
        Some(mode) if parse::is_word(mode, "error") => true,
        Some(_) => return Err(CommandError::UnblockReason),
    };
    let id = parse::integer(args.at(2))?;
    let waiter = u64::try_from(id).ok().and_then(|id| cx.node.waiters.get(id));
    let unblocked = waiter.is_some_and(|waiter| {
        if with_error {
            let stats = cx.node.stats.worker(cx.worker.id);
            waiter.give_up(|reply| write_error(stats, &CommandError::Unblocked, reply))
        } else {
            waiter.time_out(cx.node)
        }
    });
    reply.integer(unblocked.into());
    Ok(())
}

fn reply_mode(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let mode = args.at(2);
    if parse::is_word(mode, "on") {
        cx.session.state.remove(State::REPLY_OFF | State::REPLY_SKIP | State::REPLY_SKIP_NEXT);
        reply.ok();
    } else if parse::is_word(mode, "off") {
        cx.session.state.insert(State::REPLY_OFF);
    } else if parse::is_word(mode, "skip") {
        // Neither this command's reply is sent nor the next one's.
        if !cx.session.state.contains(State::REPLY_OFF) {
            cx.session.state.insert(State::REPLY_SKIP_NEXT);
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(())
}

fn no_evict(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let on = on_or_off(args.at(2))?;
    cx.session.client.mark(Marks::NO_EVICT, on);
    reply.ok();
    Ok(())
}

fn no_touch(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let on = on_or_off(args.at(2))?;
    cx.session.client.mark(Marks::NO_TOUCH, on);
    cx.session.state.set(State::NO_TOUCH, on);
    reply.ok();
    Ok(())
}

fn on_or_off(word: &[u8]) -> Result<bool, CommandError> {
    match word {
        word if parse::is_word(word, "on") => Ok(true),
        word if parse::is_word(word, "off") => Ok(false),
        _ => Err(CommandError::Syntax),
    }
}

fn tracking(_: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if on_or_off(args.at(2))? {
        return Err(CommandError::TrackingUnsupported);
    }
    reply.ok();
    Ok(())
}

fn trackinginfo(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.map(3);
    reply.bulk("flags");
    reply.set(1);
    reply.bulk("off");
    reply.bulk("redirect");
    reply.integer(-1);
    reply.bulk("prefixes");
    reply.array(0);
    Ok(())
}

fn getredir(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.integer(-1);
    Ok(())
}

fn caching(_: &mut Cx, _: Args, _: &mut Reply) -> Result<(), CommandError> {
    Err(CommandError::CachingWithoutTracking)
}

fn explain(_: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    help(
        reply,
        "CLIENT",
        &[
            ("CACHING (YES|NO)", "Whether the keys of the next command are tracked."),
            ("GETNAME", "The name of this connection."),
            ("GETREDIR", "The client that gets what is tracked for this one."),
            ("ID", "The number of this connection."),
            ("INFO", "The attributes of this connection."),
            ("KILL <ip:port>", "Ends the connection from an address."),
            (
                "KILL <option> <value> [<option> <value> ...]",
                "Ends connections by ID, TYPE, ADDR, LADDR, USER, MAXAGE; SKIPME (YES|NO) says whether one's own is spared.",
            ),
            ("LIST [options ...]", "The attributes of connections, of a TYPE or by ID."),
            ("NO-EVICT (ON|OFF)", "Whether this connection is spared when memory is short."),
            ("NO-TOUCH (ON|OFF)", "Whether reads of this connection leave access times as they are."),
            ("PAUSE <timeout> [WRITE|ALL]", "Serves no commands, or none that write, for some milliseconds."),
            ("REPLY (ON|OFF|SKIP)", "Whether this connection gets replies."),
            ("SETINFO <option> <value>", "Says which library (LIB-NAME) in which version (LIB-VER) is used."),
            ("SETNAME <name>", "Names this connection."),
            (
                "TRACKING (ON|OFF) [<options> ...]",
                "Whether this connection is told of changes of keys that it has read.",
            ),
            ("TRACKINGINFO", "What is tracked for this connection."),
            ("UNBLOCK <clientid> [TIMEOUT|ERROR]", "Ends the wait of a blocked client."),
            ("UNPAUSE", "Ends a pause."),
        ],
    );
    Ok(())
}
