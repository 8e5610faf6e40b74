//! The times of day at which maintenance may be done: six windows of four hours, in UTC.

use serde::{Deserialize, Serialize};

/// One of the six windows, by the hour at which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaintenanceWindow {
    begin_hour: u8,
}

impl MaintenanceWindow {
    /// The windows, in the order in which they are numbered.
    pub const ALL: [MaintenanceWindow; 6] = [
        MaintenanceWindow { begin_hour: 22 },
        MaintenanceWindow { begin_hour: 2 },
        MaintenanceWindow { begin_hour: 6 },
        MaintenanceWindow { begin_hour: 10 },
        MaintenanceWindow { begin_hour: 14 },
        MaintenanceWindow { begin_hour: 18 },
    ];

    /// The hour at which it begins.
    pub const fn begin_hour(self) -> u8 {
        self.begin_hour
    }

    /// The hour at which it ends.
    pub const fn end_hour(self) -> u8 {
        (self.begin_hour + 4) % 24
    }

    /// When it begins, as `hh:mm:ss`.
    pub fn begin(self) -> String {
        format!("{:02}:00:00", self.begin_hour())
    }

    /// When it ends, as `hh:mm:ss`.
    pub fn end(self) -> String {
        format!("{:02}:00:00", self.end_hour())
    }

    /// The window with these times, each `hh:mm:ss`.
    pub fn from_times(begin: &str, end: &str) -> Option<Self> {
        MaintenanceWindow::ALL.into_iter().find(|window| window.begin() == begin && window.end() == end)
    }
}

impl Default for MaintenanceWindow {
    /// From 02:00 to 06:00.
    fn default() -> Self {
        MaintenanceWindow { begin_hour: 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_found_by_their_times() {
        for window in MaintenanceWindow::ALL {
            assert_eq!(MaintenanceWindow::from_times(&window.begin(), &window.end()), Some(window));
        }
        assert_eq!(MaintenanceWindow::from_times("22:00:00", "02:00:00").unwrap().begin_hour(), 22);
        for (begin, end) in [("22:00:00", "06:00:00"), ("03:00:00", "07:00:00"), ("22", "02"), ("", "")] {
            assert_eq!(MaintenanceWindow::from_times(begin, end), None);
        }
    }

    #[test]
    fn the_default_is_one_of_them() {
        assert!(MaintenanceWindow::ALL.contains(&MaintenanceWindow::default()));
    }
}
