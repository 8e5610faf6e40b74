//! The commands of the binary protocol.

use memcache_wire::binary::{
    Command, Mode as StoreMode, Request, Response, respond, respond_before, respond_error,
};
use memcache_wire::{Block, Reply, Status, VERSION};

use crate::clock::Now;
use crate::items::{self, Mode, Order, Stored, Sum, Summed};
use crate::node::Node;
use crate::reports;
use crate::session::{Session, Step};
use crate::unfinished::Made;

/// The mechanisms of authentication.
const MECHANISMS: &str = "PLAIN";
/// Longest name of a mechanism, in bytes.
const MECHANISM_MAX: usize = 32;
/// The time of a number that is not to be made.
const NOT_MADE: u32 = u32::MAX;

impl Session {
    pub(crate) fn perform_binary(
        &mut self,
        node: &Node,
        request: &Request,
        made: Option<&Made>,
        now: Now,
        reply: &mut Reply,
    ) -> Result<Step, usize> {
        // There are no negative times here.
        let expiry = |exptime: u32| node.clock.expiry(exptime.into(), now);
        match request.command {
            Command::Get { with_key, exptime, is_quiet } => {
                let expires = exptime.map(expiry);
                get(node, request, with_key, expires, is_quiet, now, reply)?;
            }
            Command::Touch { exptime } => touch(node, request, expiry(exptime), now, reply)?,
            Command::Store { mode, flags, exptime, is_quiet } => {
                let has_cas = request.cas != 0;
                let mode = match mode {
                    // Whatever the command: the item has to be this one.
                    _ if has_cas => Mode::Cas,
                    StoreMode::Add => Mode::Add,
                    StoreMode::Set => Mode::Set,
                    StoreMode::Replace => Mode::Replace,
                };
                let order = order(request, mode, flags, expiry(exptime), made);
                store(node, request, order, is_quiet, now, reply)?;
            }
            Command::Extend { appends, is_quiet } => {
                let mode = if appends { Mode::Append } else { Mode::Prepend };
                store(node, request, order(request, mode, 0, 0, None), is_quiet, now, reply)?;
            }
            Command::Delete { is_quiet } => delete(node, request, is_quiet, now, reply)?,
            Command::Arithmetic { decrements, delta, initial, exptime, is_quiet } => {
                let initial = (exptime != NOT_MADE).then(|| (initial, expiry(exptime)));
                let order = Sum { key: request.key, delta, decrements, cas: request.cas, initial };
                sum(node, request, &order, is_quiet, now, reply)?;
            }
            Command::Flush { exptime, is_quiet } => {
                crate::text::flush(node, exptime.into(), now)?;
                if !is_quiet {
                    respond(reply.buffer(), request, &Response::default());
                }
            }
            Command::NoOp => respond(reply.buffer(), request, &Response::default()),
            Command::Stat => reports::stats_binary(node, request, now, reply),
            _ => return Ok(self.answer_binary(node, request, reply)),
        }
        Ok(Step::Done)
    }

    /// Answers what does not concern items, which those may ask too that have yet to log in.
    pub(crate) fn answer_binary(&mut self, node: &Node, request: &Request, reply: &mut Reply) -> Step {
        let out = reply.buffer();
        match request.command {
            Command::Version => {
                respond(out, request, &Response { value: VERSION.as_bytes(), ..Response::default() });
            }
            Command::Quit { is_quiet } => {
                if !is_quiet {
                    respond(out, request, &Response::default());
                }
                return Step::Close;
            }
            // Without anybody who could log in, there is nothing to log in to.
            Command::SaslList | Command::SaslAuth | Command::SaslStep if !node.access.is_restricted() => {
                respond_error(out, request, Status::Unknown);
            }
            Command::SaslList => {
                respond(out, request, &Response { value: MECHANISMS.as_bytes(), ..Response::default() });
            }
            Command::SaslAuth | Command::SaslStep if request.key.len() > MECHANISM_MAX => {
                respond_error(out, request, Status::Invalid);
            }
            Command::SaslAuth | Command::SaslStep => {
                let begins = request.command == Command::SaslAuth;
                // A step that nothing has begun leads nowhere; whose mechanism it is, its beginning has said.
                let is_due = std::mem::take(&mut self.is_step_due) || begins;
                let data = match request.block {
                    Block::Whole(data) if is_due && (!begins || request.key == MECHANISMS.as_bytes()) => {
                        Some(data)
                    }
                    _ => None,
                };
                if begins && data == Some(&[]) {
                    (self.is_admitted, self.is_step_due) = (false, true);
                    respond(out, request, &Response { status: Status::Continue, ..Response::default() });
                } else if self.log_in(node, data.and_then(plain)) {
                    respond(out, request, &Response { value: b"Authenticated", ..Response::default() });
                } else {
                    respond_error(out, request, Status::Authentication);
                }
            }
            Command::Contradictory => {
                respond_error(out, request, Status::Unknown);
                return Step::Close;
            }
            Command::Invalid => {
                respond_error(out, request, Status::Invalid);
                return Step::Close;
            }
            _ => respond_error(out, request, Status::Unknown),
        }
        Step::Done
    }
}

/// Name and password of the mechanism PLAIN: whom to act as, then name and password, each behind a NUL.
fn plain(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = data.splitn(3, |&byte| byte == 0);
    let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    Some((user, password))
}

fn get(
    node: &Node,
    request: &Request,
    with_key: bool,
    expires: Option<u32>,
    is_quiet: bool,
    now: Now,
    reply: &mut Reply,
) -> Result<(), usize> {
    let key = request.key;
    let told = if with_key { key } else { &[] };
    items::with(node, key, |shard, hash| {
        let found = shard.find(hash, key, now);
        shard.looked_up(found, expires.is_some());
        node.prefixes.got(key, found.is_some());
        let Some(place) = found else {
            if is_quiet {
                return;
            }
            // With the key there is no room for a text.
            let value = if with_key { "" } else { Status::NotFound.text() };
            let missing = Response {
                status: Status::NotFound,
                key: told,
                value: value.as_bytes(),
                ..Response::default()
            };
            return respond(reply.buffer(), request, &missing);
        };
        shard.used(place, now);
        if let Some(expires) = expires {
            shard.change(place, now, |item| item.set_expires(expires));
        }
        let item = shard.at(place);
        let flags = item.flags().to_be_bytes();
        let found = Response { cas: item.cas(), extras: &flags, key: told, ..Response::default() };
        respond_before(reply.buffer(), request, &found, item.value().len());
        items::write_value(&item, reply);
    })
}

fn touch(node: &Node, request: &Request, expires: u32, now: Now, reply: &mut Reply) -> Result<(), usize> {
    items::with(node, request.key, |shard, hash| {
        shard.counts.cmd_touch += 1;
        let found = shard.find(hash, request.key, now);
        node.prefixes.got(request.key, found.is_some());
        let Some(place) = found else {
            shard.counts.touch_misses += 1;
            return respond_error(reply.buffer(), request, Status::NotFound);
        };
        shard.counts.touch_hits += 1;
        shard.tally(place).touch_hits += 1;
        shard.used(place, now);
        shard.change(place, now, |item| item.set_expires(expires));
        let item = shard.at(place);
        let flags = item.flags().to_be_bytes();
        respond(
            reply.buffer(),
            request,
            &Response { cas: item.cas(), extras: &flags, ..Response::default() },
        );
    })
}

fn order<'a>(
    request: &Request<'a>,
    mode: Mode,
    flags: u32,
    expires: u32,
    made: Option<&'a Made>,
) -> Order<'a> {
    Order {
        mode,
        key: request.key,
        flags,
        expires,
        value: &[],
        cas: request.cas,
        made,
        is_stale: false,
        has_binary_key: false,
        outdates: matches!(request.command, Command::Store { mode: StoreMode::Set, .. }),
    }
}

fn store<'a>(
    node: &Node,
    request: &Request<'a>,
    mut order: Order<'a>,
    is_quiet: bool,
    now: Now,
    reply: &mut Reply,
) -> Result<(), usize> {
    let (stored, mode) = match request.block {
        Block::Whole(value) => {
            order.value = value;
            (items::store(node, &order, now)?, order.mode)
        }
        Block::Bad => (items::refuse(node, &order, 0, Stored::TooLarge, now)?, order.mode),
        Block::Follows => (items::turn_away(node, &order, request.value_len() as usize, now)?, order.mode),
    };
    node.prefixes.set(request.key);
    let status = match (stored, mode) {
        (Stored::Yes(cas), _) => {
            if !is_quiet {
                respond(reply.buffer(), request, &Response { cas, ..Response::default() });
            }
            return Ok(());
        }
        (Stored::No, Mode::Add) => Status::Exists,
        (Stored::No, Mode::Replace) => Status::NotFound,
        (Stored::No, _) => Status::NotStored,
        (Stored::Changed, _) => Status::Exists,
        (Stored::Missing, _) => Status::NotFound,
        (Stored::TooLarge, _) => Status::TooLarge,
        (Stored::NoMemory, _) => Status::NoMemory,
    };
    respond_error(reply.buffer(), request, status);
    Ok(())
}

fn delete(node: &Node, request: &Request, is_quiet: bool, now: Now, reply: &mut Reply) -> Result<(), usize> {
    let status = items::with(node, request.key, |shard, hash| {
        let Some(place) = shard.find(hash, request.key, now) else {
            shard.counts.delete_misses += 1;
            return Status::NotFound;
        };
        if request.cas != 0 && request.cas != shard.at(place).cas() {
            return Status::Exists;
        }
        shard.counts.delete_hits += 1;
        shard.tally(place).delete_hits += 1;
        shard.remove(place);
        Status::Success
    })?;
    node.prefixes.deleted(request.key);
    match status {
        Status::Success if is_quiet => {}
        Status::Success => respond(reply.buffer(), request, &Response::default()),
        status => respond_error(reply.buffer(), request, status),
    }
    Ok(())
}

fn sum(
    node: &Node,
    request: &Request,
    order: &Sum,
    is_quiet: bool,
    now: Now,
    reply: &mut Reply,
) -> Result<(), usize> {
    items::sum(node, order, now, |shard, summed| {
        let status = match summed {
            Summed::Yes { value, place, .. } => {
                if !is_quiet {
                    let (cas, value) = (shard.at(place).cas(), value.to_be_bytes());
                    respond(reply.buffer(), request, &Response { cas, value: &value, ..Response::default() });
                }
                return;
            }
            Summed::Missing => Status::NotFound,
            Summed::Changed => Status::Exists,
            Summed::NonNumeric => Status::NonNumeric,
            Summed::NoMemory => Status::NoMemory,
        };
        respond_error(reply.buffer(), request, status);
    })
}
