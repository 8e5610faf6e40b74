//! Copying keys from elsewhere into what runs, on threads of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cloud::data_plane::{NodeId, OrderError};
use cloud::migration::{Copying, Level, Line, Source};
use server::Clock;
use server::import::{Find, Import, ImportError, Server, Target, Watcher};
use structures::ranked::{Mutex, rank};

use crate::nodes::{Node, Nodes};

/// For so long a thread that copies keys waits for the end of a failover, and how often.
const FAILOVER_LOOK: Duration = Duration::from_millis(10);
const FAILOVER_LOOKS: u32 = 500;

/// Tells the cloud what the data plane tells: of one part of what is copied at once.
struct Bridge {
    copying: Arc<Copying>,
    clock: Arc<Clock>,
    /// Which part it is.
    part: usize,
    parts: Arc<Parts>,
}

/// How far the parts are that are copied at once.
struct Parts(Mutex<Vec<Part>>);

#[derive(Clone, Default)]
struct Part {
    percent: u8,
    keys: u64,
    follows: bool,
    offset: u64,
    is_over: bool,
}

impl Bridge {
    /// Changes how far the part is, and tells of all together.
    fn change(&self, matters: bool, change: impl FnOnce(&mut Part)) {
        let parts = {
            let mut parts = self.parts.0.lock();
            change(&mut parts[self.part]);
            parts.clone()
        };
        self.copying.tell(matters, |progress| {
            let sum: u64 = parts.iter().map(|part| u64::from(part.percent)).sum();
            progress.percent = u8::try_from(sum / parts.len() as u64).unwrap_or(100);
            let keys: u64 = parts.iter().map(|part| part.keys).sum();
            progress.source_keys = (keys > 0).then_some(keys);
            progress.follows = parts.iter().all(|part| part.follows);
            progress.offset = parts.iter().map(|part| part.offset).sum();
        });
    }

    fn line(&self, level: Level, text: &str) {
        let at_ms = self.clock.wall_ms().unsigned_abs();
        self.copying.tell(false, |progress| {
            progress.lines.push(Line { at_ms, level, text: text.to_owned() });
        });
    }

    /// The part has ended. If that was the last of them, or one that failed, all have.
    fn end(&self, outcome: Result<(), ImportError>) {
        self.change(false, |part| part.is_over = true);
        let all = self.parts.0.lock().iter().all(|part| part.is_over);
        match outcome {
            Ok(()) if !all => {}
            outcome => self.copying.tell(true, |progress| {
                let outcome = outcome.map_err(|error| error.to_string());
                progress.ended.get_or_insert(outcome);
            }),
        }
        if self.copying.progress().ended.is_some() {
            self.copying.stop();
        }
    }
}

impl Watcher for Bridge {
    fn goes_on(&self) -> bool {
        self.copying.goes_on()
    }

    fn percent(&self, percent: u8) {
        if self.parts.0.lock()[self.part].percent != percent {
            self.change(percent == 100, |part| part.percent = percent);
        }
    }

    fn source_keys(&self, keys: u64) {
        self.change(true, |part| part.keys = keys);
    }

    fn follows(&self) {
        self.line(Level::Info, "what there was is copied; what changes follows");
        self.change(true, |part| part.follows = true);
    }

    fn offset(&self, offset: u64) {
        self.change(false, |part| part.offset = offset);
    }

    fn note(&self, is_warning: bool, text: &str) {
        self.line(if is_warning { Level::Warning } else { Level::Info }, text);
    }
}

/// Begins to copy to a node of Redis.
///
/// # Errors
/// [`OrderError::Refused`], where there are no threads left.
pub(crate) fn copy(nodes: &Nodes, node: &NodeId, source: Source) -> Result<Arc<Copying>, OrderError> {
    let (running, id) = (Arc::clone(&nodes.running), node.clone());
    let find: Find = Arc::new(move || target(&running, &id));
    let copying = Arc::new(Copying::default());
    type Work = Box<dyn FnOnce(&mut Import, &Clock) -> Result<(), ImportError> + Send>;
    let works: Vec<Work> = match source {
        Source::Files(paths) => vec![Box::new(move |import: &mut Import, _: &Clock| {
            paths.iter().try_for_each(|path| import.file(path))
        })],
        Source::Servers { addresses, password, follows, bytes_per_s } => addresses
            .into_iter()
            .map(|(host, port)| {
                let server = Server { host, port, password: password.clone(), bytes_per_s };
                let work = move |import: &mut Import, clock: &Clock| import.server(clock, &server, follows);
                Box::new(work) as Work
            })
            .collect(),
    };
    let parts = Arc::new(Parts(Mutex::new(vec![Part::default(); works.len()])));
    for (part, work) in works.into_iter().enumerate() {
        let (clock, find) = (Arc::clone(&nodes.clock), Arc::clone(&find));
        let (own, parts) = (Arc::clone(&copying), Arc::clone(&parts));
        let bridge = Arc::new(Bridge { copying: own, clock: Arc::clone(&clock), part, parts });
        let workers = Arc::clone(&nodes.workers);
        let run = move || {
            let watcher = Arc::clone(&bridge) as Arc<dyn Watcher>;
            let outcome =
                Import::new(&workers, find, watcher).and_then(|mut import| work(&mut import, &clock));
            bridge.end(outcome);
        };
        let started = std::thread::Builder::new().name("migration".to_owned()).spawn(run);
        if let Err(error) = started {
            copying.stop();
            return Err(OrderError::Refused(error.to_string()));
        }
    }
    Ok(copying)
}

/// Where keys go that come for a node; waits for a failover to end.
fn target(running: &Mutex<HashMap<NodeId, Node>, { rank::INSTANCES }>, id: &NodeId) -> Option<Target> {
    for _ in 0..FAILOVER_LOOKS {
        let target = running.lock().get(id)?.running.import_target();
        if target.is_some() {
            return target;
        }
        std::thread::sleep(FAILOVER_LOOK);
    }
    None
}
