//! Values of a form that one parameter alone has: how they are read and written.
//!
//! Source: observed on redis-server 7.0; what came with which release, on the golden answers.

use crate::error::BadValue;
use crate::master::Address;
use crate::parameter::{Special, Value, memory};
use command::{Version, v};
use keyspace::Class;
use std::fmt::Write;

/// Words separated by single spaces; nothing has none.
fn words(text: &[u8]) -> Vec<&[u8]> {
    if text.is_empty() { Vec::new() } else { text.split(|&byte| byte == b' ').collect() }
}

fn joined(numbers: impl Iterator<Item = impl ToString>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

/// An integer as C reads it: digits that may begin with zeros or a plus.
fn loose_integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `notify-keyspace-events`: letters of classes.
pub(crate) static EVENTS: Special = Special {
    takes: "letters of event classes such as KEA",
    parse: |release, _, text| {
        let mut class = Class::empty();
        for letter in text {
            let known = LETTERS.iter().find(|(own, _, since)| own == letter && release.has(*since));
            class |= known.ok_or(BadValue::NotAnEventClass)?.1;
        }
        Ok(Value::Events(class))
    },
    show: |value| {
        let class = value.events();
        let mut shown = if class.contains(ALL_EVENTS) { "A".to_owned() } else { String::new() };
        let hidden = if class.contains(ALL_EVENTS) { ALL_EVENTS | Class::NEW } else { Class::empty() };
        let letters =
            LETTERS[1..].iter().filter(|(_, own, _)| class.contains(*own) && !hidden.contains(*own));
        shown.extend(letters.map(|(letter, ..)| char::from(*letter)));
        shown
    },
};

/// What the letter `A` stands for.
const ALL_EVENTS: Class = Class::GENERIC
    .union(Class::STRING)
    .union(Class::LIST)
    .union(Class::SET)
    .union(Class::HASH)
    .union(Class::ZSET)
    .union(Class::EXPIRED)
    .union(Class::EVICTED)
    .union(Class::STREAM)
    .union(Class::MODULE);

/// Letters of event classes in the order in which they are written, and when they came.
const LETTERS: [(u8, Class, Version); 15] = [
    (b'A', ALL_EVENTS, v(2, 8, 0)),
    (b'g', Class::GENERIC, v(2, 8, 0)),
    (b'$', Class::STRING, v(2, 8, 0)),
    (b'l', Class::LIST, v(2, 8, 0)),
    (b's', Class::SET, v(2, 8, 0)),
    (b'h', Class::HASH, v(2, 8, 0)),
    (b'z', Class::ZSET, v(2, 8, 0)),
    (b'x', Class::EXPIRED, v(2, 8, 0)),
    (b'e', Class::EVICTED, v(2, 8, 0)),
    (b't', Class::STREAM, v(5, 0, 0)),
    (b'd', Class::MODULE, v(6, 2, 0)),
    (b'n', Class::NEW, v(7, 0, 0)),
    (b'K', Class::KEYSPACE, v(2, 8, 0)),
    (b'E', Class::KEYEVENT, v(2, 8, 0)),
    (b'm', Class::KEY_MISS, v(6, 0, 0)),
];

/// `client-output-buffer-limit`: a class, its hard limit, its soft limit, and seconds for that; classes that are not
/// named keep theirs.
pub(crate) static OUTPUT_LIMITS: Special = Special {
    takes: "classes with a hard limit, a soft limit and seconds, such as pubsub 32mb 8mb 60",
    parse: |release, old, text| {
        let words = words(text);
        if !words.len().is_multiple_of(4) {
            return Err(BadValue::BufferLimitWords);
        }
        let mut numbers = match old {
            Value::Numbers(numbers) => numbers.clone(),
            _ => [0; 9].into(),
        };
        for limit in words.chunks_exact(4) {
            let class =
                OUTPUT_CLASSES.iter().position(|class| limit[0].eq_ignore_ascii_case(class.as_bytes()));
            let class = match class {
                None if limit[0].eq_ignore_ascii_case(b"replica") && release.has(v(5, 0, 0)) => 1,
                class => class.ok_or(BadValue::BufferLimitClass)?,
            };
            let bytes = |text| memory(text).and_then(|bytes| i64::try_from(bytes).ok());
            let limit =
                [bytes(limit[1]), bytes(limit[2]), loose_integer(limit[3]).filter(|seconds| *seconds >= 0)];
            for (place, number) in numbers[3 * class..].iter_mut().zip(limit) {
                *place = number.ok_or(BadValue::BufferLimitNumber)?;
            }
        }
        Ok(Value::Numbers(numbers))
    },
    show: |value| {
        let classes = OUTPUT_CLASSES.iter().zip(value.numbers().chunks_exact(3));
        joined(classes.map(|(class, limit)| format!("{class} {}", joined(limit.iter()))))
    },
};

const OUTPUT_CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// `save`: seconds and changes in turn.
pub(crate) static SAVE_POINTS: Special = Special {
    takes: "seconds and numbers of changes in turn, such as 900 1 300 10, or nothing",
    parse: |_, _, text| {
        let words = words(text);
        let numbers: Option<Box<[i64]>> = words.iter().map(|word| loose_integer(word)).collect();
        let numbers = numbers.ok_or(BadValue::SavePoints)?;
        let sound = numbers
            .chunks(2)
            .all(|point| matches!(point, [seconds, changes] if *seconds > 0 && *changes >= 0));
        sound.then_some(Value::Numbers(numbers)).ok_or(BadValue::SavePoints)
    },
    show: |value| joined(value.numbers().iter()),
};

/// `oom-score-adj-values`: three numbers.
pub(crate) static OOM_SCORES: Special = Special {
    takes: "three numbers from -2000 to 2000",
    parse: |_, _, text| {
        let words = words(text);
        if words.len() != 3 {
            return Err(BadValue::OomScoreWords);
        }
        let score = |word: &&[u8]| loose_integer(word).filter(|score| (-2000..=2000).contains(score));
        let scores: Option<Box<[i64]>> = words.iter().map(score).collect();
        scores.map(Value::Numbers).ok_or(BadValue::OomScore)
    },
    show: |value| joined(value.numbers().iter()),
};

/// `latency-tracking-info-percentiles`: numbers up to a hundred.
pub(crate) static PERCENTILES: Special = Special {
    takes: "numbers from 0 to 100",
    parse: |_, _, text| {
        let mut percentiles = Vec::new();
        for word in words(text) {
            let number = std::str::from_utf8(word).ok().and_then(|word| word.parse::<f64>().ok());
            let number = number.filter(|number| !number.is_nan()).ok_or(BadValue::Percentiles)?;
            if !(0.0..=100.0).contains(&number) {
                return Err(BadValue::PercentileOutOfRange);
            }
            percentiles.push(number);
        }
        Ok(Value::Decimals(percentiles.into()))
    },
    show: |value| joined(value.decimals().iter().map(|number| decimal(*number))),
};

/// A number with up to six decimals, and no more than it needs.
pub(crate) fn decimal(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `cluster-announce-hostname`: a host name, or nothing.
pub(crate) static HOST_NAME: Special = Special {
    takes: "a host name",
    parse: |_, _, text| {
        if text.len() >= 256 {
            return Err(BadValue::HostNameTooLong);
        }
        let fits = text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        fits.then(|| Value::Text(text.into())).ok_or(BadValue::HostName)
    },
    show: |value| String::from_utf8_lossy(value.text()).into_owned(),
};

/// `replicaof`: a host and a port, or nothing.
pub(crate) static MASTER: Special = Special {
    takes: "a host and a port",
    parse: |_, _, text| {
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let fits = match (words.next(), words.next(), words.next()) {
            (None, ..) => true,
            (Some(host), Some(port), None) => Address::parse(host, port).is_ok(),
            _ => false,
        };
        fits.then(|| Value::Text(text.into())).ok_or(BadValue::Master)
    },
    show: |value| String::from_utf8_lossy(value.text()).into_owned(),
};

/// `proc-title-template`: a text with variables in braces.
pub(crate) static TITLE: Special = Special {
    takes: "a text with variables such as {title}",
    parse: |_, _, text| {
        const VARIABLES: [&str; 8] = [
            "title",
            "listen-addr",
            "server-mode",
            "port",
            "tls-port",
            "unixsocket",
            "config-file",
            "version",
        ];
        let title = std::str::from_utf8(text).map_err(|_| BadValue::Title)?;
        let known =
            |part: &str| part.split_once('}').is_some_and(|(variable, _)| VARIABLES.contains(&variable));
        let sound = !title.is_empty() && title.split('{').skip(1).all(known);
        sound.then(|| Value::Text(text.into())).ok_or(BadValue::Title)
    },
    show: |value| String::from_utf8_lossy(value.text()).into_owned(),
};

/// `rename-command`: a command and the name that it is to have, or no name; commands that are not named keep theirs.
pub(crate) static RENAMES: Special = Special {
    takes: "a command and its new name, or \"\" for none",
    parse: |_, old, text| {
        let text = std::str::from_utf8(text).map_err(|_| BadValue::Rename)?;
        let mut pairs = match old {
            Value::Pairs(pairs) => pairs.to_vec(),
            _ => Vec::new(),
        };
        if !text.is_empty() {
            let (command, name) = text.split_once(' ').ok_or(BadValue::Rename)?;
            let name = name.trim().trim_matches('"');
            if command.is_empty() || name.contains(' ') {
                return Err(BadValue::Rename);
            }
            pairs.push((command.into(), name.into()));
        }
        Ok(Value::Pairs(pairs.into()))
    },
    show: |value| {
        let mut shown = String::new();
        for (command, name) in value.pairs() {
            // Writing to a string does not fail.
            let _ = write!(shown, "{}{command} {name}", if shown.is_empty() { "" } else { " " });
        }
        shown
    },
};

#[cfg(test)]
mod tests {
    use crate::error::BadValue;
    use crate::parameters::tests::canonical;
    use command::Release;

    #[test]
    fn values_are_what_a_real_server_makes_of_them() {
        // Observed on redis-server 7.0.
        const EVENTS: &str = "notify-keyspace-events";
        const LIMITS: &str = "client-output-buffer-limit";
        const PERCENTILES: &str = "latency-tracking-info-percentiles";
        const SCORES: &str = "oom-score-adj-values";
        for (name, text, expected) in [
            (EVENTS, "KEg$lshzxetdmn", Ok("AKEm")),
            (EVENTS, "An", Ok("A")),
            (EVENTS, "g$lshzxet", Ok("g$lshzxet")),
            (EVENTS, "Kmn$", Ok("$nKm")),
            (EVENTS, "K ", Err(BadValue::NotAnEventClass)),
            (
                LIMITS,
                "replica 1mb 2mb 3",
                Ok("normal 0 0 0 slave 1048576 2097152 3 pubsub 33554432 8388608 60"),
            ),
            (
                LIMITS,
                "NORMAL 1k 1kb 60 pubsub 5 6 7",
                Ok("normal 1000 1024 60 slave 268435456 67108864 60 pubsub 5 6 7"),
            ),
            (LIMITS, "", Ok("normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60")),
            (LIMITS, "slave 1 2", Err(BadValue::BufferLimitWords)),
            (LIMITS, "normal  2 2 2", Err(BadValue::BufferLimitWords)),
            (LIMITS, "master 1 2 3", Err(BadValue::BufferLimitClass)),
            (LIMITS, "normal 1 2 -3", Err(BadValue::BufferLimitNumber)),
            (LIMITS, "normal a 2 3", Err(BadValue::BufferLimitNumber)),
            ("save", "900 1 300 10", Ok("900 1 300 10")),
            ("save", "1 0", Ok("1 0")),
            ("save", "900 1 300", Err(BadValue::SavePoints)),
            ("save", "0 1", Err(BadValue::SavePoints)),
            ("save", " 900 1", Err(BadValue::SavePoints)),
            (PERCENTILES, "50 99.90 1e1 1e-5", Ok("50 99.9 10 0.00001")),
            (PERCENTILES, "99.99999999999", Ok("100")),
            (PERCENTILES, "nan", Err(BadValue::Percentiles)),
            (PERCENTILES, "50  60", Err(BadValue::Percentiles)),
            (PERCENTILES, "inf", Err(BadValue::PercentileOutOfRange)),
            (SCORES, "2000 -2000 0", Ok("2000 -2000 0")),
            (SCORES, "1 2", Err(BadValue::OomScoreWords)),
            (SCORES, "0 0 2001", Err(BadValue::OomScore)),
            ("hz", "0", Ok("1")),
            ("hz", "501", Ok("500")),
            ("repl-backlog-size", "1", Ok("16384")),
            ("activedefrag", "yes", Err(BadValue::NoDefragmentation)),
            ("tls-port", "1", Err(BadValue::NoTls)),
            ("port", "1", Err(BadValue::CannotListen)),
            ("cluster-announce-hostname", "a.b-c", Ok("a.b-c")),
            ("cluster-announce-hostname", "a b", Err(BadValue::HostName)),
            ("proc-title-template", "{foo}", Err(BadValue::Title)),
            ("proc-title-template", "{title} on {port}", Ok("{title} on {port}")),
        ] {
            let found = canonical(Release::V7_0, name, text);
            assert_eq!(found, expected.map(str::to_owned), "{name} {text}");
        }
        assert_eq!(canonical(Release::V5_0, EVENTS, "n"), Err(BadValue::NotAnEventClass));
        assert_eq!(canonical(Release::V4_0, LIMITS, "replica 1 1 1"), Err(BadValue::BufferLimitClass));
        assert!(canonical(Release::V3_0, "maxmemory-policy", "allkeys-lfu").is_err());
    }
}
