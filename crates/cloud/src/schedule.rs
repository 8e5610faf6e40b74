//! What is done by itself: backups that policies ask for, and the end of those that have been kept for long enough.
//!
//! One timer sleeps until the first of it is due, and is told when that changes; an instance without a policy and without
//! backups that end costs nothing. Whatever was due while the process did not run is passed over, but for the end of
//! backups.
//!
//! Invariant: a slot of a plan makes one backup of an instance, which fails at once where the instance does something else.

use std::sync::{Arc, Weak};

use tokio::sync::Notify;

use crate::backup::{BackupOrder, State};
use crate::backup_policy::{BackupKind, BackupPolicy};
use crate::cloud::{Cloud, TaskError};
use crate::instance::{Instance, Status};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The first day of the epoch was a Thursday; days of a plan are counted from Monday, which is 1.
const EPOCH_WEEKDAY: i64 = 4;
/// After so long it is tried again to remove files that could not be removed.
const AGAIN_MS: u64 = 60 * 1000;

/// What the timer is told by.
pub(crate) type Bell = Arc<Notify>;

impl BackupPolicy {
    /// When the schedule makes the first backup after a time, if it makes any.
    pub fn next_after(&self, after_ms: u64) -> Option<u64> {
        if self.kind != BackupKind::Auto {
            return None;
        }
        let after_ms = i64::try_from(after_ms).ok()?;
        let (begin_ms, offset_ms) = (self.plan.begin_ms()?, self.plan.offset_ms()?);
        let today = (after_ms + offset_ms).div_euclid(DAY_MS);
        let next = (today..=today + 7).find_map(|day| {
            let weekday = (day + EPOCH_WEEKDAY - 1).rem_euclid(7) + 1;
            let at_ms = day * DAY_MS + begin_ms - offset_ms;
            let is_due = self.plan.weekdays.iter().any(|wanted| i64::from(*wanted) == weekday);
            (is_due && at_ms > after_ms).then_some(at_ms)
        });
        next.and_then(|at_ms| u64::try_from(at_ms).ok())
    }
}

impl crate::backup_policy::BackupPlan {
    /// How long after midnight a backup begins.
    fn begin_ms(&self) -> Option<i64> {
        minutes(self.begin_at.split('-').next()?).map(|minutes| minutes * 60_000)
    }

    /// How far the clocks of the plan are ahead of UTC.
    fn offset_ms(&self) -> Option<i64> {
        let Some(text) = self.timezone_offset.as_deref().filter(|text| !text.is_empty()) else {
            return Some(0);
        };
        let text = text.strip_prefix("GMT").or(text.strip_prefix("UTC")).unwrap_or(text);
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let minutes = match digits.split_once(':') {
            Some(_) => minutes(digits)?,
            None if digits.len() == 4 => minutes(&format!("{}:{}", digits.get(..2)?, digits.get(2..)?))?,
            None if digits.is_empty() => 0,
            None => digits.parse::<i64>().ok().filter(|hours| *hours <= 24)? * 60,
        };
        Some(sign * minutes * 60_000)
    }
}

/// Reads `hh:mm`.
fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}

impl Cloud {
    /// Tells the timer that something else may be due first.
    pub fn schedule_changed(&self) {
        self.bell.notify_one();
    }

    /// Begins to do what is due by itself, as long as there is the cloud.
    pub(crate) fn keep_schedule(self: &Arc<Self>) {
        let (cloud, clock, bell) = (Arc::downgrade(self), self.clock.clone(), self.bell.clone());
        tokio::spawn(async move {
            let mut seen_ms = clock.now_ms();
            loop {
                let Some(due_ms) = cloud.upgrade().map(|cloud| cloud.first_due(seen_ms)) else { return };
                match due_ms {
                    None => bell.notified().await,
                    Some(due_ms) => tokio::select! {
                        () = bell.notified() => {}
                        () = clock.sleep_until(due_ms) => {}
                    },
                }
                let now_ms = clock.now_ms();
                if due_ms.is_none_or(|due_ms| now_ms < due_ms) {
                    // Something has changed. What it would have brought about before is not made up for.
                    seen_ms = now_ms;
                    continue;
                }
                if Cloud::do_what_is_due(&cloud, seen_ms, now_ms).await {
                    seen_ms = now_ms;
                } else {
                    clock.sleep_until(now_ms + AGAIN_MS).await;
                }
            }
        });
    }

    /// When something is due first after a time.
    fn first_due(&self, after_ms: u64) -> Option<u64> {
        let state = self.state.read();
        let backups = state.instances.values().filter_map(|instance| next_backup(instance, after_ms));
        let all = state.records.backups.values().filter(|backup| backup.state == State::Succeeded);
        backups.chain(all.filter_map(|backup| backup.expires_at_ms)).min()
    }

    /// Does what was due in between; whether nothing is left of it.
    async fn do_what_is_due(cloud: &Weak<Cloud>, after_ms: u64, now_ms: u64) -> bool {
        let Some(cloud) = cloud.upgrade() else { return true };
        let (instances, over) = {
            let state = cloud.state.read();
            let is_due = |instance: &&Arc<Instance>| {
                next_backup(instance, after_ms).is_some_and(|at_ms| at_ms <= now_ms)
            };
            let instances: Vec<_> = state.instances.values().filter(is_due).cloned().collect();
            let kept = state.records.backups.values().filter(|backup| backup.state == State::Succeeded);
            let over: Vec<_> = kept
                .filter(|backup| backup.expires_at_ms.is_some_and(|at_ms| at_ms <= now_ms))
                .cloned()
                .collect();
            (instances, over)
        };
        let mut all = true;
        for backup in over {
            if let Err(error) = cloud.discard(&backup, State::Expired).await {
                tracing::error!(id = %backup.id, %error, "a backup stays for longer than it should");
                all = false;
            }
        }
        for instance in instances {
            let cloud = cloud.clone();
            // One that takes long keeps none of the others waiting.
            tokio::spawn(async move { cloud.back_up_by_schedule(&instance).await });
        }
        all
    }

    async fn back_up_by_schedule(self: &Arc<Self>, instance: &Instance) {
        let (order, kind) = (BackupOrder::default(), BackupKind::Auto);
        let begun = self.begin_backup(&instance.project_id, &instance.id, order, kind).await;
        let missed = match begun {
            Ok(_) | Err(TaskError::NotFound) => return,
            Err(TaskError::Busy(_) | TaskError::WrongStatus(_)) => self.miss_backup(instance).await.err(),
            Err(error) => {
                tracing::error!(instance = %instance.id, %error, "a backup of the schedule does not begin");
                return;
            }
        };
        if let Some(error) = missed {
            tracing::error!(instance = %instance.id, %error, "a backup that was missed is not recorded");
        }
    }
}

/// When the schedule backs an instance up next, after a time.
fn next_backup(instance: &Instance, after_ms: u64) -> Option<u64> {
    let serves = !matches!(instance.status, Status::Creating | Status::CreateFailed | Status::Frozen);
    instance.backup_policy.as_ref().filter(|_| serves)?.next_after(after_ms.max(instance.created_at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup_policy::BackupPlan;

    /// 2023-11-14T22:13:20Z, a Tuesday.
    const NOW_MS: u64 = 1_700_000_000_000;
    const HOUR: u64 = HOUR_MS as u64;

    fn policy(begin_at: &str, weekdays: &[u8], offset: Option<&str>) -> BackupPolicy {
        BackupPolicy {
            kind: BackupKind::Auto,
            save_days: Some(1),
            plan: BackupPlan {
                begin_at: begin_at.to_owned(),
                weekdays: weekdays.to_vec(),
                timezone_offset: offset.map(str::to_owned),
            },
        }
    }

    #[test]
    fn the_next_backup_is_on_a_day_of_the_plan_at_its_hour() {
        let midnight_ms = NOW_MS / (24 * HOUR) * 24 * HOUR;
        let next = |begin_at, days: &[u8], offset| policy(begin_at, days, offset).next_after(NOW_MS);
        let daily = [1, 2, 3, 4, 5, 6, 7];
        assert_eq!(next("23:00-24:00", &daily, None), Some(midnight_ms + 23 * HOUR));
        assert_eq!(next("00:00-01:00", &daily, None), Some(midnight_ms + 24 * HOUR));
        assert_eq!(next("00:00-01:00", &[2], None), Some(midnight_ms + 7 * 24 * HOUR));
        assert_eq!(next("23:00-00:00", &[2], None), Some(midnight_ms + 23 * HOUR));
        assert_eq!(next("22:00-23:00", &[2], None), Some(midnight_ms + (7 * 24 + 22) * HOUR));
        assert_eq!(next("00:00-01:00", &[4], None), Some(midnight_ms + 2 * 24 * HOUR));
        // In Kuala Lumpur it is Wednesday already.
        assert_eq!(next("07:00-08:00", &[3], Some("GMT+08:00")), Some(midnight_ms + 23 * HOUR));
        assert_eq!(next("19:00-20:00", &[2], Some("GMT-04:30")), Some(midnight_ms + 23 * HOUR + HOUR / 2));
        for offset in ["+0800", "GMT+8", "+08:00", "UTC+08:00"] {
            assert_eq!(next("07:00-08:00", &[3], Some(offset)), Some(midnight_ms + 23 * HOUR), "{offset}");
        }
    }

    #[test]
    fn a_slot_makes_one_backup() {
        let policy = policy("23:00-24:00", &[2], None);
        let first = policy.next_after(NOW_MS).unwrap();
        assert_eq!(policy.next_after(first - 1), Some(first));
        assert_eq!(policy.next_after(first), Some(first + 7 * 24 * HOUR));
    }

    #[test]
    fn who_starts_backups_himself_has_no_schedule() {
        let manual = BackupPolicy { kind: BackupKind::Manual, ..policy("00:00-01:00", &[1], None) };
        assert_eq!(manual.next_after(NOW_MS), None);
        assert_eq!(policy("00:00-01:00", &[], None).next_after(NOW_MS), None);
        assert_eq!(policy("whenever", &[1], None).next_after(NOW_MS), None);
        assert_eq!(policy("00:00-01:00", &[1], Some("somewhere")).next_after(NOW_MS), None);
    }
}
