//! Events that took long, by what they were.

use std::collections::{BTreeMap, VecDeque};
use structures::ranked::Mutex;

/// Most samples that are kept of an event.
const MOST_SAMPLES: usize = 160;

/// What may take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A command.
    Command,
    /// A command whose work does not grow with its data.
    FastCommand,
    /// Removing keys whose time has come.
    ExpireCycle,
    /// Making room for a command.
    EvictionCycle,
    /// Removing a key to make room.
    EvictionDel,
}

impl Event {
    /// All events.
    pub const ALL: [Event; 5] =
        [Event::Command, Event::FastCommand, Event::ExpireCycle, Event::EvictionCycle, Event::EvictionDel];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Event::Command => "command",
            Event::FastCommand => "fast-command",
            Event::ExpireCycle => "expire-cycle",
            Event::EvictionCycle => "eviction-cycle",
            Event::EvictionDel => "eviction-del",
        }
    }

    /// The event of a name.
    pub fn parse(name: &[u8]) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name().as_bytes() == name)
    }
}

/// The longest of what happened within a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The second, since the epoch.
    pub at_s: i64,
    /// How long it took, in ms.
    pub took_ms: i64,
}

/// The samples of an event.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The newest last; never empty.
    pub samples: VecDeque<Sample>,
    /// The longest of all, those that are no longer kept included, in ms.
    pub longest_ms: i64,
}

/// The events of a node that took long.
#[derive(Debug, Default)]
pub struct Latency(Mutex<BTreeMap<Event, Series>>);

impl Latency {
    /// Adds what happened in this second.
    pub fn add(&self, event: Event, at_s: i64, took_ms: i64) {
        let mut all = self.0.lock();
        let series = all.entry(event).or_default();
        series.longest_ms = series.longest_ms.max(took_ms);
        match series.samples.back_mut() {
            Some(last) if last.at_s == at_s => last.took_ms = last.took_ms.max(took_ms),
            _ => {
                if series.samples.len() == MOST_SAMPLES {
                    series.samples.pop_front();
                }
                series.samples.push_back(Sample { at_s, took_ms });
            }
        }
    }

    /// The samples of an event, if there are any.
    pub fn get(&self, event: Event) -> Option<Series> {
        self.0.lock().get(&event).cloned()
    }

    /// All events with their samples.
    pub fn all(&self) -> Vec<(Event, Series)> {
        self.0.lock().iter().map(|(event, series)| (*event, series.clone())).collect()
    }

    /// Forgets an event; whether there were samples of it.
    pub fn clear(&self, event: Event) -> bool {
        self.0.lock().remove(&event).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_each_second_is_kept_for_a_while() {
        let latency = Latency::default();
        for (at_s, took_ms) in [(1, 5), (1, 9), (1, 7), (2, 3)] {
            latency.add(Event::Command, at_s, took_ms);
        }
        let series = latency.get(Event::Command).unwrap();
        let expected = [Sample { at_s: 1, took_ms: 9 }, Sample { at_s: 2, took_ms: 3 }];
        assert_eq!((series.samples, series.longest_ms), (VecDeque::from(expected), 9));
        (3..200).for_each(|at_s| latency.add(Event::Command, at_s, 1));
        let series = latency.get(Event::Command).unwrap();
        assert_eq!((series.samples.len(), series.samples[0].at_s, series.longest_ms), (160, 40, 9));
        assert!(latency.clear(Event::Command) && !latency.clear(Event::Command));
        assert!(latency.all().is_empty());
    }

    #[test]
    fn events_have_names() {
        for event in Event::ALL {
            assert_eq!(Event::parse(event.name().as_bytes()), Some(event));
        }
        assert_eq!(Event::parse(b"fork"), None);
    }
}
