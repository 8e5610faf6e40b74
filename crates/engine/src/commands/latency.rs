//! `LATENCY`: the events that took long, and how long commands take.

use crate::commands::command::look_up;
use crate::commands::{family, help, no_subcommand};
use crate::latency::{Event, Series};
use crate::table::{Entry, Table};
use crate::{BASE, Command, CommandError, Cx, Node};
use command::{Flags, Former, Group, Refusal, Release, v};
use resp::{Args, Reply};
use std::fmt::Write;
use std::sync::atomic::Ordering;

family!(LATENCY);

/// What most subcommands have in common.
const ADMIN: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

/// How clients of many nodes ask most subcommands.
const TIPS: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

/// `LATENCY subcommand`: see the subcommands.
pub static LATENCY: Command = Command {
    name: "latency",
    summary: "Shows what took long, and how long commands take.",
    complexity: "That of the subcommand.",
    since: v(2, 8, 13),
    group: Group::Server,
    arity: -2,
    flags: Flags::CONTAINER,
    handler: no_subcommand,
    former: &[Former::before(Release::V7_0).with(ADMIN), Former::before(Release::V4_0).with(Flags::READONLY)],
    subcommands: &[&DOCTOR, &GRAPH, &HISTORY, &LATEST, &RESET, &HISTOGRAM, &HELP],
    refusals: &[(Release::V7_0, Refusal::Quoted), (Release::V5_0, Refusal::Bare)],
    ..BASE
};

/// What all subcommands have in common.
const SUBCOMMAND: Command =
    Command { since: v(2, 8, 13), group: Group::Server, flags: ADMIN, tips: TIPS, ..BASE };

/// `LATENCY DOCTOR`: a report to read.
pub static DOCTOR: Command = Command {
    name: "doctor",
    summary: "Reports on what took long, and what may help.",
    arity: 2,
    handler: doctor,
    ..SUBCOMMAND
};

/// `LATENCY GRAPH event`: the samples of an event, drawn.
pub static GRAPH: Command = Command {
    name: "graph",
    summary: "Draws how long an event took.",
    arity: 3,
    syntax: "event",
    handler: graph,
    ..SUBCOMMAND
};

/// `LATENCY HISTORY event`: pairs of a time in s and a duration in ms, oldest first.
pub static HISTORY: Command = Command {
    name: "history",
    summary: "Gives the samples of an event.",
    arity: 3,
    syntax: "event",
    handler: history,
    ..SUBCOMMAND
};

/// `LATENCY LATEST`: for each event its name, when it happened last in s, how long that took and how long the longest
/// took, in ms.
pub static LATEST: Command = Command {
    name: "latest",
    summary: "Gives the last sample of each event.",
    arity: 2,
    handler: latest,
    ..SUBCOMMAND
};

/// `LATENCY RESET [event ...]`: of how many events samples were forgotten.
pub static RESET: Command = Command {
    name: "reset",
    summary: "Forgets the samples of some events, or of all.",
    arity: -2,
    syntax: "[event...]",
    tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
    handler: reset,
    ..SUBCOMMAND
};

/// `LATENCY HISTOGRAM [command ...]`: a map of commands to maps of `calls` and `histogram_usec`.
pub static HISTOGRAM: Command = Command {
    name: "histogram",
    summary: "Gives the distribution of how long commands took.",
    complexity: "O(N) for N commands.",
    since: v(7, 0, 0),
    arity: -2,
    syntax: "[command...]",
    handler: histogram,
    ..SUBCOMMAND
};

/// `LATENCY HELP`: lines of text.
pub static HELP: Command = Command {
    name: "help",
    summary: "Explains the subcommands.",
    since: v(5, 0, 0),
    arity: 2,
    former: &[Former::before(Release::V6_2).arity(-2)],
    flags: Flags::LOADING.union(Flags::STALE),
    tips: &[],
    handler: explain,
    ..SUBCOMMAND
};

fn latest(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let all = cx.node.latency.all();
    reply.array(all.len());
    for (event, series) in all {
        let last = series.samples.back();
        reply.array(4);
        reply.bulk(event.name());
        reply.integer(last.map_or(0, |last| last.at_s));
        reply.integer(last.map_or(0, |last| last.took_ms));
        reply.integer(series.longest_ms);
    }
    Ok(())
}

fn history(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let series = series(cx, args.at(2)).unwrap_or_default();
    reply.array(series.samples.len());
    for sample in series.samples {
        reply.array(2);
        reply.integer(sample.at_s);
        reply.integer(sample.took_ms);
    }
    Ok(())
}

fn series(cx: &Cx, event: &[u8]) -> Option<Series> {
    cx.node.latency.get(Event::parse(event)?)
}

fn reset(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let latency = &cx.node.latency;
    let forgotten = if args.len() == 2 {
        Event::ALL.into_iter().filter(|&event| latency.clear(event)).count()
    } else {
        args.iter_from(2).filter_map(Event::parse).filter(|&event| latency.clear(event)).count()
    };
    reply.integer(forgotten as i64);
    Ok(())
}

fn graph(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    match (Event::parse(args.at(2)), series(cx, args.at(2))) {
        (Some(event), Some(series)) => {
            reply.verbatim("txt", draw(event, &series, cx.now_ms().div_euclid(1000)));
            Ok(())
        }
        _ => Err(CommandError::NoSamples(args.at(2).iter().map(|&byte| char::from(byte)).collect())),
    }
}

/// Samples in a line of the graph.
const COLUMNS: usize = 80;
/// Lines that a sample may be high.
const ROWS: i64 = 4;
/// What fills the topmost line of a sample, from low to high; what is below it is filled with bars.
const LEVELS: &[u8] = b"_o#";

/// Draws samples as columns, with how long ago each was below it.
fn draw(event: Event, series: &Series, now_s: i64) -> String {
    let durations = || series.samples.iter().map(|sample| sample.took_ms);
    let (low, high) = (durations().min().unwrap_or(0), durations().max().unwrap_or(0));
    let mut graph = format!(
        "{} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.name(),
        series.longest_ms,
        "-".repeat(COLUMNS)
    );
    let levels = LEVELS.len() as i64;
    let samples: Vec<_> = series.samples.iter().collect();
    for (number, samples) in samples.chunks(COLUMNS).enumerate() {
        if number > 0 {
            graph.push('\n');
        }
        for row in (0..ROWS).rev() {
            let column = |took_ms: i64| {
                let level = ((took_ms - low) * ROWS * levels / (high - low).max(1)).min(ROWS * levels - 1);
                match level - row * levels {
                    ..0 => ' ',
                    over if over < levels => char::from(LEVELS[over as usize]),
                    _ => '|',
                }
            };
            graph.extend(samples.iter().map(|sample| column(sample.took_ms)).chain(['\n']));
        }
        graph.extend(samples.iter().map(|_| ' ').chain(['\n']));
        let ages: Vec<String> = samples.iter().map(|sample| age(now_s - sample.at_s)).collect();
        for line in 0..ages.iter().map(String::len).max().unwrap_or(0) {
            let letter = |age: &String| age.as_bytes().get(line).map_or(' ', |&byte| char::from(byte));
            graph.extend(ages.iter().map(letter).chain(['\n']));
        }
    }
    graph
}

/// How long ago something was, in the largest unit that fits.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn doctor(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    reply.verbatim("txt", report(cx.node));
    Ok(())
}

/// What took long, in words, and what may help.
fn report(node: &Node) -> String {
    let least_ms = node.settings.latency_ms.load(Ordering::Relaxed);
    if least_ms <= 0 {
        return "Nothing is recorded: latency-monitor-threshold is 0. Set it to the number of milliseconds from \
                which on events are to be recorded, with CONFIG SET latency-monitor-threshold <milliseconds>.\n"
            .into();
    }
    let all = node.latency.all();
    if all.is_empty() {
        return format!("No event took {least_ms} ms or more since recording began.\n");
    }
    let mut report = format!("These events took {least_ms} ms or more:\n\n");
    for (number, (event, series)) in all.iter().enumerate() {
        let count = series.samples.len() as i64;
        let sum: i64 = series.samples.iter().map(|sample| sample.took_ms).sum();
        let average = sum / count.max(1);
        let deviation: i64 = series.samples.iter().map(|sample| (sample.took_ms - average).abs()).sum();
        let (first_s, last_s) = (
            series.samples.front().map_or(0, |sample| sample.at_s),
            series.samples.back().map_or(0, |sample| sample.at_s),
        );
        let _ = writeln!(
            report,
            "{}. {}: {count} seconds with such events (average {average} ms, mean deviation {} ms, one every {:.2} \
             s); the longest of all took {} ms.",
            number + 1,
            event.name(),
            deviation / count.max(1),
            (last_s - first_s) as f64 / (count - 1).max(1) as f64,
            series.longest_ms
        );
    }
    report.push_str("\nWhat may help:\n\n");
    let has = |events: &[Event]| all.iter().any(|(event, _)| events.contains(event));
    if has(&[Event::Command, Event::FastCommand]) {
        let slow_us = node.settings.slowlog_us.load(Ordering::Relaxed);
        if !(0..=least_ms.saturating_mul(1000)).contains(&slow_us) {
            let _ = writeln!(
                report,
                "- The slow log misses commands that are recorded here: CONFIG SET slowlog-log-slower-than {}.",
                least_ms.saturating_mul(1000)
            );
        }
        report.push_str("- SLOWLOG GET names the commands that took long.\n");
    }
    if has(&[Event::ExpireCycle, Event::EvictionCycle, Event::EvictionDel]) {
        report.push_str(
            "- Many keys, or large ones, went at once. Spread their expiries, split large values, and leave room \
             below maxmemory.\n",
        );
    }
    report.push_str("- Large values take long to read, write and delete: UNLINK frees them elsewhere.\n");
    report
}

fn histogram(cx: &mut Cx, args: Args, reply: &mut Reply) -> Result<(), CommandError> {
    let map = reply.defer();
    let mut commands = 0;
    let ns_per_giga_tick = cx.node.host.ns_per_giga_tick();
    let mut tell = |entry: &Entry| {
        if let Some(durations) = cx.node.stats.durations(entry.index, ns_per_giga_tick) {
            commands += 1;
            reply.bulk(&*entry.full_name);
            reply.map(2);
            reply.bulk("calls");
            reply.integer(durations.count() as i64);
            reply.bulk("histogram_usec");
            let distribution = durations.distribution_us();
            reply.map(distribution.len());
            for (us, count) in distribution {
                reply.integer(us as i64);
                reply.integer(count as i64);
            }
        }
    };
    if args.len() == 2 {
        let table = Table::of(cx.release());
        (0..table.len()).for_each(|index| tell(table.entry(index)));
    }
    for entry in args.iter_from(2).filter_map(|name| look_up(cx.node, name)) {
        tell(entry);
        entry.subcommands.iter().for_each(|sub| tell(sub));
    }
    reply.deferred_map(map, commands);
    Ok(())
}

fn explain(cx: &mut Cx, _: Args, reply: &mut Reply) -> Result<(), CommandError> {
    const SUBCOMMANDS: &[(&str, &str)] = &[
        ("DOCTOR", "Report on what took long, and what may help."),
        ("GRAPH <event>", "Draw the samples of an event."),
        ("HISTORY <event>", "Give the samples of an event."),
        ("LATEST", "Give the last sample of each event."),
        ("RESET [<event> ...]", "Forget the samples of some events, or of all."),
        ("HISTOGRAM [<command> ...]", "Give the distribution of how long some commands took, or all."),
    ];
    let known = if cx.release().has(HISTOGRAM.since) { SUBCOMMANDS.len() } else { SUBCOMMANDS.len() - 1 };
    help(reply, "LATENCY", &SUBCOMMANDS[..known]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Sample;

    /// The graph, without its first two lines, of samples that end now, one a second.
    fn graph(durations: &[i64]) -> Vec<String> {
        let at = |(index, &took_ms): (usize, &i64)| Sample { at_s: index as i64 + 1, took_ms };
        let samples = durations.iter().enumerate().map(at).collect();
        let drawn = draw(Event::Command, &Series { samples, longest_ms: 30 }, durations.len() as i64);
        let mut lines = drawn.lines();
        let (low, high) = (durations.iter().min().unwrap(), durations.iter().max().unwrap());
        let title = format!("command - high {high} ms, low {low} ms (all time high 30 ms)");
        assert_eq!((lines.next().unwrap(), lines.next().unwrap()), (&*title, &*"-".repeat(80)));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn graphs_look_as_observed_on_redis_7_0() {
        assert_eq!(graph(&[2]), [" ", " ", " ", "_", " ", "0", "s"]);
        assert_eq!(graph(&[20, 9]), ["# ", "| ", "| ", "|_", "  ", "10", "ss"]);
        assert_eq!(
            graph(&[20, 9, 24, 12, 26, 23]),
            ["  o #_", "o | ||", "| | ||", "|_|#||", "      ", "543210", "ssssss"]
        );
        let long = graph(&[20, 9, 24, 12, 26, 23, 27, 24, 21, 30, 17, 1]);
        assert_eq!(long[5..], ["119876543210", "10ssssssssss", "ss          "]);
        let wide = graph(&[1; 81]);
        assert_eq!(wide.len(), 4 + 1 + 3 + 1 + 4 + 1 + 2);
        assert_eq!((&*wide[3], &*wide[8], &*wide[12]), (&*"_".repeat(80), "", "_"));
    }

    #[test]
    fn ages_are_in_the_largest_unit_that_fits() {
        let ages = [59, 60, 3599, 3600, 86_399, 86_400].map(age);
        assert_eq!(ages, ["59s", "1m", "59m", "1h", "23h", "1d"]);
    }
}
