//! What the program is, and for how long it has been running.

use super::{FIELD, Field, SECTION, Section, View};
use command::v;
use std::sync::atomic::Ordering::Relaxed;

pub(super) static SERVER: Section = Section { title: "Server", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
    Field { name: "redis_version", value: |view| view.node.release.version().to_string(), ..FIELD },
    Field { name: "redis_git_sha1", value: |_| "00000000".into(), ..FIELD },
    Field { name: "redis_git_dirty", ..FIELD },
    Field { name: "redis_build_id", ..FIELD },
    Field { name: "redis_mode", value: |view| mode(view).into(), ..FIELD },
    Field { name: "os", value: |view| view.process().system.clone(), ..FIELD },
    Field { name: "arch_bits", value: |_| usize::BITS.to_string(), ..FIELD },
    Field { name: "monotonic_clock", since: v(6, 2, 0), value: |_| "POSIX clock_gettime".into(), ..FIELD },
    Field { name: "multiplexing_api", value: |_| "epoll".into(), ..FIELD },
    Field { name: "atomicvar_api", since: v(4, 0, 0), value: |_| "c11-builtin".into(), ..FIELD },
    Field { name: "gcc_version", value: |_| "0.0.0".into(), ..FIELD },
    Field { name: "process_id", value: |view| view.process().id.to_string(), ..FIELD },
    Field { name: "process_supervised", since: v(6, 2, 0), value: |_| "no".into(), ..FIELD },
    Field { name: "run_id", value: |view| view.node.identity("run"), ..FIELD },
    Field { name: "tcp_port", value: |view| view.node.address.port().to_string(), ..FIELD },
    Field { name: "server_time_usec", since: v(6, 2, 0), value: |view| view.now_us.to_string(), ..FIELD },
    Field { name: "uptime_in_seconds", value: |view| view.uptime_s().to_string(), ..FIELD },
    Field { name: "uptime_in_days", value: |view| (view.uptime_s() / 86_400).to_string(), ..FIELD },
    Field { name: "hz", value: |view| view.hz(), ..FIELD },
    Field { name: "configured_hz", since: v(5, 0, 0), value: |view| view.hz(), ..FIELD },
    Field { name: "lru_clock", value: |view| ((view.now_us / 1_000_000) & 0xFF_FFFF).to_string(), ..FIELD },
    Field { name: "executable", since: v(4, 0, 0), value: |view| view.process().executable.clone(), ..FIELD },
    Field { name: "config_file", value: |_| String::new(), ..FIELD },
    Field { name: "io_threads_active", since: v(6, 2, 0), ..FIELD },
    Field {
        name: "listener0",
        since: v(7, 4, 0),
        value: |view| format!("name=tcp,bind={},port={}", view.node.address.ip(), view.node.address.port()),
        ..FIELD
    },
];

impl View<'_, '_> {
    fn uptime_s(&self) -> i64 {
        (self.now_us - self.node.started_us).max(0) / 1_000_000
    }

    fn hz(&self) -> String {
        self.node.settings.hz.load(Relaxed).to_string()
    }
}

/// Whether the node stands alone.
fn mode(view: &View) -> &'static str {
    if view.node.member.is_some() { "cluster" } else { "standalone" }
}
