//! Sets that live in several shards, put together.
//!
//! Copies of them are laid on the bench, where the command runs; what it leaves there goes to the shard where it
//! belongs. Copies go when the command has run, and otherwise, if its client has gone, when their time is up.

use super::errand::Part;
use super::{Proxy, answer, own};
use crate::keys::Positions;
use crate::table::Entry;
use command::Access;
use keyspace::slots::slot_of;
use resp::{Args, OwnedArgs};

/// How long copies may lie on the bench, in ms.
const COPY_MS: &str = "600000";

/// How far it is.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Keys are copied.
    Copy,
    /// The command has run on the bench.
    Run,
    /// What it has left has gone where it belongs.
    Store,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Gather {
    stage: Stage,
    /// What keys on the bench begin with.
    prefix: String,
    /// Which arguments are keys that are read.
    sources: Vec<usize>,
    /// Which argument is the key that is written, if any.
    target: Option<usize>,
    reply: Vec<u8>,
}

fn part(node: usize, entry: &'static Entry, args: &[&[u8]]) -> Part {
    Part { node, entry, args: OwnedArgs::new(args.iter().copied()) }
}

impl Gather {
    /// Begins with the requests for copies.
    pub(super) fn begin(proxy: &Proxy, args: Args, positions: &Positions) -> (Gather, Vec<Part>) {
        let is_target = |access: Access| access.intersects(Access::OW | Access::RW);
        let of = |targets: bool| {
            let all = positions.iter().filter(move |(_, access)| is_target(*access) == targets);
            all.map(|(at, _)| *at).filter(|at| *at < args.len())
        };
        let sources: Vec<usize> = of(false).collect();
        let dump = own(proxy.front().release, "dump");
        let copy = |at: &usize| {
            let key = args.at(*at);
            part(proxy.owner(slot_of(key)), dump, &[b"DUMP", key])
        };
        let parts = sources.iter().map(copy).collect();
        let prefix = format!("{:016x}:", proxy.draw());
        (Gather { stage: Stage::Copy, prefix, sources, target: of(true).next(), reply: Vec::new() }, parts)
    }

    /// The key on the bench that stands for an argument.
    fn stand_in(&self, at: usize) -> Vec<u8> {
        format!("{}{at}", self.prefix).into_bytes()
    }

    /// What is to be asked next, now that the last requests have been answered; nothing if there is a reply.
    pub(super) fn go_on(
        &mut self,
        proxy: &Proxy,
        entry: &'static Entry,
        args: Args,
        answers: &[Vec<u8>],
    ) -> Vec<Part> {
        match self.stage {
            Stage::Copy => {
                self.stage = Stage::Run;
                self.run(proxy, entry, args, answers)
            }
            Stage::Run => {
                self.stage = Stage::Store;
                self.store(proxy, args, answers)
            }
            Stage::Store => {
                if let Some(error) = answers.iter().find(|answer| answer::is_error(answer)) {
                    self.reply.clone_from(error);
                }
                Vec::new()
            }
        }
    }

    /// Lays copies on the bench, runs the command, takes what it has left, and clears the bench.
    fn run(&mut self, proxy: &Proxy, entry: &'static Entry, args: Args, copies: &[Vec<u8>]) -> Vec<Part> {
        let (bench, release) = (proxy.bench(), proxy.front().release);
        let mut parts = Vec::new();
        for (&at, copy) in self.sources.iter().zip(copies) {
            if let Some(payload) = answer::text(copy) {
                let key = self.stand_in(at);
                let restore: [&[u8]; 4] = [b"RESTORE", &key, COPY_MS.as_bytes(), payload];
                parts.push(part(bench, own(release, "restore"), &restore));
            }
        }
        let stands_in = |at: usize| self.sources.contains(&at) || self.target == Some(at);
        let given: Vec<Vec<u8>> = (0..args.len())
            .map(|at| if stands_in(at) { self.stand_in(at) } else { args.at(at).to_vec() })
            .collect();
        let given: Vec<&[u8]> = given.iter().map(Vec::as_slice).collect();
        parts.push(part(bench, entry, &given));
        if let Some(target) = self.target {
            parts.push(part(bench, own(release, "dump"), &[b"DUMP", &self.stand_in(target)]));
        }
        let left: Vec<Vec<u8>> =
            self.sources.iter().chain(&self.target).map(|&at| self.stand_in(at)).collect();
        let mut clear: Vec<&[u8]> = vec![b"DEL"];
        clear.extend(left.iter().map(Vec::as_slice));
        parts.push(part(bench, own(release, "del"), &clear));
        parts
    }

    /// Stores what the command has left on the bench.
    fn store(&mut self, proxy: &Proxy, args: Args, answers: &[Vec<u8>]) -> Vec<Part> {
        let release = proxy.front().release;
        // The last two, or the last, are about what it has left.
        let ran = answers.len() - 2 - usize::from(self.target.is_some());
        let failed = answers[..ran].iter().find(|answer| answer::is_error(answer));
        self.reply.clone_from(failed.unwrap_or(&answers[ran]));
        let Some(target) = self.target.filter(|_| !answer::is_error(&self.reply)) else { return Vec::new() };
        let key = args.at(target);
        let node = proxy.owner(slot_of(key));
        match answer::text(&answers[ran + 1]) {
            Some(payload) => {
                let restore: [&[u8]; 5] = [b"RESTORE", key, b"0", payload, b"REPLACE"];
                vec![part(node, own(release, "restore"), &restore)]
            }
            None => vec![part(node, own(release, "del"), &[b"DEL", key])],
        }
    }

    /// The reply, when there is nothing more to ask.
    pub(super) fn reply(&self) -> &[u8] {
        &self.reply
    }
}
