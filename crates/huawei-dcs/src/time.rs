//! How the interfaces write points in time. All of them are UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// In seconds, as slow logs have it: `2020-06-19T07:06:07Z`.
pub(crate) fn with_seconds(at_ms: u64) -> String {
    timestamp(at_ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As digits alone, as names of backups have it: `20190510163116`.
pub(crate) fn digits(at_ms: u64) -> String {
    timestamp(at_ms).strftime("%Y%m%d%H%M%S").to_string()
}

/// With milliseconds, as DCS writes it: `2017-03-31T12:24:46.297Z`.
pub(crate) fn with_millis(at_ms: u64) -> String {
    timestamp(at_ms).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// With microseconds, as IAM writes it: `2019-02-13T06:52:13.855000Z`.
pub(crate) fn with_micros(at_ms: u64) -> String {
    timestamp(at_ms).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// To the minute, as ids of orders have it: `2005091653`.
pub(crate) fn to_the_minute(at_ms: u64) -> String {
    timestamp(at_ms).strftime("%y%m%d%H%M").to_string()
}

/// Reads a time as queries have it: `20200609160000`.
pub(crate) fn from_digits(text: &str) -> Option<u64> {
    let at = DateTime::strptime("%Y%m%d%H%M%S", text).ok().filter(|_| text.len() == 14)?;
    u64::try_from(TimeZone::UTC.to_timestamp(at).ok()?.as_millisecond()).ok()
}

/// Reads the time of a signed request: `20240102T030405Z`.
pub(crate) fn from_basic(text: &str) -> Option<u64> {
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let at = TimeZone::UTC.to_timestamp(at).ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

fn timestamp(at_ms: u64) -> Timestamp {
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_documented_forms() {
        let at_ms = 1_490_963_086_297;
        assert_eq!(with_seconds(at_ms), "2017-03-31T12:24:46Z");
        assert_eq!(with_millis(at_ms), "2017-03-31T12:24:46.297Z");
        assert_eq!(with_micros(at_ms), "2017-03-31T12:24:46.297000Z");
        assert_eq!(with_millis(1_490_963_086_000), "2017-03-31T12:24:46.000Z");
        assert!(with_millis(u64::MAX).starts_with("9999-12-"));
    }

    #[test]
    fn the_time_of_a_signature_is_read_strictly() {
        assert_eq!(from_basic("20240102T030405Z"), Some(1_704_164_645_000));
        for bad in ["", "20240102T030405", "2024-01-02T03:04:05Z", "20241302T030405Z", "20240102T030405Z "] {
            assert_eq!(from_basic(bad), None, "{bad}");
        }
    }
}
