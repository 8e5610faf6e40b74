//! How the interface writes points in time: `2016-07-12 21:10:11`, as a clock in Beijing shows them.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp};

const FORM: &str = "%Y-%m-%d %H:%M:%S";

/// Beijing knows no summer time.
fn zone() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

/// As the interface writes it.
pub(crate) fn written(at_ms: u64) -> String {
    local(at_ms).strftime(FORM).to_string()
}

/// The day alone, without marks: `20160712`.
pub(crate) fn day(at_ms: u64) -> String {
    local(at_ms).strftime("%Y%m%d").to_string()
}

/// Reads a time of a request.
pub(crate) fn read(text: &str) -> Option<u64> {
    let at = DateTime::strptime(FORM, text).ok()?;
    millis(at)
}

/// So many months later, at the same time of the day; on the last day of the month where it has fewer days.
pub(crate) fn months_later(at_ms: u64, months: u32) -> u64 {
    let later = local(at_ms).checked_add(Span::new().months(months)).ok().and_then(millis);
    // Fractions of a second stay.
    later.map_or(u64::MAX, |later_ms| later_ms / 1000 * 1000 + at_ms % 1000)
}

/// The first moment of the day that `at_ms` is in.
pub(crate) fn midnight(at_ms: u64) -> u64 {
    millis(local(at_ms).date().at(0, 0, 0, 0)).unwrap_or(0)
}

fn local(at_ms: u64) -> DateTime {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX);
    zone().to_datetime(at)
}

fn millis(at: DateTime) -> Option<u64> {
    u64::try_from(zone().to_timestamp(at).ok()?.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_beijing() {
        let at_ms = 1_468_329_011_000;
        assert_eq!(written(at_ms), "2016-07-12 21:10:11");
        assert_eq!(day(at_ms), "20160712");
        assert_eq!(read("2016-07-12 21:10:11"), Some(at_ms));
        assert_eq!(written(midnight(at_ms)), "2016-07-12 00:00:00");
        for bad in ["", "2016-07-12", "2016-13-12 21:10:11", "2016-07-12T21:10:11Z"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert!(written(u64::MAX).starts_with("9999-12-"));
    }

    #[test]
    fn months_keep_the_day_where_they_can() {
        let later = |text: &str, months| written(months_later(read(text).unwrap(), months));
        assert_eq!(later("2016-07-12 21:10:13", 2), "2016-09-12 21:10:13");
        assert_eq!(later("2016-09-12 21:10:13", 1), "2016-10-12 21:10:13");
        assert_eq!(later("2016-01-31 10:00:00", 1), "2016-02-29 10:00:00");
        assert_eq!(later("2016-12-01 10:00:00", 36), "2019-12-01 10:00:00");
        assert_eq!(months_later(1_468_329_011_123, 1) % 1000, 123);
    }
}
