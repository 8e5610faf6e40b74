//! The processor time of the process.

use super::{FIELD, Field, SECTION, Section, View};
use command::{Release, v};

pub(super) static CPU: Section = Section { title: "CPU", fields: FIELDS, ..SECTION };

static FIELDS: &[Field] = &[
    Field { name: "used_cpu_sys", value: |view| view.seconds(view.process().system_us), ..FIELD },
    Field { name: "used_cpu_user", value: |view| view.seconds(view.process().user_us), ..FIELD },
    Field { name: "used_cpu_sys_children", value: |view| view.seconds(0), ..FIELD },
    Field { name: "used_cpu_user_children", value: |view| view.seconds(0), ..FIELD },
    Field {
        name: "used_cpu_sys_main_thread",
        since: v(6, 2, 0),
        value: |view| view.seconds(view.process().system_us),
        ..FIELD
    },
    Field {
        name: "used_cpu_user_main_thread",
        since: v(6, 2, 0),
        value: |view| view.seconds(view.process().user_us),
        ..FIELD
    },
];

impl View<'_, '_> {
    /// Microseconds as seconds; before 5.0 hundredths were enough.
    fn seconds(&self, us: u64) -> String {
        let digits = if self.release() < Release::V5_0 { 2 } else { 6 };
        format!("{:.digits$}", us as f64 / 1e6)
    }
}
