//! Connections: greeting, login, echo, choice of a database.

use crate::commands::client::{check_name, set_name};
use crate::commands::family;
use crate::session::State;
use crate::{BASE, Command, CommandError, Cx, parse};
use command::{Category, Flags, Former, Group, Release, Secrets, v};
use resp::{Args, Protocol, Reply};

family!(PING, ECHO, SELECT, AUTH, HELLO, QUIT, RESET, HOST, POST);

/// `PING [message]`: `PONG`, or the message; an array of `pong` and the message to a RESP2 client that listens.
pub static PING: Command = Command {
    name: "ping",
    summary: "Answers, to show that the connection is alive.",
    group: Group::Connection,
    arity: -1,
    syntax: "[message]",
    flags: Flags::FAST.union(Flags::SUBSCRIBED).union(Flags::NEEDS_DISK),
    categories: Category::CONNECTION,
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    former: &[
        Former::before(Release::V7_0).with(Flags::STALE),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: ping,
    ..BASE
};

/// `ECHO message`: the message.
pub static ECHO: Command = Command {
    name: "echo",
    summary: "Gives its argument back.",
    group: Group::Connection,
    arity: 2,
    syntax: "message",
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    categories: Category::CONNECTION,
    former: &[
        Former::before(Release::V7_0).without(Flags::LOADING.union(Flags::STALE)),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: echo,
    ..BASE
};

/// `SELECT index`: OK.
pub static SELECT: Command = Command {
    name: "select",
    summary: "Chooses the database that further commands work on.",
    group: Group::Connection,
    arity: 2,
    syntax: "index:int",
    flags: Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
    categories: Category::CONNECTION,
    former: &[
        Former::before(Release::V7_0).categories(Category::KEYSPACE),
        Former::before(Release::V6_2).without(Flags::STALE),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: select,
    ..BASE
};

/// `AUTH [username] password`: OK.
pub static AUTH: Command = Command {
    name: "auth",
    summary: "Logs the client in.",
    complexity: "O(N) for N passwords of the user.",
    group: Group::Connection,
    arity: -2,
    syntax: "[username]@6.0.0 password",
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY),
    categories: Category::CONNECTION,
    secrets: Secrets::From(1),
    former: &[
        Former::before(Release::V7_0).without(Flags::ALLOW_BUSY),
        Former::before(Release::V6_2).arity(2).with(Flags::SKIP_MONITOR),
        Former::before(Release::V5_0).without(Flags::SKIP_MONITOR),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: auth,
    ..BASE
};

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`: a map that describes the server.
pub static HELLO: Command = Command {
    name: "hello",
    summary: "Agrees on the protocol, and may log the client in and name it.",
    since: v(6, 0, 0),
    group: Group::Connection,
    arity: -1,
    syntax: "arguments=[protover:int [AUTH (username password)] [SETNAME clientname]]",
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY),
    categories: Category::CONNECTION,
    secrets: Secrets::After(&[("auth", 2)]),
    former: &[Former::before(Release::V7_0).without(Flags::ALLOW_BUSY)],
    handler: hello,
    ..BASE
};

/// `QUIT`: OK, and the connection ends.
pub static QUIT: Command = Command {
    name: "quit",
    summary: "Ends the connection.",
    deprecated: Some((v(7, 2, 0), "closing the connection")),
    group: Group::Connection,
    arity: -1,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::NOT_QUEUED)
        .union(Flags::SUBSCRIBED),
    categories: Category::CONNECTION,
    former: &[Former::before(Release::V7_0).with(Flags::HIDDEN)],
    handler: quit,
    ..BASE
};

/// `RESET`: `RESET`.
pub static RESET: Command = Command {
    name: "reset",
    summary: "Makes the connection as it was when it began.",
    since: v(6, 2, 0),
    group: Group::Connection,
    arity: 1,
    flags: Flags::NOSCRIPT
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::FAST)
        .union(Flags::NO_AUTH)
        .union(Flags::ALLOW_BUSY)
        .union(Flags::NOT_QUEUED)
        .union(Flags::SUBSCRIBED)
        .union(Flags::UNWATCHES),
    categories: Category::CONNECTION,
    former: &[Former::before(Release::V7_0).without(Flags::NO_AUTH.union(Flags::ALLOW_BUSY))],
    handler: reset,
    ..BASE
};

/// What HTTP clients send by accident: the connection ends without a word.
pub static HOST: Command = Command {
    name: "host:",
    summary: "Ends the connection of a web browser that was made to talk to the wrong port.",
    since: v(3, 2, 0),
    group: Group::Connection,
    arity: -1,
    flags: Flags::READONLY
        .union(Flags::LOADING)
        .union(Flags::STALE)
        .union(Flags::NO_AUTH)
        .union(Flags::NOT_QUEUED)
        .union(Flags::SUBSCRIBED)
        .union(Flags::HIDDEN),
    former: &[
        // It was a command like others.
        Former::before(Release::V7_0)
            .without(Flags::NO_AUTH.union(Flags::NOT_QUEUED).union(Flags::SUBSCRIBED).union(Flags::HIDDEN)),
        Former::before(Release::V6_2).without(Flags::READONLY),
    ],
    handler: hang_up,
    ..BASE
};

/// As [`HOST`].
pub static POST: Command = Command { name: "post", ..HOST };

fn ping(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if args.len() > 2 {
        return Err(CommandError::Arity(cx.entry.full_name.clone()));
    }
    let message = args.get(1);
    if cx.session.state.contains(State::SUBSCRIBED) && cx.session.protocol == Protocol::Resp2 {
        reply.array(2);
        reply.bulk("pong");
        reply.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        Some(message) => reply.bulk(message),
        None => reply.status("PONG"),
    }
    Ok(())
}

fn echo(_: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.bulk(args.at(1));
    Ok(())
}

fn select(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let number = args.at(1);
    let out_of_range = match cx.release() {
        Release::V3_0 => CommandError::InvalidDb,
        _ => CommandError::DbOutOfRange,
    };
    let db = if cx.release().has(v(6, 2, 0)) {
        parse::int32(number)?
    } else {
        let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
        parse::integer_in(number, range, CommandError::InvalidDb)? as i32
    };
    let db = u32::try_from(db).ok().filter(|&db| db < cx.node.settings.databases()).ok_or(out_of_range)?;
    if db > 0 && cx.node.member.is_some() {
        return Err(CommandError::NotInCluster("SELECT"));
    }
    cx.session.select(db);
    reply.ok();
    Ok(())
}

fn auth(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let (user, password) = match (args.at(1), args.get(2)) {
        _ if args.len() > 3 => return Err(CommandError::Syntax),
        (user, Some(password)) => (Some(user), password),
        (password, None) => (None, password),
    };
    log_in(cx, user, password)?;
    reply.ok();
    Ok(())
}

/// Logs the client in as the default user, which is the only one.
fn log_in(cx: &mut Cx, user: Option<&[u8]>, password: &[u8]) -> Result<(), CommandError> {
    let old = cx.release() < Release::V6_2;
    let own = cx.node.settings.password.read();
    match (&*own, user) {
        (None, None) if old => return Err(CommandError::NoPasswordSet),
        (None, None) => return Err(CommandError::NoPasswordConfigured),
        // Without a password, any will do for the default user.
        (None, Some(b"default")) => {}
        (Some(own), None | Some(b"default")) if same(own, password) => {}
        _ if old => return Err(CommandError::InvalidPassword),
        _ => return Err(CommandError::WrongPassword),
    }
    cx.session.state.remove(State::UNAUTHENTICATED);
    Ok(())
}

/// Compares in a time that does not tell where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | a ^ b) == 0
}

fn hello(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let protocol = match args.get(1) {
        None => cx.session.protocol,
        Some(version) => match structures::number::parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(CommandError::UnsupportedProtocol),
            None => return Err(CommandError::NotAProtocol),
        },
    };
    let (mut login, mut name, mut index) = (None, None, 2);
    while let Some(option) = args.get(index) {
        match (args.get(index + 1), args.get(index + 2)) {
            (Some(user), Some(password)) if parse::is_word(option, "auth") => {
                login = Some((user, password));
                index += 3;
            }
            (Some(value), _) if parse::is_word(option, "setname") => {
                check_name(value).ok_or(CommandError::ClientName)?;
                name = Some(value);
                index += 2;
            }
            _ => {
                let option = String::from_utf8_lossy(option).into_owned();
                return Err(CommandError::HelloOption(option.into()));
            }
        }
    }
    if let Some((user, password)) = login {
        log_in(cx, Some(user), password)?;
    } else if cx.session.state.contains(State::UNAUTHENTICATED) {
        return Err(CommandError::HelloNoAuth);
    }
    if let Some(name) = name {
        set_name(cx, name);
    }
    cx.session.set_protocol(protocol);
    reply.set_protocol(protocol);
    reply.map(7);
    reply.bulk("server");
    reply.bulk("redis");
    reply.bulk("version");
    reply.bulk(cx.release().version().to_string());
    reply.bulk("proto");
    reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk("id");
    reply.integer(cx.session.client.id as i64);
    reply.bulk("mode");
    reply.bulk(if cx.node.member.is_some() { "cluster" } else { "standalone" });
    reply.bulk("role");
    reply.bulk(if cx.node.follows() { "replica" } else { "master" });
    reply.bulk("modules");
    reply.array(0);
    Ok(())
}

fn quit(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    cx.session.state.insert(State::CLOSING);
    reply.ok();
    Ok(())
}

fn reset(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let id = cx.session.client.id;
    cx.session.set_multi(None);
    cx.session.unwatch(&mut cx.locked);
    cx.session.unsubscribe_all(cx.node);
    cx.node.monitors.remove(cx.node, id);
    cx.session.select(0);
    set_name(cx, b"");
    cx.session.begin(cx.node);
    reply.set_protocol(Protocol::Resp2);
    reply.status("RESET");
    Ok(())
}

fn hang_up(cx: &mut Cx, _: Args, _: &mut Reply) -> Result<(), CommandError> {
    cx.session.state.insert(State::CLOSING);
    cx.session.client.kill();
    Ok(())
}
