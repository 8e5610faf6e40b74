//! `MONITOR`.

use crate::clients::Marks;
use crate::commands::family;
use crate::session::State;
use crate::{BASE, Command, CommandError, Cx};
use command::{Flags, Former, Group, Release, v};
use resp::{Args, Reply};

family!(MONITOR);

/// `MONITOR`: OK, and from then on a status line for every command that the node runs.
pub static MONITOR: Command = Command {
    name: "monitor",
    summary: "Shows every command that the server runs.",
    group: Group::Server,
    arity: 1,
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    former: &[
        Former::before(Release::V6_2).without(Flags::LOADING.union(Flags::STALE)),
        Former::before(Release::V4_0).with(Flags::READONLY),
    ],
    handler: monitor,
    ..BASE
};

fn monitor(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    if !cx.may_wait && cx.release().has(v(6, 2, 0)) {
        return Err(CommandError::MonitorInMulti);
    }
    if !cx.session.state.contains(State::MONITOR) {
        cx.session.state.insert(State::MONITOR);
        cx.session.client.mark(Marks::MONITOR, true);
        cx.node.monitors.add(cx.node, &cx.session.client);
    }
    reply.ok();
    Ok(())
}
